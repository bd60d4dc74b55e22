"""Where the persons of an image are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from litehrnet_mm.cli import UserError

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
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            images = content['images'] if isinstance(content, dict) else []
            boxes = content['annotations'] if isinstance(content, dict) else content
            found: dict[int, list[list[float]]] = {}
            for box in boxes:
                score = float(box.get('score', 1))
                wanted = box.get('category_id', category) == category
                if wanted and score >= min_score and not box.get('iscrowd'):
                    x, y, w, h = map(float, box['bbox'])
                    kept = found.setdefault(int(box['image_id']), [])
                    kept.append([x, y, x + w, y + h, score])
            ids = {image['file_name']: int(image['id']) for image in images}
        except OSError as error:
            raise UserError(f'boxes {path} cannot be read: {error.strerror}') from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} cannot be read as COCO's detections or annotations: {error!r}"
            ) from error
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

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """The boxes of an image; none if the file has none for it."""
        return self.by_id.get(self.image_id(name), NOWHERE)


@dataclass(frozen=True)
class SameBoxes(Boxes):
    """The same boxes in each image; without any the whole image.

    Attributes:
        boxes: x, y, width and height of each, in pixels.
    """

    boxes: Sequence[Sequence[float]]

    def __call__(self, name: str, image: np.ndarray) -> np.ndarray:
        """Boxes ``(N, 5)``, of score 1."""
        height, width = image.shape[:2]
        listed = self.boxes or [(0, 0, width, height)]
        return np.array([[x, y, x + w, y + h, 1] for x, y, w, h in listed], np.float32)
