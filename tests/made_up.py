"""A small data set of made-up people in COCO's format, with made-up predictions."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import cv2
import numpy as np

SIZE = 200  # of the images
KEYPOINTS = 17
AREA = 40 * 80  # of a person, by its box; the annotations say half of that
SIGMAS = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
)
SIGMAS = SIGMAS / 1000  # of COCO's keypoints, https://cocodataset.org


def pose(x: float, y: float, seed: int = 0) -> np.ndarray:
    """Keypoints at random places in the box of 40×80 pixels at (x, y)."""
    places = np.random.default_rng(seed).uniform((0, 0), (40, 80), (KEYPOINTS, 2))
    return np.round(places + np.array([x, y]), 1)


def annotation(number: int, image: int, points: np.ndarray, **more) -> dict:
    """A person with all keypoints labelled."""
    x, y = (float(value) for value in points.min(axis=0))
    labelled = np.column_stack([points, np.full(len(points), 2)])
    person = dict(
        id=number,
        image_id=image,
        category_id=1,
        bbox=[x, y, 40.0, 80.0],
        area=AREA / 2,
        iscrowd=0,
        num_keypoints=len(points),
        keypoints=labelled.ravel().tolist(),
    )
    return {**person, **more}


def sample(
    number: int, image: int, points: np.ndarray, score: float = 0.9, **more
) -> dict:
    """A predicted person, as ``tools/test.py --dump`` writes it."""
    low, high = points.min(axis=0), points.max(axis=0)
    box = np.array([[*low, *high]], np.float32)
    return dict(
        id=number,
        img_id=image,
        img_path=f'{image:012}.jpg',
        category_id=np.array(1),
        pred_instances=dict(
            keypoints=points[None].astype(np.float32),
            keypoint_scores=np.full((1, len(points)), score, np.float32),
            bboxes=box,
        ),
        gt_instances=dict(
            bboxes=box,
            bbox_scores=np.ones(1, np.float32),
            bbox_scales=(high - low)[None].astype(np.float32),
        ),
        **more,
    )


def write_set(folder: Path, annotations: list[dict], images: int = 2) -> Path:
    """Write images 1, 2, … and annotations as the tests' small COCO has them."""
    (folder / 'images').mkdir(parents=True)
    entries = []
    for number in range(1, images + 1):
        name = f'{number:012}.jpg'
        image = np.full((SIZE, SIZE, 3), 20 * number, np.uint8)
        assert cv2.imwrite(str(folder / 'images' / name), image)
        entries.append(dict(id=number, file_name=name, width=SIZE, height=SIZE))
    categories = [dict(id=1, name='person')]
    content = dict(images=entries, annotations=annotations, categories=categories)
    path = folder / 'person_keypoints_val.json'
    path.write_text(json.dumps(content))
    return path


def write_dump(path: Path, samples: object) -> Path:
    """Write predictions as MMEngine's ``DumpResults`` does."""
    path.write_bytes(pickle.dumps(samples, protocol=2))
    return path
