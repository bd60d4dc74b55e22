"""Small data sets in the layout of the real ones, made of a few real images.

COCO's and MPII's images, annotations and detected boxes are real. What the samples
lack is derived: head boxes from MPII's head joints, AI Challenger's keypoints from
COCO's, hands (21 points) from COCO's wrists. Synthetic people are drawn.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.io import savemat

from litehrnet_mm.datasets import make_people

# AI Challenger's first twelve keypoints as COCO's; then head top and neck.
AIC_LIMBS = (6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15)
AIC_IMAGES = 'ai_challenger_keypoint_train_20170902/keypoint_train_images_20170902'
LEFT_WRIST, RIGHT_WRIST = 9, 10


def make_roots(samples: Path, folder: Path) -> dict[str, str]:
    """Lay the data sets out.

    Args:
        samples: The folder ``mmpose_samples`` of the real data.
        folder: Where to make them.

    Returns:
        For each environment variable the folder that it is to name.
    """
    coco = json.loads((samples / 'coco/test_coco.json').read_text())
    names = ('coco', 'mpii', 'aic', 'custom', 'synthetic')
    roots = {name: folder / name for name in names}
    _make_coco(samples / 'coco', coco, roots['coco'])
    _make_mpii(samples / 'mpii', roots['mpii'])
    _link(samples / 'coco', roots['aic'] / AIC_IMAGES)
    _write(roots['aic'] / 'annotations/aic_train.json', _as_aic(coco))
    _link(samples / 'coco', roots['custom'] / 'images')
    for split in ('train', 'val'):
        path = roots['custom'] / f'annotations/{split}.json'
        _write(path, _with_keypoints(coco, _face))
    for seed, split in enumerate(('train', 'val')):
        make_people(roots['synthetic'] / split, 4, seed, persons=(1, 1))
    return {f'{name.upper()}_ROOT': str(root) for name, root in roots.items()}


def _make_coco(samples: Path, coco: dict, root: Path) -> None:
    for folder in ('train2017', 'val2017', 'test2017'):
        _link(samples, root / folder)
    hands = dict(coco, annotations=[_with_hands(a) for a in coco['annotations']])
    for split in ('train', 'val'):
        _write(root / f'annotations/person_keypoints_{split}2017.json', coco)
        _write(root / f'annotations/coco_wholebody_{split}_v1.0.json', hands)
    images = {key: coco[key] for key in ('info', 'licenses', 'images', 'categories')}
    _write(root / 'annotations/image_info_test-dev2017.json', images)
    boxes = json.loads((samples / 'test_coco_det_AP_H_56.json').read_text())
    sure = [box for box in boxes if box['score'] > 0.5]
    results = root / 'person_detection_results'
    _write(results / 'COCO_val2017_detections_AP_H_56_person.json', sure)
    _write(results / 'COCO_test-dev2017_detections_AP_H_609_person.json', sure)


def _make_mpii(samples: Path, root: Path) -> None:
    _link(samples, root / 'images')
    people = json.loads((samples / 'test_mpii.json').read_text())
    for split in ('train', 'val'):
        _write(root / f'annotations/mpii_{split}.json', people)
    # Upper neck (8) and head top (9) span the head; the first axis of the file's
    # array is the box's corner, then x and y, then the person.
    joints = np.array([person['joints'] for person in people])
    corners = np.stack([joints[:, 8:10].min(1), joints[:, 8:10].max(1)], 1)
    heads = np.transpose(corners, (1, 2, 0))
    savemat(root / 'annotations/mpii_gt_val.mat', dict(headboxes_src=heads))


def _as_aic(coco: dict) -> dict:
    def convert(points: np.ndarray) -> np.ndarray:
        top_and_neck = np.stack([points[0], (points[5] + points[6]) / 2])
        top_and_neck[:, 2] = 2
        return np.concatenate([points[list(AIC_LIMBS)], top_and_neck])

    return _with_keypoints(coco, convert)


def _face(points: np.ndarray) -> np.ndarray:
    return points[:5]


def _with_keypoints(coco: dict, convert) -> dict:
    """Annotations with other keypoints: ``convert`` maps arrays (K, 3)."""
    annotations = []
    for annotation in coco['annotations']:
        points = convert(np.array(annotation['keypoints'], float).reshape(-1, 3))
        visible = int((points[:, 2] > 0).sum())
        new = dict(keypoints=points.ravel().tolist(), num_keypoints=visible)
        annotations.append({**annotation, **new})
    # The categories go on naming COCO's seventeen: the config's count is what counts.
    return dict(coco, annotations=annotations)


def _with_hands(annotation: dict) -> dict:
    points = np.array(annotation['keypoints'], float).reshape(-1, 3)
    new = dict(annotation)
    for side, wrist in (('left', LEFT_WRIST), ('right', RIGHT_WRIST)):
        x, y, v = points[wrist]
        angles = np.linspace(0, 2 * np.pi, 21)
        hand = np.stack([x + 15 * np.cos(angles), y + 15 * np.sin(angles)], 1)
        hand = np.column_stack([hand, np.full(21, 2.0)])
        new[f'{side}hand_valid'] = bool(v)
        new[f'{side}hand_box'] = [x - 20, y - 20, 40, 40]
        new[f'{side}hand_kpts'] = hand.ravel().tolist()
    return new


def _link(target: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.resolve(), target_is_directory=True)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
