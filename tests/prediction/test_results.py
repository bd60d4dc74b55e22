"""What is written of results: whole films, and numbers that are numbers."""

from __future__ import annotations

import contextlib
import resource
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from litehrnet_mm.cli import PictureError, UserError
from litehrnet_mm.prediction.boxes import Boxes, SameBoxes
from litehrnet_mm.prediction.results import FilmWriter, PoseResults
from litehrnet_mm.prediction.sources import Frame

NOISE = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8)


@contextlib.contextmanager
def files_of_at_most(size: int):
    """As on a full disk, no file gets longer; to write more is an error."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def write(path, images) -> None:
    """Write a film."""
    film = FilmWriter(path, 25)
    try:
        for image in images:
            film.add(image)
    finally:
        film.close()


@pytest.mark.parametrize(('size', 'words'), [(5000, '0 of 10 images'), (0, 'x.mp4')])
def test_a_film_on_a_full_disk_is_an_error_and_the_old_one_stays(tmp_path, size, words):
    path = tmp_path / 'x.mp4'
    write(path, NOISE[:2])
    before = path.read_bytes()
    with files_of_at_most(size), pytest.raises(UserError, match=words) as refused:
        write(path, NOISE)
    assert str(refused.value).startswith(f'cannot write video {path}')
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_a_film_has_its_name_once_it_is_whole(tmp_path):
    path = tmp_path / 'x.mp4'
    path.write_bytes(b'older')
    film = FilmWriter(path, 25)
    film.add(NOISE[0])
    assert path.read_bytes() == b'older'
    film.close()
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == 1
    assert [*tmp_path.iterdir()] == [path]


def test_a_film_that_cannot_have_its_name(tmp_path):
    (tmp_path / 'x.mp4').mkdir()
    with pytest.raises(UserError, match=r'cannot write .*x\.mp4: Is a directory'):
        write(tmp_path / 'x.mp4', NOISE[:1])
    assert [*tmp_path.iterdir()] == [tmp_path / 'x.mp4']


class OddBoxes(Boxes):
    """A person whose box is no number."""

    def __call__(self, name, image):
        """One box."""
        return np.array([[0, 0, np.nan, 9, 1]], np.float32)


def pose_network(points: float, scores: float) -> SimpleNamespace:
    """A network of two keypoints that finds the same everywhere."""

    class Network(SimpleNamespace):
        def __call__(self, image, boxes):
            shape = len(boxes), 2
            return np.full((*shape, 2), points), np.full(shape, scores)

    return Network(keypoints=['nose', 'chin'], skeleton=[(0, 1)])


@pytest.mark.parametrize(
    ('points', 'scores', 'boxes'),
    [
        (np.nan, 0.9, SameBoxes([])),
        (np.inf, 0.9, SameBoxes([])),
        (3.0, np.nan, SameBoxes([])),
        (3.0, 0.9, OddBoxes()),
    ],
)
def test_numbers_that_are_none_are_a_fault_of_the_picture(points, scores, boxes):
    results = PoseResults(pose_network(points, scores), boxes, 0)
    frame = Frame('a.jpg', NOISE[0])
    with pytest.raises(PictureError, match=r'image a\.jpg: .* not finite'):
        results.add(frame)
    assert results.content() == []


@pytest.mark.parametrize('far', [1e4, -1e9, 1e30])
def test_keypoints_far_outside_are_drawn_or_not(far):
    results = PoseResults(pose_network(far, 0.9), SameBoxes([]), 0)
    assert results.add(Frame('a.jpg', NOISE[0])).shape == NOISE[0].shape
    (record,) = results.content()
    assert record['keypoints'][0] == far
