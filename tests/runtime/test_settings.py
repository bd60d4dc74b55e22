"""What the runtime is told to compute with reaches the library that computes."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from litehrnet_mm import runtime
from litehrnet_mm.runtime import PoseRuntime, model
from litehrnet_mm.runtime.facts import PREFIX
from litehrnet_mm.runtime.model import RuntimeModel

FACTS = dict(input_size=[8, 8], mean=[0, 0, 0], std=[1, 1, 1], rgb=True)
POSE = dict(
    task='pose',
    keypoints=['left', 'right', 'nose'],
    skeleton=[],
    flip_pairs=[1, 0, 2],
    codec=dict(type='MSRAHeatmap', input_size=[8, 8], heatmap_size=[8, 8], sigma=2),
    test_cfg=dict(flip_test=True),
    padding=1.25,
    udp=False,
)
SEG = dict(
    task='segmentation',
    classes=['road', 'tree', 'sky'],
    palette=[[0, 0, 0], [0, 255, 0], [0, 0, 255]],
    resize=None,
    threshold=None,
)


def write_file(path: Path, facts: dict, output: str) -> Path:
    """A file that gives what it takes, and tells facts of itself."""
    shape = ('batch', 3, 8, 8)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ('images', output)
    )
    node = helper.make_node('Identity', ['images'], [output])
    graph = helper.make_graph([node], 'identity', [x], [y])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    made.ir_version = 8
    told = {f'{PREFIX}{key}': json.dumps(x) for key, x in {**FACTS, **facts}.items()}
    helper.set_model_props(made, told)
    onnx.save(made, str(path))
    return path


@pytest.fixture
def pose_file(tmp_path) -> Path:
    """Of a pose network."""
    return write_file(tmp_path / 'pose.onnx', POSE, 'heatmaps')


@pytest.fixture
def seg_file(tmp_path) -> Path:
    """Of a segmentation network."""
    return write_file(tmp_path / 'seg.onnx', SEG, 'logits')


@pytest.mark.parametrize(
    'kind', ['RuntimeModel', 'PoseRuntime', 'SegRuntime', 'open_runtime']
)
def test_settings_reach_the_backend(kind, pose_file, seg_file, monkeypatch):
    asked = []
    session, usual = model.onnxruntime.InferenceSession, model.open_backend

    def note(path, options, providers):
        asked.append((options.intra_op_num_threads, providers))
        return session(path, options, providers=['CPUExecutionProvider'])

    monkeypatch.setattr(model.onnxruntime, 'InferenceSession', note)

    def open_backend(*args):
        asked.append(args)
        return usual(args[0], 'onnxruntime')

    monkeypatch.setattr(model, 'open_backend', open_backend)
    path = seg_file if kind == 'SegRuntime' else pose_file
    settings = dict(threads=3, providers=['Fast'], backend='openvino')
    getattr(runtime, kind)(path, **settings)
    assert (3, ['Fast']) in asked
    assert (path, 'openvino', 3) in asked


@pytest.mark.parametrize('threads', [0, 3])
def test_threads_reach_openvino(pose_file, monkeypatch, threads):
    openvino = pytest.importorskip('openvino')
    asked = []

    class Core:
        def compile_model(self, path, device, settings):
            asked.append(settings)

    monkeypatch.setattr(openvino, 'Core', Core)
    RuntimeModel(pose_file, backend='openvino', threads=threads)
    (settings,) = asked
    assert settings.get('INFERENCE_NUM_THREADS', 0) == threads


def test_a_file_of_another_task(pose_file):
    with pytest.raises(ValueError, match='is for pose, not for segmentation'):
        RuntimeModel(pose_file, 'segmentation')


@pytest.mark.parametrize('flip', [None, True, False])
def test_flipping_is_as_asked_for(pose_file, monkeypatch, flip):
    pose = PoseRuntime(pose_file, flip_test=flip)
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    seen = []
    run = pose.model.run
    monkeypatch.setattr(pose.model, 'run', lambda x: seen.append(x) or run(x))
    pose(image)
    assert len(seen) == (1 if flip is False else 2)
    if len(seen) == 2:
        assert np.array_equal(seen[0], seen[1][:, :, ::-1])
