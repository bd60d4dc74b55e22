"""What a config would fetch from the network, and what the documentation says of it."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = dict(
    re.findall(
        r'^\| `(configs/\S+)` \| `(\S+://\S+)` \|$',
        (ROOT / 'docs/supply_chain.md').read_text(encoding='utf-8'),
        re.MULTILINE,
    )
)


def urls(node: object, key: str = '') -> set[str]:
    """Strings that MMEngine would fetch, and ``pretrained=True``."""
    if isinstance(node, dict):
        return set().union(*(urls(item, name) for name, item in node.items()))
    if isinstance(node, (list, tuple)):
        return set().union(*(urls(item, key) for item in node))
    fetched = isinstance(node, str) and '://' in node
    return {str(node)} if fetched or (key == 'pretrained' and node) else set()


def documented_urls(path: Path) -> set[str]:
    """What ``docs/supply_chain.md`` says that a config fetches."""
    name = path.relative_to(ROOT).as_posix()
    return {url for pattern, url in DOCUMENTED.items() if fnmatch(name, pattern)}
