"""The small runtime labels pixels as MMSegmentation does."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.apis import inference_model
from nets import randomise, settle, tiny_extra
from PIL import Image

from litehrnet_mm.deploy.export import export
from litehrnet_mm.deploy.plan import Plan, Wanted
from litehrnet_mm.deploy.verify import sample_images
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.runtime import PoseRuntime, SegRuntime

CONFIG = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'


@pytest.fixture(scope='module')
def frames(shared_data) -> list[np.ndarray]:
    """Real street scenes, 360x480."""
    paths = sorted((shared_data / 'camvid_mini/images/val').glob('*.png'))[:4]
    return [cv2.imread(str(path)) for path in paths]


@pytest.fixture(scope='module')
def model(repository):
    """A narrow net that sees structure in images, if not what it is."""
    cfg = Config.fromfile(repository / CONFIG)
    cfg.model.backbone.arch = tiny_extra()
    cfg.model.decode_head.in_channels = [8, 16, 24, 32]
    model = randomise(build_model(cfg, CONFIG))
    images = model.data_preprocessor(
        dict(inputs=[_tensor(x[0]) for x in sample_images((96, 128))])
    )['inputs']
    settle(model.backbone, images)
    model.cfg = cfg
    return model.train(False)


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)


@pytest.mark.parametrize(
    ('size', 'dynamic', 'wanted'),
    [
        ((360, 480), '', Wanted()),
        ((360, 480), '', Wanted(label_map=True, preprocess=True)),
        ((64, 64), 'all', Wanted(preprocess=True)),
    ],
)
def test_labels_are_those_of_mmsegmentation(
    model, frames, tmp_path, size, dynamic, wanted
):
    out = tmp_path / 'net.onnx'
    export(model, model.cfg, out, Plan(size, wanted, dynamic))
    segment = SegRuntime(out)
    assert segment.classes[:2] == ['sky', 'building']
    assert segment.palette[0] == [128, 128, 128]
    seen = set()
    for frame in frames:
        with DefaultScope.overwrite_default_scope('mmseg'):
            sample = inference_model(model, frame)
        expected = sample.pred_sem_seg.data[0].numpy()
        labels = segment(frame)
        assert labels.shape == expected.shape
        assert labels.dtype == np.uint8
        assert (labels == expected).mean() >= 0.9999
        seen |= set(np.unique(labels))
    assert len(seen) > 2


@pytest.mark.parametrize('keep_ratio', [True, False])
def test_images_are_resized_as_the_test_pipeline_does(
    model, frames, tmp_path, keep_ratio
):
    resize = dict(type='Resize', scale=(400, 200), keep_ratio=keep_ratio)
    cfg = copy.deepcopy(model.cfg)
    cfg.test_dataloader.dataset.pipeline.insert(1, resize)
    cfg.test_pipeline.insert(1, resize)  # which MMSegmentation's API takes
    export(model, cfg, tmp_path / 'net.onnx', Plan((64, 96), dynamic='all'))
    segment = SegRuntime(tmp_path / 'net.onnx')
    resized = copy.deepcopy(model)
    resized.cfg = cfg
    for frame in (frames[0], np.ascontiguousarray(frames[1][:, :300])):
        with DefaultScope.overwrite_default_scope('mmseg'):
            sample = inference_model(resized, frame)
        expected = sample.pred_sem_seg.data[0].numpy()
        assert (segment(frame) == expected).mean() >= 0.9999


@pytest.mark.parametrize('wanted', [Wanted(), Wanted(label_map=True)])
def test_two_classes_by_one_output(repository, frames, tmp_path, wanted):
    cfg = Config.fromfile(repository / CONFIG)
    cfg.model.decode_head = dict(
        type='FCNHead',
        num_convs=0,
        concat_input=False,
        in_channels=[8, 16, 24, 32],
        in_index=[0, 1, 2, 3],
        input_transform='resize_concat',
        channels=80,
        num_classes=2,
        out_channels=1,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True),
    )
    cfg.model.backbone.arch = tiny_extra()
    torch.manual_seed(0)
    model = build_model(cfg, CONFIG).train(False)
    model.cfg = cfg
    with DefaultScope.overwrite_default_scope('mmseg'):
        middle = inference_model(model, frames[0]).seg_logits.data.median()
        threshold = float(middle)  # a probability; else all are of one class
        model.decode_head.threshold = cfg.model.decode_head.threshold = threshold
        sample = inference_model(model, frames[0])
    out = tmp_path / 'net.onnx'
    export(model, cfg, out, Plan((360, 480), wanted))
    expected = sample.pred_sem_seg.data[0].numpy()
    assert set(np.unique(expected)) == {0, 1}
    assert (SegRuntime(out)(frames[0]) == expected).mean() >= 0.9999


def test_other_sizes_are_brought_to_that_of_the_file(model, frames, tmp_path):
    out = tmp_path / 'net.onnx'
    export(model, model.cfg, out, Plan((180, 240)))
    small = np.array(Image.fromarray(frames[0]).resize((97, 61)))
    assert SegRuntime(out)(small).shape == (61, 97)
    with pytest.raises(ValueError, match='is for segmentation, not for pose'):
        PoseRuntime(out)
