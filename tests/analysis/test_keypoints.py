"""Every number of the analysis, by hand or by COCO's own evaluation."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from made_up import AREA, KEYPOINTS, SIGMAS, annotation, pose, sample, write_set
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from running import LITE_CONFIG, on

from litehrnet_mm.analysis.keypoints import SIZES, analyse
from litehrnet_mm.analysis.matching import keypoint_similarities
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.config_file import load_config

NEAR, FAR = 2.0, 12.0  # pixels: of OKS 0.88 and 0.14 at these persons' size


@pytest.fixture
def config(repository, monkeypatch):
    """The COCO config on a data set of ours."""
    monkeypatch.chdir(repository)

    def load(folder, **options) -> Config:
        pairs = dict(option.split('=', 1) for option in on(folder, 'test'))
        pairs['test_dataloader.dataset.bbox_file'] = None
        return load_config(LITE_CONFIG, {**pairs, **options})

    return load


def people() -> tuple[list[dict], list[dict]]:
    """Four persons and a crowd on two images, and what was predicted there."""
    places = [pose(10, 10, 1), pose(70, 10, 2), pose(140, 10, 3), pose(10, 110, 4)]
    crowd = dict(iscrowd=1, keypoints=[0] * 3 * KEYPOINTS, num_keypoints=0)
    annotations = [
        annotation(1, 1, places[0]),
        annotation(2, 1, places[1]),
        annotation(3, 1, places[2]),
        annotation(4, 2, places[3]),
        annotation(5, 2, pose(100, 100, 5), **crowd),
    ]
    predictions = [
        sample(1, 1, places[0] + [NEAR, 0], 0.9),
        sample(2, 1, places[1] + [0, FAR], 0.8),
        sample(3, 2, pose(100, 100, 6), 0.7),  # on the crowd
        sample(4, 2, pose(5, 5, 7), 0.6),  # nobody's
        sample(5, 1, places[0] + [2 * NEAR, 2 * NEAR], 0.5),  # a second, worse one
    ]
    return annotations, predictions


def similarity(distance: float, sigmas: np.ndarray = SIGMAS) -> np.ndarray:
    """What the COCO page says, with the area that the annotations have."""
    return np.exp(-(distance**2) / (2 * (AREA / 2) * (2 * sigmas) ** 2))


def test_similarity_by_hand():
    # d² / (2 s² k²) = 25 / (2 · 100 · 0.25) = 0.5
    distances = np.array([0.0, 5.0, np.nan])
    found = keypoint_similarities(distances, 100.0, np.array([0.1, 0.25, 0.1]))
    assert found[:2] == pytest.approx([1, np.exp(-0.5)], rel=1e-12)
    assert np.isnan(found[2])


def test_who_is_found_and_how_well(config, tmp_path):
    annotations, predictions = people()
    write_set(tmp_path / 'set', annotations)
    found = analyse(config(tmp_path / 'set'), predictions)
    states = {one.annotation['id']: one.state for one in found.persons}
    assert states == {1: 'matched', 2: 'inaccurate', 3: 'missed', 4: 'missed'}
    oks = {one.annotation['id']: one.oks for one in found.persons}
    assert oks[1] == pytest.approx(similarity(NEAR).mean(), rel=1e-5)
    assert oks[2] == pytest.approx(similarity(FAR).mean(), rel=1e-5)
    assert oks[3] == oks[4] == 0
    # The second prediction for person 1 and the one of nobody; not that on the crowd.
    assert sorted(one['image_id'] for one in found.false) == [1, 2]
    assert [one.annotation['id'] for one in found.worst(3)] == [3, 4, 2]
    assert (found.images, found.unpredicted_images) == (2, 0)


def test_keypoints_by_hand(config, tmp_path):
    annotations, predictions = people()
    annotations[0]['keypoints'][2] = 0  # the nose of person 1 is not labelled
    write_set(tmp_path / 'set', annotations)
    found = analyse(config(tmp_path / 'set'), predictions)
    nose, eye = found.keypoints[:2]
    assert (nose.name, nose.labelled, nose.predicted) == ('nose', 3, 1)
    assert nose.mean_similarity == pytest.approx(similarity(FAR)[0], rel=1e-4)
    assert nose.below_half == 1
    assert nose.median_error == pytest.approx(FAR, abs=1e-4)
    assert (eye.labelled, eye.predicted) == (4, 2)
    assert eye.mean_similarity == pytest.approx(
        (similarity(NEAR)[1] + similarity(FAR)[1]) / 2, rel=1e-4
    )
    assert eye.median_error == pytest.approx((NEAR + FAR) / 2, abs=1e-4)
    root = np.sqrt(AREA / 2)
    assert eye.median_relative_error == pytest.approx(eye.median_error / root, rel=1e-9)


def test_sizes_agree_with_pycocotools(config, tmp_path):
    """Persons of many sizes, predicted with noise; AP and AR of each range."""
    rng = np.random.default_rng(0)
    annotations, predictions, results = [], [], []
    for number in range(1, 41):
        image, area = (number + 1) // 2, float(rng.uniform(20, 300) ** 2)
        points = pose(10 + 100 * (number % 2), 30, number)
        annotations.append(annotation(number, image, points, area=area))
        noise = rng.normal(0, 0.06 * np.sqrt(area) * rng.uniform(0, 2), points.shape)
        moved = (points + noise).astype(np.float32)
        score = float(rng.uniform(0.3, 1))
        predictions.append(sample(number, image, moved, score))
        flat = np.column_stack([moved, np.full(KEYPOINTS, score)]).ravel().tolist()
        one = dict(image_id=image, category_id=1, keypoints=flat, score=score)
        results.append(one)
    truth = write_set(tmp_path / 'set', annotations, images=20)
    found = analyse(config(tmp_path / 'set'), predictions)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        evaluator = COCOeval(coco, coco.loadRes(results), 'keypoints')
        evaluator.params.areaRng = [[low**2, high**2] for _, low, high in SIZES]
        evaluator.params.areaRngLbl = [name for name, _, _ in SIZES]
        evaluator.evaluate()
        evaluator.accumulate()
    assert found.metrics['coco/AP'] == pytest.approx(found.sizes[0].ap, abs=1e-9)
    assert found.metrics['coco/AP (L)'] == pytest.approx(found.sizes[2].ap, abs=1e-9)
    for index, size in enumerate(found.sizes):
        precision = evaluator.eval['precision'][:, :, 0, index, 0]
        recall = evaluator.eval['recall'][:, 0, index, 0]
        inside = sum(
            (size.least**2 <= one['area'] <= (size.most or 1e5) ** 2)
            for one in annotations
        )
        assert size.persons == inside
        if inside:
            assert size.ap == pytest.approx(precision.mean(), abs=1e-6)
            assert size.ar == pytest.approx(recall.mean(), abs=1e-6)
        else:
            assert size.ap is size.ar is None
    assert 0.2 < found.sizes[0].ap < 0.95
    for person in found.persons:
        key = person.annotation['image_id'], 1
        if person.predicted is not None:
            assert np.isclose(evaluator.ious[key], person.oks, atol=1e-6).any()


def test_areas_from_boxes_where_the_metric_says_so(config, tmp_path):
    write_set(tmp_path / 'set', [annotation(1, 1, pose(10, 10))])
    cfg = config(tmp_path / 'set', **{'test_evaluator.use_area': False})
    (person,) = analyse(cfg, [sample(1, 1, pose(15, 10))]).persons
    assert person.area == pytest.approx(0.53 * AREA)


def test_annotations_of_the_data_set_serve_where_the_metric_names_none(
    config, tmp_path
):
    write_set(tmp_path / 'set', [annotation(1, 1, pose(10, 10))])
    cfg = config(tmp_path / 'set', **{'test_evaluator.ann_file': None})
    found = analyse(cfg, [sample(1, 1, pose(10, 10))])
    assert found.metrics['coco/AP'] == pytest.approx(1, abs=1e-9)


def test_keypoints_of_a_users_own(config, tmp_path):
    """Five keypoints with names, sigmas and colours of their own."""
    points = pose(10, 10)[:5]
    write_set(tmp_path / 'set', [annotation(1, 1, points)])
    own = dict(
        dataset_name='own',
        keypoint_info={
            i: dict(name=f'part_{i}', id=i, color=[9 * i, 0, 0], type='', swap='')
            for i in range(5)
        },
        skeleton_info={0: dict(link=('part_0', 'part_4'), id=0, color=[0, 9, 0])},
        joint_weights=[1.0] * 5,
        sigmas=[0.05] * 5,
    )
    cfg = config(tmp_path / 'set', **{'test_dataloader.dataset.metainfo': own})
    found = analyse(cfg, [sample(1, 1, pose(13, 14)[:5])])
    assert [one.name for one in found.keypoints] == [f'part_{i}' for i in range(5)]
    expected = similarity(5.0, np.full(5, 0.05))
    assert found.persons[0].similarities == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (dict(img_id=99), 'no image 99'),
        (dict(raw_ann_info=dict(id=99, bbox=[0, 0, 1, 1])), 'person 99 on image 1'),
        (dict(raw_ann_info=dict(id=1, bbox=[0, 0, 1, 1])), 'person 1 on image 1'),
    ],
)
def test_predictions_of_another_data_set(config, tmp_path, change, words):
    write_set(tmp_path / 'set', [annotation(1, 1, pose(10, 10))])
    other = {**sample(1, 1, pose(10, 10)), **change}
    with pytest.raises(UserError, match=f'not of this data set: .*{words}'):
        analyse(config(tmp_path / 'set'), [other])


def test_predictions_of_other_keypoints(config, tmp_path):
    write_set(tmp_path / 'set', [annotation(1, 1, pose(10, 10))])
    with pytest.raises(UserError, match='5 keypoints and the data set 17'):
        analyse(config(tmp_path / 'set'), [sample(1, 1, pose(10, 10)[:5])])


def test_annotations_without_keypoints(config, tmp_path):
    nobody = annotation(1, 1, pose(10, 10), keypoints=[0] * 51, num_keypoints=0)
    write_set(tmp_path / 'set', [nobody])
    with pytest.raises(UserError, match='no person with labelled keypoints'):
        analyse(config(tmp_path / 'set'), [sample(1, 1, pose(10, 10))])
