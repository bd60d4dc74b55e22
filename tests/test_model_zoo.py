"""The metafiles and the page that is written from them."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mmpose
import pytest
import yaml
from modelindex.load_model_index import load as load_model_index

from litehrnet_mm.analysis import complexity_config
from litehrnet_mm.analysis.complexity_config import measure_config
from litehrnet_mm.analysis.zoo import Entry, load_zoo
from litehrnet_mm.analysis.zoo_page import PAGE
from litehrnet_mm.engine.config_file import load_config


@pytest.fixture(scope='module')
def zoo(repository):
    """All metafiles of this repository."""
    return load_zoo(repository)


def test_mims_library_reads_the_index_without_complaint(repository, zoo):
    index = load_model_index(str(repository / 'model-index.yml'))
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == [e.name for e in zoo.entries]
    for model, entry in zip(index.models, zoo.entries):
        assert model.config == entry.config
        assert model.full_model.metadata.flops == entry.macs
        assert model.full_model.paper['URL'].startswith('https://arxiv.org/')


def test_every_config_is_described_once_and_no_other(repository, zoo):
    templates = ('_base_', 'custom', 'synthetic')
    configs = [
        path.relative_to(repository).as_posix()
        for path in (repository / 'configs/pose').rglob('*.py')
        if not set(templates) & set(path.parts)
    ]
    assert sorted(entry.config for entry in zoo.entries) == sorted(configs)
    assert all(entry.config.endswith(f'/{entry.name}.py') for entry in zoo.entries)


def test_published_weights_say_their_format_and_where_they_are(zoo):
    results = [result for entry in zoo.entries for result in entry.results]
    assert sum(result.weights is not None for result in results) > 10
    for result in results:
        assert (result.weights is None) == (result.format is None)
        if result.weights is not None:
            assert result.weights.startswith('https://')
            assert result.format in ('official', 'mmpose', 'paddle', 'pp-tinypose')


def test_every_source_is_a_page_on_the_web(zoo):
    assert all(url.startswith('https://') for url in zoo.sources.values())


def network_key(repository, entry: Entry) -> str:
    """What decides the cost of an entry's network."""
    model = load_config(str(repository / entry.config), {}).model.to_dict()
    head = {k: v for k, v in model['head'].items() if k not in ('decoder', 'loss')}
    parts = (model['backbone'], head, entry.input_size)
    return json.dumps(parts, sort_keys=True)


def test_the_metafiles_hold_what_is_measured(repository, zoo):
    """Networks of the paper are left to tests/tools/test_complexity.py."""
    networks = {}
    for entry in zoo.entries:
        networks.setdefault(network_key(repository, entry), []).append(entry)
    measured = 0
    for entries in networks.values():
        first = entries[0]
        numbers = {(entry.parameters, entry.macs) for entry in entries}
        if not any(entry.published for entry in entries):
            found = measure_config(str(repository / first.config), first.input_size)
            assert numbers == {(found.parameters, found.macs_once)}, first.name
            measured += 1
        assert len(numbers) == 1, first.name
    assert measured > 5


@pytest.fixture
def copy(repository, tmp_path) -> Path:
    """A copy of all that the page is written from, and of the page."""
    for name in ('tools', 'docs', 'configs', 'model-index.yml'):
        copied = shutil.copytree if (repository / name).is_dir() else shutil.copy
        copied(repository / name, tmp_path / name)
    return tmp_path


def test_measuring_writes_what_was_counted(copy, zoo, monkeypatch, capfd):
    found = SimpleNamespace(parameters=7_654_321, macs_once=987_654_321)
    monkeypatch.setattr(complexity_config, 'measure_config', lambda *_: found)
    monkeypatch.setattr(sys, 'argv', ['model_zoo.py', '--measure'])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(copy / 'tools/model_zoo.py'), run_name='__main__')
    assert ended.value.code == 0
    said, bar = capfd.readouterr()
    assert f'{len(zoo.entries)}/{len(zoo.entries)}' in bar
    assert all(f'{entry.metafile}: written' in said for entry in zoo.entries)
    numbers = {(entry.parameters, entry.macs) for entry in load_zoo(copy).entries}
    assert numbers == {(7_654_321, 987_654_321)}
    assert '7.65' in (copy / PAGE).read_text(encoding='utf-8')


def test_the_page_is_up_to_date_and_the_check_says_so(copy):
    assert run(copy, '--check').returncode == 0
    page = copy / PAGE
    written = page.read_text(encoding='utf-8')
    page.write_text(written.replace('0.648', '0.848'), encoding='utf-8')
    stale = run(copy, '--check')
    assert stale.returncode == 1
    assert stale.stderr.splitlines()[-1].startswith(f'{PAGE} is not up to date')
    assert run(copy).returncode == 0
    assert page.read_text(encoding='utf-8') == written


def run(root, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / 'tools/model_zoo.py'), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_numbers_of_mmposes_zoo_are_those_of_its_metafiles(zoo):
    folder = Path(mmpose.__file__).parent / '.mim/configs'
    theirs = {}
    for path in folder.rglob('*.yml'):
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        for model in content.get('Models') or []:
            theirs[model.get('Weights')] = model['Results'][0]['Metrics']
    compared = 0
    for result in (result for entry in zoo.entries for result in entry.results):
        if result.source == 'MMPose model zoo':
            # It calls MPII's metrics Mean and Mean@0.1.
            assert set(result.metrics.values()) <= set(theirs[result.weights].values())
            compared += 1
    assert compared > 10
