"""Where the persons of an image are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from litehrnet_mm.checking.coco_file import check_coco, read_json
from litehrnet_mm.cli import PictureError, UserError, counted, warn_user
from litehrnet_mm.values import are_numbers, is_id, is_number, shown

NOWHERE = np.zeros((0, 5), np.float32)


class Boxes:
    """Where persons are: maps an image's name and the image to boxes ``(N, 5)``.

    Left, top, right and bottom, in pixels, and a score.
    """

    def image_id(self, name: str) -> int | None:
        """The number of an image, if it is known: that which its name is."""
        stem = PurePosixPath(name).stem
        return int(stem) if stem.isdecimal() else None

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """The boxes of an image."""
        raise NotImplementedError


@dataclass(frozen=True)
class FileBoxes(Boxes):
    """Boxes from a file of COCO: detections, or annotations with their images.

    Detections name images by number. Without a list of images, an image has the number
    that its name is, as in COCO: ``000000000785.jpg`` is 785.

    Attributes:
        path: The file.
        by_id: By image the boxes ``(N, 5)``: left, top, right, bottom, score.
        ids: By file name the image's number, if the file tells.
    """

    path: Path
    by_id: Mapping[int, np.ndarray]
    ids: Mapping[str, int]

    @classmethod
    def read(cls, path: Path, min_score: float, category: int = 1) -> FileBoxes:
        """Read a file.

        Args:
            path: JSON; a list of detections, or an object with ``annotations``.
            min_score: Boxes below this score are left out.
            category: Whose boxes to take; 1 are COCO's persons.

        Raises:
            UserError: If it cannot be read, or has no box.
        """
        content = read_json(path)
        if isinstance(content, dict):
            check_coco(path, content)
        if not isinstance(content, (dict, list)):
            raise UserError(f"{path} is neither COCO's detections nor annotations")
        whole = isinstance(content, dict)
        found: dict[int, list[list[float]]] = {}
        empty = 0
        for number, box in enumerate(content['annotations'] if whole else content):
            _check_box(path, number, box)
            score = box.get('score', 1)
            wanted = box.get('category_id', category) == category
            if wanted and score >= min_score and not box.get('iscrowd'):
                x, y, w, h = box['bbox']
                if w <= 0 or h <= 0:
                    empty += 1
                    continue
                kept = found.setdefault(box['image_id'], [])
                kept.append([x, y, x + w, y + h, score])
        ids = _ids(path, content['images']) if whole else {}
        if empty:
            warn_user(f'{path}: {empty} boxes of no area are left out')
        if not found:
            raise UserError(
                f'{path} has no boxes of category {category} with a score of '
                f'{min_score:g} or more'
            )
        return cls(path, {k: np.array(v, np.float32) for k, v in found.items()}, ids)

    def image_id(self, name: str) -> int | None:
        """The number of an image, if it is known."""
        for key in (name, PurePosixPath(name).name):
            if key in self.ids:
                return self.ids[key]
        return super().image_id(name)

    def knows(self, name: str) -> bool:
        """Whether the file is about an image at all."""
        number = self.image_id(name)
        return number in self.by_id or number in self._numbers

    @cached_property
    def _numbers(self) -> frozenset[int]:
        """The images that the file lists."""
        return frozenset(self.ids.values())

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """The boxes of an image, those outside left out; none if the file has none."""
        boxes = self.by_id.get(self.image_id(name), NOWHERE)
        inside = ~_outside(boxes, image)
        if not inside.all():
            number = counted(len(boxes) - inside.sum(), 'box', 'boxes')
            warn_user(f'{self.path}: {number} outside {name} left out')
        return boxes[inside]


def _check_box(path: Path, number: int, box: Any) -> None:
    """Refuse an entry that says no box of an image."""
    if not isinstance(box, dict):
        fault = f'is a {type(box).__name__}, not an object'
    elif not are_numbers(box.get('bbox')) or len(box['bbox']) != 4:
        fault = f'has the bbox {shown(box.get("bbox"))}, not x, y, width and height'
    elif not is_id(box.get('image_id')):
        fault = f'has the image_id {shown(box.get("image_id"))}, not a whole number'
    elif not is_number(box.get('score', 1)):
        fault = f'has the score {shown(box["score"])}, not a number'
    elif not is_id(box.get('category_id', 1)):
        fault = f'has the category_id {shown(box["category_id"])}, not a whole number'
    elif box.get('iscrowd', 0) not in (0, 1):
        fault = f'has iscrowd {shown(box["iscrowd"])}, not 0 or 1'
    else:
        return
    raise UserError(f'boxes {path}: entry {number} {fault}')


def _ids(path: Path, images: list[Any]) -> dict[str, int]:
    """By file name the number of an image."""
    for number, image in enumerate(images):
        named = isinstance(image, dict) and isinstance(image.get('file_name'), str)
        if not named or not is_id(image.get('id')):
            raise UserError(f'boxes {path}: image {number} has no file_name or no id')
    ids = {image['file_name']: image['id'] for image in images}
    if len(ids) < len(images) or len(set(ids.values())) < len(images):
        raise UserError(f'boxes {path}: two images have one file_name or one id')
    return ids


@dataclass(frozen=True)
class SameBoxes(Boxes):
    """The same boxes in each image; without any the whole image.

    Attributes:
        boxes: x, y, width and height of each, in pixels.
    """

    boxes: Sequence[Sequence[float]]

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """Boxes ``(N, 5)``, of score 1.

        Raises:
            PictureError: If one lies outside the image.
        """
        height, width = image.shape[:2]
        listed = self.boxes or [(0, 0, width, height)]
        boxes = np.array([[x, y, x + w, y + h, 1] for x, y, w, h in listed], np.float32)
        for index in np.flatnonzero(_outside(boxes, image)):
            raise PictureError(
                f'--box {" ".join(f"{value:g}" for value in listed[index])} lies '
                f'outside {name}, which is {width}x{height} pixels'
            )
        return boxes


def _outside(boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Which boxes ``(N, 5)`` have nothing of an image in them: boolean, ``(N,)``."""
    height, width = image.shape[:2]
    left, top, right, bottom = boxes.T[:4]
    return (left >= width) | (top >= height) | (right <= 0) | (bottom <= 0)
