"""What users get from a wheel, a source archive and an editable installation."""

import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path

import pytest
from packing import copy_sources, pip_wheel, run

import litehrnet_mm
from litehrnet_mm.version import __version__

MIM_FILES = ('configs', 'tools', 'model-index.yml', 'requirements')
PIN = re.compile(r'([A-Za-z0-9_.-]+)==([^\s;]+)(\s*#.*)?')

# What `pip check` may say, for the reasons that requirements/runtime.txt gives.
EXPLAINED = re.compile(
    r'((mmengine|mmpose|mmcv-lite) \S+ requires (chumpy|opencv-python)'
    r'|openvino \S+ requires openvino-telemetry|openmim \S+ requires opendatalab)'
    r', which is not installed\.'
)


@pytest.fixture(scope='module')
def copy(repository, tmp_path_factory) -> Path:
    """The sources, and what running the tools leaves behind."""
    target = copy_sources(repository, tmp_path_factory.mktemp('copy') / 'source')
    # That must not be packed.
    for place in ('tools', 'configs/pose', 'litehrnet_mm'):
        (target / place / '__pycache__').mkdir()
        (target / place / '__pycache__' / 'x.cpython-311.pyc').write_bytes(b'x')
    return target


@pytest.fixture(scope='module')
def wheel(copy, tmp_path_factory) -> zipfile.ZipFile:
    return zipfile.ZipFile(pip_wheel(copy, tmp_path_factory.mktemp('wheel')))


@pytest.fixture(scope='module')
def sdist(copy, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('sdist')
    build = 'import sys; from setuptools.build_meta import build_sdist as build; '
    run('-c', build + 'build(sys.argv[1])', folder, cwd=copy)
    (archive,) = folder.glob('*.tar.gz')
    return archive


def sources(repository: Path, *folders: str) -> set[str]:
    return {
        path.relative_to(repository).as_posix()
        for folder in folders
        for path in (repository / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def test_wheel_holds_what_mim_looks_for(wheel, copy):
    names = set(wheel.namelist())
    expected = sources(copy, 'configs', 'tools', 'requirements') | {'model-index.yml'}
    assert {'tools/train.py', 'requirements/runtime.txt'} <= expected
    assert any(re.fullmatch(r'configs/pose/.+\.py', name) for name in expected)
    assert {f'litehrnet_mm/.mim/{name}' for name in expected} == {
        name for name in names if name.startswith('litehrnet_mm/.mim/')
    }


def test_wheel_holds_every_module_and_nothing_else(wheel, copy):
    names = {n for n in wheel.namelist() if '/.mim/' not in n and 'dist-info' not in n}
    assert names == {n for n in sources(copy, 'litehrnet_mm') if n.endswith('.py')}
    assert not [n for n in wheel.namelist() if '__pycache__' in n or 'tests/' in n]


def test_wheel_keeps_scripts_executable(wheel):
    mode = wheel.getinfo('litehrnet_mm/.mim/tools/dist_train.sh').external_attr >> 16
    assert mode & stat.S_IXUSR


def test_wheel_metadata(wheel):
    info = f'litehrnet_mm-{__version__}.dist-info'
    header = HeaderParser().parsestr(wheel.read(f'{info}/METADATA').decode())
    assert header['Name'] == 'litehrnet_mm'
    assert header['Version'] == __version__
    assert [n for n in wheel.namelist() if n.endswith('/LICENSE') and info in n]
    needed = header.get_all('Requires-Dist')
    assert 'numpy<2' in needed
    assert 'torch>=2.6' in needed


def test_version_is_written_in_one_place(copy):
    spelled = [
        name
        for name in ('setup.py', 'pyproject.toml', 'litehrnet_mm/__init__.py')
        if __version__ in (copy / name).read_text(encoding='utf-8').split("'")
    ]
    assert not spelled


def test_source_archive_builds_the_same_wheel(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    assert {'setup.py', 'pyproject.toml', 'README.md', 'LICENSE'} <= names
    assert not [name for name in names if '__pycache__' in name]
    rebuilt = zipfile.ZipFile(pip_wheel(sdist, tmp_path))
    assert set(rebuilt.namelist()) == set(wheel.namelist())
    for name in rebuilt.namelist():
        if not name.endswith('/RECORD'):
            assert rebuilt.read(name) == wheel.read(name), name


def test_installed_package_exposes_the_files_of_mim(repository):
    folder = Path(litehrnet_mm.__file__).parent / '.mim'
    for name in MIM_FILES:
        assert (folder / name).exists()
    assert list((folder / 'configs').glob('pose/**/*.py'))
    assert (folder / 'tools/train.py').is_file()
    if is_editable():
        for name in MIM_FILES:
            assert (folder / name).is_symlink()
            assert not os.path.isabs(os.readlink(folder / name))
            assert (folder / name).resolve() == folder.parents[1].resolve() / name


def is_editable() -> bool:
    text = metadata.distribution('litehrnet_mm').read_text('direct_url.json')
    return json.loads(text or '{}').get('dir_info', {}).get('editable', False)


def test_installed_metadata_tells_the_version():
    assert metadata.version('litehrnet_mm') == __version__ == litehrnet_mm.__version__


def test_pip_check_says_only_what_is_explained(tmp_path):
    command = [sys.executable, '-m', 'pip', '--disable-pip-version-check', 'check']
    process = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    said = process.stdout.splitlines()
    assert [line for line in said if not EXPLAINED.fullmatch(line)] == [] or said == [
        'No broken requirements found.'
    ]
    assert process.stderr == ''


def requirement_lines(repository: Path) -> list[tuple[str, str]]:
    return [
        (path.name, line.strip())
        for path in sorted((repository / 'requirements').glob('*.txt'))
        for line in path.read_text(encoding='utf-8').splitlines()
        if line.strip() and not line.startswith('#')
    ]


def test_every_requirement_is_pinned_once(repository):
    pins = [PIN.fullmatch(line) for _, line in requirement_lines(repository)]
    assert pins
    unpinned = [
        line for line in requirement_lines(repository) if not PIN.fullmatch(line[1])
    ]
    assert unpinned == []
    names = [re.sub('[-_.]+', '-', pin[1]).lower() for pin in pins]
    assert [name for name in set(names) if names.count(name) > 1] == []


def test_pins_are_what_is_installed(repository):
    wrong, compared = [], 0
    for file, line in requirement_lines(repository):
        name, pinned = PIN.fullmatch(line).group(1, 2)
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        compared += 1
        if installed.partition('+')[0] != pinned:  # torch names its build: 2.1+cpu
            wrong.append(f'{file}: {line}, but {installed} is installed')
    assert wrong == []
    assert compared > 20
