"""The lock says what the pins say, with hashes, and pip then installs nothing else."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).resolve().parents[1] / 'requirements'
INPUTS = sorted(path.stem for path in REQUIREMENTS.glob('*.txt'))
INSTALLED = ['build', 'torch', 'runtime', 'dev']
ENTRY = re.compile(
    r'^([A-Za-z0-9_.-]+)==(\S+)([^\\]*)((?:\\\n    --hash=\S+ ?)*)\n', re.M
)


def pins(name: str) -> dict[str, str]:
    """The versions that a file of pins asks for."""
    text = (REQUIREMENTS / f'{name}.txt').read_text()
    found = re.findall(r'^([\w.-]+)==(\S+)', text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def entries(name: str) -> list[tuple[str, str, str, list[str]]]:
    """Package, version, marker and hashes of each entry of a lock."""
    text = (REQUIREMENTS / f'lock/{name}.txt').read_text()
    return [
        (package, version, marker, re.findall('--hash=(\\S+)', hashes))
        for package, version, marker, hashes in ENTRY.findall(text)
    ]


def needed(package: str) -> Iterator[str]:
    """What a package asks for, on any machine; nothing if it is not installed."""
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        yield canonicalize_name(Requirement(line).name)


def test_each_file_of_pins_has_its_lock():
    assert set(INSTALLED) < set(INPUTS)
    assert sorted(path.stem for path in (REQUIREMENTS / 'lock').iterdir()) == INPUTS


@pytest.mark.parametrize('name', INPUTS)
def test_every_line_of_a_lock_is_an_entry_with_hashes(name):
    text = (REQUIREMENTS / f'lock/{name}.txt').read_text()
    rest = [line for line in ENTRY.sub('', text).splitlines() if '#' not in line[:5]]
    assert rest == []
    assert entries(name)
    for package, version, _, hashes in entries(name):
        assert hashes, package
        assert len(set(hashes)) == len(hashes)
        for item in hashes:
            assert re.fullmatch(r'sha256:[0-9a-f]{64}', item), f'{package} {version}'


@pytest.mark.parametrize('name', INPUTS)
def test_every_pin_is_locked_at_its_version(name):
    locked = {package: version for package, version, *_ in entries(name)}
    assert locked.items() >= pins(name).items()
    if name not in ('torch', 'tools'):
        assert locked == pins(name)


def test_beside_the_pins_only_what_torch_asks_for_is_locked():
    reached, new = set(), set(pins('torch'))
    while new:
        reached |= new
        new = {need for package in new for need in needed(package)} - reached
    assert {package for package, *_ in entries('torch')} <= reached


def test_files_agree_on_versions():
    versions: dict[str, set[str]] = {}
    for name in INSTALLED:
        for package, version, marker, _ in entries(name):
            if 'python_full_version >=' not in marker:  # of Python after 3.11
                versions.setdefault(package, set()).add(version)
    assert {package for package, found in versions.items() if len(found) > 1} == set()


# --- pip ------------------------------------------------------------------------------


def make_wheel(folder: Path, text: str) -> Path:
    """A wheel of one module."""
    path = folder / 'tiny_thing-1.0-py3-none-any.whl'
    info = 'tiny_thing-1.0.dist-info'
    files = {
        'tiny_thing.py': text,
        f'{info}/METADATA': 'Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n',
        f'{info}/WHEEL': 'Wheel-Version: 1.0\nTag: py3-none-any\n',
    }
    record = ''.join(f'{name},,\n' for name in [*files, f'{info}/RECORD'])
    with zipfile.ZipFile(path, 'w') as wheel:
        for name, content in {**files, f'{info}/RECORD': record}.items():
            wheel.writestr(name, content)
    return path


def options_of_install() -> list[str]:
    """What requirements/install.sh gives pip for a lock."""
    script = (REQUIREMENTS / 'install.sh').read_text().replace('\\\n', ' ')
    common = re.search(r'-m pip .*? install (.*?) "\$@"', script)[1].split()
    calls = re.findall(r'^install (.*)$', script, re.MULTILINE)
    assert len(calls) >= 4
    locks = [call for call in calls if '-r ' in call]
    assert all(call.startswith('--require-hashes ') for call in locks)
    assert re.findall(r'-r requirements/lock/(\w+)\.txt', ' '.join(locks)) == INSTALLED
    assert [call for call in calls if call not in locks] == ['--no-index --editable .']
    return ['--require-hashes', *common]


@pytest.mark.parametrize(
    ('line', 'refusal'),
    [
        ('tiny-thing==1.0 --hash=sha256:{right}', ''),
        ('tiny-thing==1.0 --hash=sha256:{wrong} --hash=sha256:{right}', ''),
        ('tiny-thing==1.0 --hash=sha256:{wrong}', 'DO NOT MATCH THE HASHES'),
        ('tiny-thing==1.0', 'Hashes are required'),
    ],
)
def test_a_file_is_installed_only_with_a_hash_that_is_locked(tmp_path, line, refusal):
    right = hashlib.sha256(make_wheel(tmp_path, 'x = 1\n').read_bytes()).hexdigest()
    hashes = dict(right=right, wrong=hashlib.sha256(b'another').hexdigest())
    lock = tmp_path / 'lock.txt'
    lock.write_text(line.format(**hashes) + '\n')
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'pip', 'install', *options_of_install()),
            *('--no-index', '--find-links', tmp_path, '--target', tmp_path / 'out'),
            *('--quiet', '-r', lock),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert bool(done.returncode) == bool(refusal), done.stderr
    assert refusal in done.stderr
    assert (tmp_path / 'out/tiny_thing.py').is_file() != bool(refusal)
