"""``tools/export_onnx.py`` as a user calls it."""

import onnxruntime
from running import assert_one_line

CONFIG = 'configs/pose/coco/td-hm_wider-naive-litehrnet-18_8xb64-210e_coco-256x192.py'


def test_trained_weights_are_exported(call_tool, tinypose, tmp_path):
    out = tmp_path / 'new' / 'tinypose.onnx'
    done = call_tool('export_onnx.py', CONFIG, tinypose, out, '--dynamic', 'batch')
    assert done.returncode == 0, done.stderr
    assert 'largest difference to PyTorch' in done.stdout
    (heatmaps,) = onnxruntime.InferenceSession(str(out)).get_outputs()
    assert heatmaps.shape[1:] == [17, 64, 48]


def test_mistakes(call_tool, tmp_path):
    done = call_tool('export_onnx.py', CONFIG, tmp_path / 'net.pt')
    assert_one_line(done, 'the file to write should end in .onnx', 'net.pt')
    done = call_tool('export_onnx.py', CONFIG, 'absent.pth', tmp_path / 'net.onnx')
    assert_one_line(done, 'absent.pth')
    small = ('--input-size', 16, 16)
    done = call_tool('export_onnx.py', CONFIG, tmp_path / 'net.onnx', *small)
    assert_one_line(done, 'cannot be exported', 'at least 32')
    assert not any(tmp_path.iterdir())
