"""What was found, as pictures, films and JSON."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from litehrnet_mm.cli import PictureError, UserError, counted, make_folder
from litehrnet_mm.evaluation.scores import pose_score
from litehrnet_mm.files import write_whole
from litehrnet_mm.prediction.boxes import Boxes
from litehrnet_mm.prediction.networks import Network
from litehrnet_mm.prediction.sources import Frame, check_name
from litehrnet_mm.runtime.model import ImageError
from litehrnet_mm.visualization import PoseStyle, as_annotation, draw_people
from litehrnet_mm.visualization.labels import class_shares, show_classes
from litehrnet_mm.visualization.pictures import write_image
from litehrnet_mm.writing import PART


class PoseResults:
    """Poses of persons, and what is written of them.

    Args:
        network: Finds them.
        boxes: Where persons are.
        min_score: Poses below this score are written to the JSON file, but not drawn.

    Attributes:
        records: COCO's results, a person each, with the file's name beside.
    """

    file = 'keypoints.json'

    def __init__(self, network: Network, boxes: Boxes, min_score: float) -> None:
        self.network, self.boxes, self.min_score = network, boxes, min_score
        self.style = PoseStyle.by_side(network.keypoints, network.skeleton)
        self.records: list[dict[str, Any]] = []
        self.images = 0

    def add(self, frame: Frame) -> np.ndarray:
        """Predict on an image, and draw what was found.

        Raises:
            PictureError: If the image is at fault.
        """
        boxes = _find(frame, self.boxes, frame.name, frame.image)
        _check_finite(frame, boxes)
        points, scores = _find(frame, self.network, frame.image, boxes[:, :4])
        _check_finite(frame, points, scores)
        image_id = self.boxes.image_id(frame.name)
        people = []
        for box, keypoints, values in zip(boxes, points, scores):
            left, top, right, bottom, sure = map(float, box)
            bbox = [left, top, right - left, bottom - top]
            score = pose_score(sure, values)
            triples = np.column_stack((keypoints, values)).ravel()
            self.records.append(
                dict(
                    image_id=self.images if image_id is None else image_id,
                    category_id=1,
                    keypoints=[round(float(value), 4) for value in triples],
                    score=score,
                    bbox=bbox,
                    file_name=frame.name,
                )
            )
            if score >= self.min_score:
                people.append(as_annotation(keypoints, values, bbox))
        self.images += 1
        return draw_people(frame.image, people, self.style)

    def content(self) -> list[dict[str, Any]]:
        """What goes into the JSON file."""
        return self.records

    def summary(self) -> str:
        """A line about all."""
        poses = counted(len(self.records), 'pose')
        return f'{poses} in {counted(self.images, "image")}'


class LabelResults:
    """Classes of pixels, and what is written of them.

    Args:
        network: Finds them.
        folder: Where label maps go, as PNG; nowhere if not given.
    """

    file = 'classes.json'

    def __init__(self, network: Network, folder: Path | None) -> None:
        self.network, self.folder = network, folder
        self.shares: dict[str, dict[str, float]] = {}

    def add(self, frame: Frame) -> np.ndarray:
        """Predict on an image, write its label map, and draw what was found.

        Raises:
            PictureError: If the image is at fault.
            UserError: If the label map cannot be written.
        """
        labels = _find(frame, self.network, frame.image)
        if self.folder:
            write_image((self.folder / frame.name).with_suffix('.png'), labels)
        names = self.network.classes
        shares = class_shares(labels, len(names))
        self.shares[frame.name] = {
            name: round(float(share), 6) for name, share in zip(names, shares) if share
        }
        return show_classes(frame.image, labels, names, self.network.palette)

    def content(self) -> dict[str, Any]:
        """What goes into the JSON file."""
        if not self.shares:
            return {}
        return dict(classes=self.network.classes, share_of_pixels=self.shares)

    def summary(self) -> str:
        """A line about all."""
        return f'classes of the pixels of {counted(len(self.shares), "image")}'


def _find(frame: Frame, network: Network | Boxes, *given: Any) -> Any:
    """What a network finds in an image, of what it is given.

    Raises:
        PictureError: If the image is at fault.
    """
    try:
        return network(*given)
    except ImageError as error:
        raise PictureError(f'image {frame.name}: {error}') from error


def _check_finite(frame: Frame, *found: np.ndarray) -> None:
    """Refuse what can neither be drawn nor written to a file.

    Raises:
        PictureError: If a number is not finite.
    """
    if not all(np.isfinite(numbers).all() for numbers in found):
        raise PictureError(
            f'image {frame.name}: what was found has numbers that are not finite'
        )


class FilmWriter:
    """An MP4 file, whose size is that of its first image.

    It has its name, and replaces an older one, only once it is whole.

    Args:
        path: The file.
        rate: Images a second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        check_name(path)
        self.path, self.rate = path, rate
        # FFmpeg goes by the ending.
        self.partial = path.with_name(f'{path.stem}{PART}{path.suffix}')
        self.writer: cv2.VideoWriter | None = None
        self.images = 0

    def add(self, image: np.ndarray) -> None:
        """Write an image.

        Raises:
            UserError: If the file cannot be written.
        """
        if self.writer is None:
            make_folder(self.path.parent)
            code = cv2.VideoWriter_fourcc(*'mp4v')
            size = image.shape[1::-1]
            writer = cv2.VideoWriter(str(self.partial), code, self.rate, size)
            if not writer.isOpened():
                raise UserError(f'cannot write video {self.path}')
            self.writer = writer
        self.writer.write(image)
        self.images += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            UserError: If not all images are in it, of which OpenCV says nothing.
        """
        if self.writer is None:
            return
        self.writer.release()
        capture = cv2.VideoCapture(str(self.partial))
        written = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        try:
            if written != self.images:
                raise UserError(
                    f'cannot write video {self.path}: {written} of '
                    f'{counted(self.images, "image")} could be written; is the disk '
                    'full?'
                )
            os.replace(self.partial, self.path)
        except OSError as error:
            raise UserError(f'cannot write {self.path}: {error.strerror}') from error
        finally:
            with suppress(OSError):  # which is not there if all went well
                self.partial.unlink()


def write_picture(folder: Path, frame: Frame, drawn: np.ndarray) -> None:
    """Write a picture under the name of its image, as JPEG."""
    write_image((folder / frame.name).with_suffix('.jpg'), drawn)


def write_json(path: Path, content: Any) -> None:
    """Write a file as a whole or not at all."""
    write_whole(path, (json.dumps(content, allow_nan=False) + '\n').encode())
