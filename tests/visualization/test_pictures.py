"""Captions, grids and files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from litehrnet_mm.cli import UserError
from litehrnet_mm.visualization import make_grid, read_image, write_image
from litehrnet_mm.visualization.labels import show_classes
from litehrnet_mm.visualization.pictures import CAPTION_HEIGHT, add_caption


@pytest.mark.parametrize('width', [40, 120, 400])
def test_a_caption_is_never_cut_off(width):
    """Whatever its length, the margin at the end stays white."""
    image = np.zeros((10, width, 3), np.uint8)
    found = add_caption(image, 'a long caption ' * 20)
    assert found.shape == (10 + CAPTION_HEIGHT, width, 3)
    assert (found[:CAPTION_HEIGHT, -4:] == 255).all()
    assert (found[:CAPTION_HEIGHT, :4] == 255).all()
    assert (found[:CAPTION_HEIGHT] < 100).any()
    assert not found[CAPTION_HEIGHT:].any()


def test_letters_of_other_scripts_are_drawn():
    """OpenCV's own writing has question marks for them."""
    image = np.zeros((1, 100, 3), np.uint8)
    pictures = [add_caption(image, text) for text in ('жж', 'éé', '??')]
    assert not np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[1], pictures[2])


def test_the_last_row_of_a_grid_may_be_short():
    tiles = [np.full((5, 7, 3), value, np.uint8) for value in (10, 20, 30)]
    grid = make_grid(tiles, 2)
    assert grid.shape == (2 * 9, 2 * 11, 3)
    assert [grid[4, 4, 0], grid[4, 15, 0], grid[13, 4, 0]] == [10, 20, 30]
    assert (grid[9:, 11:] == 255).all()


def test_pictures_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(UserError, match='absent'):
        read_image(tmp_path / 'absent.jpg')
    damaged = tmp_path / 'damaged.jpg'
    damaged.write_bytes(b'no picture')
    with pytest.raises(UserError, match=f'{damaged} cannot be read'):
        read_image(damaged)
    with pytest.raises(UserError, match='cannot write to'):
        write_image(damaged / 'picture.jpg', np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    ('name', 'width', 'words'),
    [
        ('a.jpg', 66_000, '66000x2 pixels are no picture that .jpg can hold'),
        ('a.pgm', 9, '9x2 pixels are no picture that .pgm can hold'),
        ('a.exr', 9, 'writes no pictures of this ending'),
        ('a.svg', 9, 'writes no pictures of this ending'),
        ('a.\udcff', 9, 'writes no pictures of this ending'),
        ('a', 9, 'writes no pictures of this ending'),
    ],
)
def test_pictures_that_no_format_holds(name, width, words, tmp_path, capfd):
    with pytest.raises(UserError, match=f'cannot write .*{name}: .*{words}'):
        write_image(tmp_path / name, np.zeros((2, width, 3), np.uint8))
    assert capfd.readouterr().err == ''  # OpenCV would tell more
    assert not any(tmp_path.iterdir())


def test_a_picture_comes_back_as_it_was(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    path = tmp_path / 'new' / 'ünï.png'
    write_image(path, image)
    assert np.array_equal(read_image(path), image)
    assert np.array_equal(cv2.imread(str(path)), image)


def test_a_jpeg_has_the_quality_that_is_asked_for(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    low, high = (tmp_path / f'{quality}.jpg' for quality in (20, 95))
    write_image(low, image, 20)
    write_image(high, image, 95)
    assert low.stat().st_size < high.stat().st_size / 2


def test_a_wide_strip_under_its_classes_stays_small():
    """Enlarged to the legend's height it would have 2 million columns."""
    image = np.zeros((3, 20_000, 3), np.uint8)
    labels = np.zeros((3, 20_000), np.uint8)
    drawn = show_classes(image, labels, ['road'], [[1, 2, 3]])
    assert drawn.shape[0] < 1000
    assert 20_000 < drawn.shape[1] < 21_000
    assert show_classes(
        image.transpose(1, 0, 2), labels.T, ['road'], [[1, 2, 3]]
    ).shape == (20_000, 3 + 190, 3)
