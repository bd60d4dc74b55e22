"""ONNX files: they compute what the model computes, and say what they are."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.config import Config
from mmpose.codecs import MSRAHeatmap
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from nets import random_images, randomise, tiny_extra

from litehrnet_mm.cli import UserError
from litehrnet_mm.deploy import verify
from litehrnet_mm.deploy.export import export
from litehrnet_mm.deploy.graphs import HeatmapDecoder, Normalisation
from litehrnet_mm.deploy.plan import Plan, Wanted
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.prediction.onnx_check import check_onnx

POSE = 'configs/pose/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
SEG = 'configs/seg/cityscapes/fcn_litehrnet-18_4xb4-160k_cityscapes-512x1024.py'
SIZE = (96, 64)
IMAGE = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def tiny(repository, path: str, **settings):
    """A narrow net in a real config, with random weights; and the config."""
    cfg = Config.fromfile(repository / path)
    cfg.model.backbone.arch = tiny_extra()
    head = cfg.model.get('head') or cfg.model.get('decode_head')
    head.in_channels = 8 if path == POSE else [8, 16, 24, 32]
    cfg.merge_from_dict(settings)
    model = randomise(build_model(cfg, path))
    return model.train(False), cfg


@pytest.mark.parametrize('dynamic', ['', 'batch', 'all'])
@pytest.mark.parametrize(
    ('path', 'wanted', 'names'),
    [
        (POSE, Wanted(), ['heatmaps']),
        (POSE, Wanted(decode=True, preprocess=True), ['keypoints', 'scores']),
        (POSE, Wanted(backbone_only=True), ['branch_0']),
        (SEG, Wanted(), ['logits']),
        (SEG, Wanted(label_map=True, preprocess=True), ['labels']),
        (SEG, Wanted(backbone_only=True), [f'branch_{i}' for i in range(4)]),
    ],
)
def test_files_compute_what_the_model_computes(
    repository, tmp_path, path, wanted, names, dynamic
):
    model, cfg = tiny(repository, path)
    out = tmp_path / 'net.onnx'
    worst = export(model, cfg, out, Plan(SIZE, wanted, dynamic))
    assert worst <= (0.05 if wanted.decode else 1e-4)
    check_onnx(out)
    assert [x.name for x in tmp_path.iterdir()] == ['net.onnx']
    session = onnxruntime.InferenceSession(str(out))
    assert [y.name for y in session.get_outputs()] == names
    (image,) = session.get_inputs()
    assert image.type == ('tensor(uint8)' if wanted.preprocess else 'tensor(float)')
    batch, *sides = image.shape
    free = [side for side in sides if isinstance(side, str)]
    assert isinstance(batch, str) == bool(dynamic)
    assert free == (['height', 'width'] if dynamic == 'all' else [])


@pytest.mark.parametrize('opset', [11, 12, 13, 18])
@pytest.mark.parametrize(
    ('path', 'wanted'),
    [
        (POSE, Wanted(decode=True, preprocess=True)),
        (SEG, Wanted(label_map=True, preprocess=True)),
    ],
)
def test_operators_of_other_versions_are_known(
    repository, tmp_path, path, wanted, opset
):
    model, cfg = tiny(repository, path)
    out = tmp_path / 'net.onnx'
    export(model, cfg, out, Plan(SIZE, wanted, 'all', opset=opset))
    check_onnx(out)


@pytest.mark.parametrize('rewritten', [True, False])
def test_no_pooling_that_older_runtimes_get_wrong(repository, tmp_path, rewritten):
    """ONNX Runtime before 1.29 counts pixels outside of an image in such windows."""
    model, cfg = tiny(repository, SEG)
    out = tmp_path / 'net.onnx'
    if rewritten:
        export(model, cfg, out, Plan(SIZE, dynamic='all'))
    else:
        image = torch.zeros(1, 3, 105, 71)
        torch.onnx.export(model.backbone, (image,), out, dynamo=False)
    found = [
        {item.name: item.i for item in node.attribute}
        for node in onnx.load(out).graph.node
        if node.op_type == 'AveragePool'
    ]
    assert [pool for pool in found if pool['ceil_mode']]
    assert not [p for p in found if p['ceil_mode'] and p.get('count_include_pad')]


def test_files_for_openvino_are_known(repository, tmp_path):
    model, cfg = tiny(repository, POSE)
    out = tmp_path / 'net.onnx'
    export(model, cfg, out, Plan(SIZE, dynamic='all', runtime='openvino'))
    check_onnx(out)


def test_half_precision(repository, tmp_path):
    model, cfg = tiny(repository, POSE)
    sizes = []
    for precision in ('fp32', 'fp16'):
        out = tmp_path / f'{precision}.onnx'
        worst = export(model, cfg, out, Plan(SIZE, precision=precision))
        weights = onnx.load(str(out)).graph.initializer
        sizes.append(sum(len(w.raw_data) for w in weights))
        assert worst <= dict(fp32=1e-4, fp16=2e-2)[precision]
        check_onnx(out)
    assert sizes[1] < 0.6 * sizes[0]


def test_a_file_tells_what_it_is(repository, tmp_path):
    facts = {}
    for path in (POSE, SEG):
        model, cfg = tiny(repository, path)
        export(model, cfg, tmp_path / 'net.onnx', Plan(SIZE))
        properties = onnx.load(str(tmp_path / 'net.onnx')).metadata_props
        facts[path] = {
            p.key.removeprefix('litehrnet_mm.'): json.loads(p.value) for p in properties
        }
    pose, seg = facts[POSE], facts[SEG]
    assert pose['task'] == 'pose'
    assert pose['keypoints'][:2] == ['nose', 'left_eye']
    assert pose['skeleton'][0] == [15, 13]
    assert pose['flip_pairs'][1] == 2
    assert pose['codec']['type'] == 'MSRAHeatmap'
    assert pose['input_size'] == seg['input_size'] == list(SIZE)
    assert pose['mean'] == seg['mean'] == IMAGE['mean']
    assert pose['std'] == IMAGE['std']
    assert pose['rgb'] is True
    assert seg['task'] == 'segmentation'
    assert seg['classes'][0] == 'road'
    assert seg['palette'][0] == [128, 64, 128]


def test_a_file_that_computes_something_else_is_not_kept(
    repository, tmp_path, monkeypatch
):
    model, cfg = tiny(repository, POSE)
    out = tmp_path / 'net.onnx'
    out.write_bytes(b'an older file')
    monkeypatch.setitem(verify.TOLERANCE, 'fp32', -1)
    with pytest.raises(UserError, match='computes something else: heatmaps differs by'):
        export(model, cfg, out, Plan(SIZE))
    assert out.read_bytes() == b'an older file'
    assert list(tmp_path.iterdir()) == [out]


def test_a_difference_that_is_no_number_is_too_much():
    expected = np.ones((1, 2), np.float32)
    apart, allowed = verify.difference('heatmaps', expected * np.nan, expected, 'fp32')
    assert not apart <= allowed
    apart, allowed = verify.difference('heatmaps', expected[:, :1], expected, 'fp32')
    assert apart > allowed
    labels = np.array([[1, 2, 3, 4]])
    assert verify.difference('labels', labels, labels[:, ::-1], 'fp32')[0] == 1


@pytest.mark.parametrize(
    ('path', 'wanted', 'settings', 'words'),
    [
        (POSE, Wanted(label_map=True), {}, '--label-map is for segmentation'),
        (SEG, Wanted(decode=True), {}, '--decode is for pose'),
        (
            POSE,
            Wanted(decode=True),
            {'model.head.decoder.unbiased': True},
            r'--decode .* the config has MSRAHeatmap \(unbiased\)',
        ),
        (
            POSE,
            Wanted(),
            {'model.backbone.norm_cfg': dict(type='GN', num_groups=1)},
            'cannot be exported: only BatchNorm can be folded',
        ),
    ],
)
def test_what_cannot_be_exported(repository, tmp_path, path, wanted, settings, words):
    model, cfg = tiny(repository, path, **settings)
    with pytest.raises(UserError, match=words):
        export(model, cfg, tmp_path / 'net.onnx', Plan(SIZE, wanted))
    assert not any(tmp_path.iterdir())


def test_decoding_is_that_of_mmpose():
    codec = MSRAHeatmap(input_size=(48, 64), heatmap_size=(12, 16), sigma=2)
    heatmaps = random_images(3, 5, 16, 12)
    heatmaps[0, 0] = -1  # no heat
    for k, (y, x) in enumerate([(0, 0), (15, 11), (1, 1), (0, 5), (7, 0)]):
        heatmaps[1, k, y, x] = 9  # corners and borders
    points, scores = HeatmapDecoder((4.0, 4.0))(heatmaps)
    for image, found, score in zip(heatmaps, points, scores):
        expected, values = codec.decode(image.numpy())
        np.testing.assert_allclose(found, expected[0], atol=1e-5)
        np.testing.assert_array_equal(score, values[0])


def test_preprocessing_is_that_of_mmpose():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    found = Normalisation(dict(IMAGE, bgr_to_rgb=True))(torch.from_numpy(images))
    preprocess = PoseDataPreprocessor(**IMAGE, bgr_to_rgb=True)
    batch = [torch.from_numpy(image).permute(2, 0, 1) for image in images]
    expected = preprocess(dict(inputs=batch, data_samples=[]))['inputs']
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
