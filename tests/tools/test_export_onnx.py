"""``tools/export_onnx.py`` as a user calls it."""

import json

import onnx
import onnxruntime
import pytest
import torch
from nets import random_images, randomise
from running import LITE_CONFIG, assert_one_line, narrow

from litehrnet_mm.deploy import export
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config

CONFIG = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'
SEG_CONFIG = 'configs/seg/camvid/fcn_litehrnet-18_1xb8-20k_camvid-360x480.py'


def test_trained_weights_are_exported(call_tool, tinypose, tmp_path):
    out = tmp_path / 'new' / 'tinypose.onnx'
    done = call_tool('export_onnx.py', CONFIG, tinypose, out, '--dynamic', 'batch')
    assert done.returncode == 0, done.stderr
    assert 'largest difference to PyTorch' in done.stdout
    (heatmaps,) = onnxruntime.InferenceSession(str(out)).get_outputs()
    assert heatmaps.shape[1:] == [17, 64, 48]


@pytest.fixture
def tiny(repository, tmp_path, monkeypatch):
    """A config of a narrow pose network."""
    monkeypatch.chdir(repository)
    return narrow(LITE_CONFIG, tmp_path)


def test_weights_and_settings(call_tool, tiny, tmp_path):
    torch.manual_seed(0)
    model = randomise(build_model(load_config(str(tiny), {}), str(tiny))).eval()
    weights, out = tmp_path / 'weights.pth', tmp_path / 'net.onnx'
    torch.save(dict(state_dict=model.state_dict()), weights)
    done = call_tool(
        'export_onnx.py', tiny, weights, out, '--input-size', 64, 96,
        '--cfg-options', 'model.test_cfg.flip_test=False',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'weights are random' not in done.stderr
    images = random_images(1, 3, 64, 96)
    session = onnxruntime.InferenceSession(str(out))
    (found,) = session.run(None, dict(images=images.numpy()))
    with torch.no_grad():
        expected = model(images, None, mode='tensor')
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-4)
    facts = {p.key: json.loads(p.value) for p in onnx.load(str(out)).metadata_props}
    assert facts['litehrnet_mm.test_cfg']['flip_test'] is False


def test_what_a_file_takes_and_gives(call_tool, tiny, tmp_path):
    out = tmp_path / 'net.onnx'
    options = ('--dynamic', 'batch', '--with-preprocess', '--decode')
    done = call_tool('export_onnx.py', tiny, out, *options)
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(str(out))
    (image,) = session.get_inputs()
    assert isinstance(image.shape[0], str)
    assert (image.shape[1:], image.type) == ([256, 192, 3], 'tensor(uint8)')
    assert [y.name for y in session.get_outputs()] == ['keypoints', 'scores']


def test_how_a_file_computes(call_tool, tiny, tmp_path, monkeypatch):
    asked = []
    rewrite = export.rewrite

    def note(model, **kwargs):
        asked.append(kwargs)
        return rewrite(model, **kwargs)

    monkeypatch.setattr(export, 'rewrite', note)
    out = tmp_path / 'net.onnx'
    options = ('--precision', 'fp16', '--opset', 18, '--runtime', 'openvino')
    done = call_tool('export_onnx.py', tiny, out, *options, '--backbone-only')
    assert done.returncode == 0, done.stderr
    made = onnx.load(str(out))
    assert [x.version for x in made.opset_import if not x.domain] == [18]
    kinds = {weight.data_type for weight in made.graph.initializer if weight.dims}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert [y.name for y in made.graph.output] == ['branch_0']
    assert asked[0].items() >= export.RUNTIMES['openvino'].items()
    assert not asked[0].items() >= export.RUNTIMES['onnxruntime'].items()


def test_label_maps(call_tool, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    out = tmp_path / 'net.onnx'
    options = ('--input-size', 64, 96, '--label-map')
    done = call_tool('export_onnx.py', narrow(SEG_CONFIG, tmp_path), out, *options)
    assert done.returncode == 0, done.stderr
    (labels,) = onnxruntime.InferenceSession(str(out)).get_outputs()
    assert (labels.name, labels.type) == ('labels', 'tensor(uint8)')


def test_mistakes(call_tool, tmp_path):
    done = call_tool('export_onnx.py', CONFIG, tmp_path / 'net.pt')
    assert_one_line(done, 'the file to write should end in .onnx', 'net.pt')
    done = call_tool('export_onnx.py', CONFIG, 'absent.pth', tmp_path / 'net.onnx')
    assert_one_line(done, 'absent.pth')
    small = ('--input-size', 16, 16)
    done = call_tool('export_onnx.py', CONFIG, tmp_path / 'net.onnx', *small)
    assert_one_line(done, 'cannot be exported', 'at least 32')
    assert not any(tmp_path.iterdir())
