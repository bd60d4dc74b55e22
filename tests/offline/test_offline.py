"""From data to predictions nothing reaches for a network: the demos, shortened."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from litehrnet_mm.datasets.streets import CLASSES
from litehrnet_mm.datasets.streets.classes import to_train_ids
from litehrnet_mm.datasets.streets.sheet import read_labels

HERE = Path(__file__).parent
# A network of its own, without routes, where the system lets a user make one.
UNSHARE = ('unshare', '--map-root-user', '--net')
NOWHERE = '192.0.2.1'  # an address for documentation: nobody has it


def has_namespaces() -> bool:
    """Whether a process may have a network of its own here."""
    known = shutil.which('unshare')
    return (
        bool(known) and not subprocess.run([*UNSHARE, 'true'], check=False).returncode
    )


ALONE = UNSHARE if has_namespaces() else ()


def run_offline(
    folder: Path, *arguments: object, guarded: bool = True
) -> subprocess.CompletedProcess:
    """Run Python where no other machine can be reached, and attempts are noted.

    Args:
        folder: To run in; attempts are in its file ``touched``.
        *arguments: Of Python.
        guarded: Whether attempts are refused and noted; else only lead nowhere.
    """
    paths = [HERE.parent, HERE.parents[1], os.environ.get('PYTHONPATH', '')]
    if guarded:
        paths.insert(0, HERE / 'guard')
    env = dict(
        PYTHONPATH=os.pathsep.join(map(str, paths)), TOUCHED=str(folder / 'touched')
    )
    return subprocess.run(
        [*ALONE, sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


# --- the guard ------------------------------------------------------------------------

ATTEMPTS = {
    'connect': f'socket.socket().connect(("{NOWHERE}", 80))',
    'getaddrinfo': 'socket.getaddrinfo("example.invalid", 80)',
    'gethostbyname': 'socket.gethostbyname("example.invalid")',
    'gethostbyaddr': f'socket.gethostbyaddr("{NOWHERE}")',
    'getnameinfo': f'socket.getnameinfo(("{NOWHERE}", 80), 0)',
    'like a local name': 'socket.gethostbyname("localhost.example.invalid")',
    'like an address': 'socket.gethostbyname("127.example.invalid")',
    'sendto': f'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("{NOWHERE}", 9))',
    'urlopen': 'import urllib.request as u; u.urlopen("http://example.invalid")',
    'child': 'import subprocess, sys; subprocess.run([sys.executable, "-c", '
    f'"import socket; socket.socket().connect((\'{NOWHERE}\', 80))"], check=True)',
}


@pytest.mark.parametrize('attempt', ATTEMPTS.values(), ids=list(ATTEMPTS))
def test_the_guard_refuses_and_notes_each_attempt(tmp_path, attempt):
    done = run_offline(tmp_path, '-c', f'import socket; {attempt}')
    assert done.returncode == 1
    assert 'the network was touched' in done.stderr
    noted = (tmp_path / 'touched').read_text()
    assert NOWHERE in noted or 'example.invalid' in noted


def test_the_guard_notes_what_is_caught(tmp_path):
    attempt = f'try: socket.socket().connect(("{NOWHERE}", 80))\nexcept OSError: 0'
    done = run_offline(tmp_path, '-c', f'import socket\n{attempt}')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'touched').read_text().startswith('socket.connect')


def test_the_guard_lets_processes_of_one_machine_talk(tmp_path):
    talk = (
        'import multiprocessing as m, socket\n'
        'a, b = socket.socketpair(); a.send(b"x")\n'
        'with m.Manager() as manager: print(manager.list([1]))\n'
        'server = socket.socket(); server.bind(("127.0.0.1", 0))'
    )
    done = run_offline(tmp_path, '-c', talk)
    assert done.returncode == 0, done.stderr
    assert done.stdout == '[1]\n'
    assert not (tmp_path / 'touched').exists()


@pytest.mark.skipif(not ALONE, reason='no network namespaces for a user here')
def test_code_that_the_guard_cannot_see_has_no_route(tmp_path):
    attempt = f'socket.socket().connect(("{NOWHERE}", 80))'
    done = run_offline(tmp_path, '-c', f'import socket; {attempt}', guarded=False)
    assert done.returncode == 1
    assert 'Network is unreachable' in done.stderr
    assert not (tmp_path / 'touched').exists()


# --- the demos ------------------------------------------------------------------------


@pytest.fixture(scope='module')
def walked(repository, tmp_path_factory) -> Path:
    """A folder in which both demos ran, offline."""
    folder = tmp_path_factory.mktemp('demos')
    for name in ('tools', 'configs'):
        (folder / name).symlink_to(repository / name)
    done = run_offline(folder, HERE / 'demo_steps.py')
    assert done.returncode == 0, done.stderr
    (folder / 'said').write_text(done.stdout + done.stderr)
    return folder


def test_no_step_of_the_demos_reaches_for_the_network(walked):
    assert not (walked / 'touched').exists(), (walked / 'touched').read_text()


def test_demo_evaluates_draws_and_predicts(walked):
    work = walked / 'work_dirs/demo'
    metrics = json.loads((work / 'metrics.json').read_text())
    assert 0 <= metrics['coco/AP'] <= 1
    assert cv2.imread(str(work / 'poses.png')) is not None
    found = [
        json.loads((walked / f'demo_{kind}/keypoints.json').read_text())[0]['keypoints']
        for kind in ('predicted', 'predicted_by_onnx')
    ]
    np.testing.assert_allclose(*found, atol=0.5)  # pixels


def test_demo_seg_evaluates_draws_and_predicts(walked):
    work = walked / 'work_dirs/demo_seg'
    metrics = json.loads((work / 'metrics.json').read_text())
    assert 0 <= metrics['mIoU'] < metrics['aAcc'] <= 100
    said = (walked / 'said').read_text()
    for name in CLASSES:  # the table of each class
        assert f' {name} ' in said
    drawn, shown = cv2.imread(str(work / 'streets.png')), 4
    assert drawn.shape[1] == 3 * (2 * 256 + 4)
    assert drawn.shape[0] > shown * (2 * 128 + 26 + 4)
    labels = read_labels(min((work / 'predictions').iterdir()))
    assert labels.shape == (128, 256)
    assert set(to_train_ids(np.unique(labels))) <= set(range(19))
    found = [
        cv2.imread(str(min(walked.glob(f'demo_seg_{kind}/labels/*.png'))), -1)
        for kind in ('predicted', 'predicted_by_onnx')
    ]
    assert (found[0] == found[1]).mean() > 0.99
