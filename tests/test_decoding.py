"""Pictures are decoded; whatever their name, they are not run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import EpsImagePlugin

from litehrnet_mm.checking.images import look_at_image
from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation.files import image_size, read_ids, read_rgb
from litehrnet_mm.engine.mask_files import check_headers, check_sums
from litehrnet_mm.visualization import read_image

POSTSCRIPT = (
    b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n'
    b'(code) print\nshowpage\n'
)


@pytest.fixture
def trace(tmp_path, monkeypatch):
    """What there is once Ghostscript was started: a stand-in for it is on the path."""
    path, program = tmp_path / 'trace', tmp_path / 'bin' / 'gs'
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {path}\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, 'gs_binary', None)  # it is looked for again
    return path


def look(path: Path) -> None:
    raise UserError(look_at_image(path).reason)


def headers(path: Path) -> None:
    check_headers(dict(img_path=str(path), seg_map_path=str(path)))


READERS = dict(
    read_image=read_image, look=look, headers=headers, read_ids=read_ids,
    sums=lambda path: check_sums(str(path)), read_rgb=read_rgb, size=image_size,
)  # fmt: skip


@pytest.mark.parametrize('reader', READERS)
def test_postscript_that_passes_for_a_picture_is_not_run(reader, tmp_path, trace):
    path = tmp_path / 'photo.jpg'
    path.write_bytes(POSTSCRIPT)
    with pytest.raises((UserError, ValueError)) as refused:
        READERS[reader](path)
    assert str(refused.value).isprintable()
    assert not trace.exists()


def test_each_place_that_opens_pictures_says_which(repository):
    calls = [
        call
        for folder in ('litehrnet_mm', 'tools')
        for path in (repository / folder).rglob('*.py')
        for call in re.findall(r'\bImage\.open\(.*', path.read_text())
    ]
    assert len(calls) > 5
    assert all('formats=FORMATS)' in call for call in calls)
