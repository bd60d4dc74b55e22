"""The model zoo as data: what the metafiles say about our configs.

``model-index.yml`` names the metafiles. They are in the format of MIM, with keys of
ours for what others published: where each number and each file of weights comes from.
Those files are the only place where published numbers are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from litehrnet_mm.cli import UserError

INDEX = 'model-index.yml'
COUNTS = ('Parameters', 'FLOPs')


@dataclass(frozen=True)
class Published:
    """The complexity that others published for a network.

    Attributes:
        parameters: As printed, such as 1,100,000 for "1.1M".
        macs: As printed, such as 205,200,000 for "205.2M".
        source: Where, as one of :attr:`Zoo.sources`.
        recalled: Whether it was quoted from memory.
        note: Why our count differs, where it does by much.
    """

    parameters: int
    macs: int
    source: str
    recalled: bool
    note: str | None


@dataclass(frozen=True)
class Result:
    """Published accuracy, and the weights that reach it where they are published.

    Attributes:
        dataset: What it was measured on.
        metrics: Each metric by its name.
        source: Where, as one of :attr:`Zoo.sources`.
        recalled: Whether it was quoted from memory.
        weights: URL of the weights, if any.
        format: Their format, as ``tools/convert_checkpoint.py`` names it.
    """

    dataset: str
    metrics: Mapping[str, float]
    source: str
    recalled: bool
    weights: str | None
    format: str | None


@dataclass(frozen=True)
class Measurement:
    """What this project measured itself.

    Attributes:
        weights: Which weights.
        dataset: On what.
        metrics: Each metric by its name.
        command: The command that measures it.
    """

    weights: str
    dataset: str
    metrics: Mapping[str, float]
    command: str


@dataclass(frozen=True)
class Entry:
    """A config and what is known about it.

    Attributes:
        name: The config's name.
        config: Its path within the repository.
        metafile: Path of the metafile that describes it.
        network: Name of the network.
        training_data: The data set or sets it trains on.
        input_size: Height and width of the input.
        parameters: Measured here, head included.
        macs: Multiply-accumulates measured here, each layer once.
        published: Complexity that others published.
        results: Accuracy that others published.
        measurements: Accuracy that this project measured.
    """

    name: str
    config: str
    metafile: str
    network: str
    training_data: str
    input_size: tuple[int, int]
    parameters: int
    macs: int
    published: Published | None
    results: tuple[Result, ...]
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True)
class Unbuilt:
    """A published system without a config here; of it, the backbone can be measured.

    Attributes:
        network: Name of the network.
        arch: The backbone's ``arch``.
        dataset: What it was trained and measured on.
        input_size: Height and width of the input.
        published: Its complexity.
    """

    network: str
    arch: str
    dataset: str
    input_size: tuple[int, int]
    published: Published


@dataclass(frozen=True)
class Zoo:
    """All metafiles.

    Attributes:
        entries: Our configs, in the order of the metafiles.
        unbuilt: Published systems that no config describes.
        sources: URL of each source by its name.
    """

    entries: tuple[Entry, ...]
    unbuilt: tuple[Unbuilt, ...]
    sources: Mapping[str, str]


def load_zoo(root: Path) -> Zoo:
    """Read ``model-index.yml`` and the metafiles that it names.

    Args:
        root: The folder of ``model-index.yml``.

    Raises:
        UserError: If a file is missing, is not YAML, lacks a key, or cites a source
            that no collection defines.
    """
    files = {name: _read(root / name) for name in _read(root / INDEX).get('Import', [])}
    entries, unbuilt, sources = [], [], {}
    for name, content in files.items():
        for collection in content.get('Collections', []):
            metadata = collection.get('Metadata', {})
            sources.update(metadata.get('Sources', {}))
            for item in metadata.get('Published Only', []):
                unbuilt.append(_unbuilt(_Node(item, name)))
        for item in content.get('Models', []):
            entries.append(_entry(_Node(item, name), name))
    zoo = Zoo(tuple(entries), tuple(unbuilt), sources)
    for where, source in _citations(zoo):
        if source not in sources:
            raise UserError(
                f'{where} cites the source {source!r}, but the Sources of the '
                f'collections are {sorted(sources)}'
            )
    return zoo


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}') from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise UserError(f'{path} is not valid YAML: {reason}') from error
    if not isinstance(content, dict):
        raise UserError(f'{path} must hold a mapping, such as "Models: [...]"')
    return content


class _Node:
    """A mapping of a metafile that says where it stands when a key is missing."""

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self.content = content
        self.where = f'{where}: {content["Name"]}' if 'Name' in content else where

    def __getitem__(self, key: str) -> Any:
        if key not in self.content:
            raise UserError(f'{self.where} has no {key!r}')
        return self.content[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.content.get(key, default)

    def child(self, key: str) -> _Node:
        return _Node(self[key], self.where)

    def children(self, key: str) -> Iterator[_Node]:
        for item in self.get(key, []):
            yield _Node(item, self.where)


def _entry(node: _Node, metafile: str) -> Entry:
    metadata = node.child('Metadata')
    has_published = 'Published' in metadata.content
    return Entry(
        name=node['Name'],
        config=node['Config'],
        metafile=metafile,
        network=_joined(metadata['Architecture']),
        training_data=_joined(metadata['Training Data']),
        input_size=_size(metadata),
        parameters=metadata['Parameters'],
        macs=metadata['FLOPs'],
        published=_published(metadata.child('Published')) if has_published else None,
        results=tuple(
            Result(
                dataset=result['Dataset'],
                metrics=result['Metrics'],
                source=result['Source'],
                recalled=result.get('Recalled', False),
                weights=result.get('Weights'),
                format=result.get('Format'),
            )
            for result in node.children('Results')
        ),
        measurements=tuple(
            Measurement(m['Weights'], m['Dataset'], m['Metrics'], m['Command'])
            for m in node.children('Measured Here')
        ),
    )


def _unbuilt(node: _Node) -> Unbuilt:
    return Unbuilt(
        network=node['Name'],
        arch=node['arch'],
        dataset=node['Dataset'],
        input_size=_size(node),
        published=_published(node),
    )


def _published(node: _Node) -> Published:
    return Published(
        parameters=node['Parameters'],
        macs=node['MACs'],
        source=node['Source'],
        recalled=node.get('Recalled', False),
        note=node.get('Note'),
    )


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ', '.join(value)


def _size(node: _Node) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)x(\d+)', str(node['Input Size']))
    if match is None:
        raise UserError(
            f"{node.where}: 'Input Size' must be HEIGHTxWIDTH in pixels, "
            f'got {node["Input Size"]!r}'
        )
    return int(match[1]), int(match[2])


def _citations(zoo: Zoo) -> Iterator[tuple[str, str]]:
    for entry in zoo.entries:
        cited = [result.source for result in entry.results]
        cited += [entry.published.source] if entry.published else []
        yield from ((f'{entry.metafile}: {entry.name}', source) for source in cited)
    for system in zoo.unbuilt:
        yield f'{system.network} on {system.dataset}', system.published.source


def write_counts(path: Path, counts: Mapping[str, tuple[int, int]]) -> bool:
    """Write measured numbers into a metafile, leaving all else as it stands.

    The file is edited line by line, since a YAML library would drop its comments.

    Args:
        path: The metafile.
        counts: For each model's name its parameters and multiply-accumulates.

    Returns:
        Whether anything changed.

    Raises:
        UserError: If a model has no line for one of its numbers.
    """
    old = path.read_text(encoding='utf-8')
    new = _with_counts(old, counts)
    for model in yaml.safe_load(new).get('Models', []):
        expected = counts.get(model['Name'])
        written = tuple(model['Metadata'].get(key) for key in COUNTS)
        if expected is not None and written != tuple(expected):
            raise UserError(
                f'{path}: {model["Name"]} needs the lines "Parameters: 0" and '
                '"FLOPs: 0" under its Metadata, to write the numbers there'
            )
    if new != old:
        path.write_text(new, encoding='utf-8')
    return new != old


def _with_counts(text: str, counts: Mapping[str, tuple[int, int]]) -> str:
    lines = text.splitlines(keepends=True)
    name = indent = None
    for index, line in enumerate(lines):
        if match := re.match(r'- Name: (\S.*?)\s*$', line):
            name, indent = match[1], None
        elif match := re.match(r'( +)Metadata:\s*$', line):
            indent = match[1] + '  '  # of its keys, but not of those nested deeper
        elif indent and name in counts:
            for key, value in zip(COUNTS, counts[name]):
                pattern = rf'^({indent}{key}:) *\d+'
                lines[index] = re.sub(pattern, rf'\g<1> {value}', lines[index])
    return ''.join(lines)
