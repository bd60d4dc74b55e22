"""``tools/benchmark.py``: everything takes turns, and the report says what was seen."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from running import LITE_CONFIG, assert_one_line, narrow

from litehrnet_mm.analysis import latency, latency_suites
from litehrnet_mm.analysis.latency import Candidate, time_interleaved
from litehrnet_mm.analysis.latency_report import speed_ups
from litehrnet_mm.analysis.memory import peak_memory


def test_candidates_take_turns():
    calls = []
    candidates = [Candidate(x, 'CPU', lambda x=x: calls.append(x)) for x in 'ab']
    time_interleaved(candidates, rounds=3, warm_up=1)
    assert calls == list('ab' + 'aabb' * 3)
    assert [len(candidate.seconds) for candidate in candidates] == [3, 3]
    assert all(second > 0 for c in candidates for second in c.seconds)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='told by Linux alone')
def test_peak_memory_is_what_a_call_takes_for_a_while():
    kept = []

    def run():
        kept.append(np.ones(20_000_000 // 8))
        np.ones(50_000_000 // 8).sum()

    assert 65e6 < peak_memory(run) < 90e6
    assert peak_memory(lambda: None) < 5e6


def test_what_is_reported_is_computed_from_the_times():
    made = [
        Candidate('theirs', 'PyTorch', None, [0.4, 0.2, 0.3]),
        Candidate('ours', 'PyTorch, rewritten', None, [0.1, 0.1, 0.1]),
        Candidate('ours', 'OpenVINO', None, [0.1, 0.1, 0.1]),
    ]
    assert made[0].median == pytest.approx(300)
    assert speed_ups(made) == [pytest.approx(1), pytest.approx(3), None]
    low, high = made[0].quartiles
    assert low < made[0].median < high


def test_networks_are_timed_in_all_their_forms(call_tool, tmp_path):
    done = call_tool(
        'benchmark.py', '--only', 'wider naive', '--rounds', 2, '--size', 64, 64,
        '--out', tmp_path, '--batch', 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / 'pose.json').read_text())
    timed = [(entry['net'], entry['runtime']) for entry in content['timed']]
    for runtime in ('PyTorch', 'ONNX Runtime'):
        assert ("MMPose's Lite-HRNet-18", runtime) in timed
        assert ('wider naive Lite-HRNet-18', runtime) in timed
        assert ('wider naive Lite-HRNet-18', f'{runtime}, rewritten') in timed
    assert all(len(entry['seconds']) == 2 for entry in content['timed'])
    assert all(entry['peak_memory_bytes'] is not None for entry in content['timed'])
    assert content['settings']['batch'] == 2
    assert content['machine']['torch']
    assert Image.open(tmp_path / 'pose.png').width > 800
    for net, _ in timed:
        assert net in done.stdout


def test_options_reach_what_is_timed(call_tool, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    forms = (latency_suites.EAGER, latency_suites.COMPILED, latency_suites.ORT)
    entry = latency_suites.Entry('tiny', str(narrow(LITE_CONFIG, tmp_path)), forms)
    monkeypatch.setitem(latency_suites.SUITES, 'pose', (entry,))
    compiled, threads, shapes = [], [], set()
    open_backend = latency_suites.open_backend

    def note(path, backend, number):
        threads.append(number)
        run = open_backend(path, backend, number)
        return lambda x: (shapes.add(x.shape), run(x))[1]

    monkeypatch.setattr(latency_suites, 'open_backend', note)
    monkeypatch.setattr(torch, 'set_num_threads', threads.append)
    monkeypatch.setattr(torch, 'compile', lambda x: compiled.append(x) or x)
    done = call_tool(
        'benchmark.py', '--threads', 3, '--batch', 2, '--size', 64, 96,
        '--rounds', 4, '--compile', '--out', tmp_path / 'out',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shapes == {(2, 3, 64, 96)}
    assert threads == [3, 3]
    assert len(compiled) == 1
    content = json.loads((tmp_path / 'out/pose.json').read_text())
    assert [entry['runtime'] for entry in content['timed']] == list(forms)
    assert all(len(entry['seconds']) == 4 for entry in content['timed'])


@pytest.mark.parametrize('suite', ['seg', 'training'])
def test_other_suites(call_tool, suite):
    size = ('--size', 64, 64)
    options = ('--only', 'Lite-HRNet-18', '--rounds', 2, '--batch', 2)
    done = call_tool('benchmark.py', '--suite', suite, *size, *options)
    assert done.returncode == 0, done.stderr
    assert 'Lite-HRNet-18' in done.stdout
    assert ('ONNX Runtime' in done.stdout) == (suite == 'seg')
    assert ("MMPose's" in done.stdout) == (suite == 'training')


def test_what_does_not_run_at_a_size_is_left_out(call_tool):
    size = ('--size', 64, 64, '--rounds', 2)
    done = call_tool('benchmark.py', '--only', 'RTMPose-t', *size)
    assert done.returncode == 0, done.stderr
    assert 'RTMPose-t left out: ' in done.stderr
    assert 'RTMPose-t' not in done.stdout
    done = call_tool('benchmark.py', '--only', 'RTMPose-t', '--size', 8, 8)
    assert done.returncode == 2
    assert 'with which all are compared, does not run' in done.stderr


def test_names_that_nothing_has(call_tool):
    done = call_tool('benchmark.py', '--only', 'nothing')
    assert_one_line(done, '--only nothing', 'RTMPose-t')


def test_one_round_is_too_few(call_tool):
    assert_one_line(call_tool('benchmark.py', '--rounds', 1), '--rounds', 'at least 2')


def test_a_gpu_has_its_own_clock(monkeypatch):
    """Without one, an event that counts: what was run lies between two of them."""
    seen = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            seen.append('event')

        def elapsed_time(self, end):
            assert isinstance(end, Event)
            return 250.0

    monkeypatch.setattr(latency.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(latency.torch.cuda, 'Event', Event)
    monkeypatch.setattr(latency.torch.cuda, 'synchronize', lambda: seen.append('wait'))
    assert latency.time_once(lambda: seen.append('run')) == 0.25
    assert seen == ['event', 'run', 'event', 'wait']
