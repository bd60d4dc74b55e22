import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from litehrnet_mm.checkpoints.ncnn import read_ncnn, read_param
from litehrnet_mm.cli import UserError

FLOAT16 = 0x01306B47
RNG = np.random.default_rng(0)

# 3 → 2 channels, 3×3, then depthwise 3×3, then 1×1 with an odd number of weights.
FULL = RNG.standard_normal((2, 3, 3, 3)).astype(np.float32)
DEPTHWISE = RNG.standard_normal((2, 1, 3, 1)).astype(np.float16)
POINTWISE = RNG.standard_normal((3, 1, 1, 1)).astype(np.float16)
FULL_BIAS = RNG.standard_normal(2).astype(np.float32)
POINTWISE_BIAS = RNG.standard_normal(3).astype(np.float32)

LAYERS = (
    'Input            image 0 1 image',
    'Convolution      full 1 1 image a 0=2 1=3 3=2 4=1 5=1 6=54 9=1',
    'ConvolutionDepthWise deep 1 1 a b 0=2 1=1 11=3 5=0 6=6 7=2',
    'Slice            slice 1 2 b c d -23300=2,-233,-233 1=0',
    'Convolution      point 1 1 c e 0=3 1=1 5=1 6=3 -23310=2,1.5,-2.5e-01',
    'Interp           resize 1 1 e f 0=1 1=2.000000e+00',
)


def tagged(values: np.ndarray, tag: int) -> bytes:
    raw = values.tobytes()
    return struct.pack('<I', tag) + raw + b'\0' * (-len(raw) % 4)


WEIGHTS = (
    tagged(FULL, 0)
    + FULL_BIAS.tobytes()
    + tagged(DEPTHWISE, FLOAT16)
    + tagged(POINTWISE, FLOAT16)
    + POINTWISE_BIAS.tobytes()
)


def param_text(layers=LAYERS, magic='7767517', layer_count=None, blob_count=7) -> str:
    count = len(layers) if layer_count is None else layer_count
    return '\n'.join([magic, f'{count} {blob_count}', *layers]) + '\n'


def write(folder: Path, text=None, weights: bytes = WEIGHTS) -> tuple[Path, Path]:
    text = param_text() if text is None else text
    param, binary = folder / 'net.param', folder / 'net.bin'
    param.write_bytes(text if isinstance(text, bytes) else text.encode())
    binary.write_bytes(weights)
    return param, binary


def with_layer(index: int, line: str) -> str:
    return param_text((*LAYERS[:index], line, *LAYERS[index + 1 :]))


def refusal(param, binary) -> str:
    """The message of the refusal, which must be one line that names a file."""
    with pytest.raises(UserError) as info:
        read_ncnn(param, binary)
    message = str(info.value)
    assert '\n' not in message
    assert message.startswith((str(param), str(binary)))
    assert len(message) < 500
    return message


def test_reads_layers_parameters_and_weights(tmp_path):
    layers = read_ncnn(*write(tmp_path))

    assert [layer.name for layer in layers] == [
        *('image', 'full', 'deep', 'slice', 'point', 'resize')
    ]
    _, full, deep, cut, point, resize = layers
    assert (full.inputs, full.outputs) == (('image',), ('a',))
    assert cut.params == {0: (-233, -233), 1: 0}
    assert cut.outputs == ('c', 'd')
    assert point.params[10] == (1.5, -0.25)
    assert resize.params == {0: 1, 1: 2.0}
    assert (full.groups, deep.groups) == (1, 2)
    for layer, weight, bias in (
        (full, FULL, FULL_BIAS),
        (deep, DEPTHWISE, None),
        (point, POINTWISE, POINTWISE_BIAS),
    ):
        np.testing.assert_array_equal(layer.weight, weight.astype(np.float32))
        assert layer.weight.dtype == np.float32
        if bias is None:
            assert layer.bias is None
        else:
            np.testing.assert_array_equal(layer.bias, bias)
    assert resize.weight is None


def test_weights_are_own_and_writable(tmp_path):
    layer = read_ncnn(*write(tmp_path))[1]
    layer.weight[:] = 0
    layer.bias[:] = 0
    assert not layer.weight.any()


def test_padding_of_float16_weights_is_not_read(tmp_path):
    weights = bytearray(WEIGHTS)
    end = len(weights) - POINTWISE_BIAS.nbytes
    weights[end - 2 : end] = b'\xff\xff'
    layers = read_ncnn(*write(tmp_path, weights=bytes(weights)))
    np.testing.assert_array_equal(layers[4].weight, POINTWISE.astype(np.float32))


@pytest.mark.parametrize('newline', ['\r\n', '\n\n'])
def test_line_ends_and_blank_lines_do_not_matter(tmp_path, newline):
    files = write(tmp_path, param_text().replace('\n', newline))
    assert len(read_ncnn(*files)) == len(LAYERS)


def test_refuses_weights_cut_at_any_byte(tmp_path):
    for cut in range(len(WEIGHTS)):
        message = refusal(*write(tmp_path, weights=WEIGHTS[:cut]))
        assert 'bytes at byte' in message, cut
        assert 'layer' in message, cut


@pytest.mark.parametrize('extra', [1, 4, 1000])
def test_refuses_weights_that_are_too_long(tmp_path, extra):
    message = refusal(*write(tmp_path, weights=WEIGHTS + b'\0' * extra))
    assert f'expected {len(WEIGHTS)} bytes' in message
    assert f'found {len(WEIGHTS) + extra}' in message


def test_refuses_a_graph_cut_at_any_byte_before_the_last_layer(tmp_path):
    for cut in range(param_text().index('Interp')):
        assert 'expected' in refusal(*write(tmp_path, param_text()[:cut])), cut


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        (param_text(magic='7767518'), "found '7767518'"),
        (param_text(magic='\ufeff7767517'), 'expected'),
        (param_text(layer_count='six'), "found 'six 7'"),
        (param_text(layer_count=7), 'expected 7 layers as declared, found 6'),
        (param_text(layer_count=2_000_000_000), 'expected 2000000000 layers'),
        (param_text(layer_count=-1), 'expected -1 layers'),
        (param_text(blob_count=8), 'expected 8 blobs as declared, found 7'),
        ('', 'an empty file'),
        ('7767517\n', 'found the end of the file'),
        ('7767517\n6\n', "found '6'"),
        (b'\x85\x84\x76\x00\x06\x00', 'binary data'),
        ('7767517\n1 1\nInput \x07 0 1 a\n', 'binary data'),
        (' ' * (2**21 + 1), 'at most'),
    ],
)
def test_refuses_what_is_no_graph(tmp_path, text, found):
    assert found in refusal(*write(tmp_path, text))


@pytest.mark.parametrize(
    ('index', 'line', 'found'),
    [
        (5, 'Interp resize 1', 'line 8'),
        (5, 'Interp resize 1 one e f', 'expected "type name inputs outputs'),
        (5, 'Interp resize 1 1 e', 'found 1 blob names'),
        (5, 'Interp resize 1 1 e f g', 'found 3 blob names'),
        (5, 'Interp resize 2000000000 1 e f', 'expected 2000000000 inputs'),
        (5, 'Interp resize -1 3 e f', 'expected -1 inputs'),
        (5, 'Interp resize 1 1 x f', "found 'x'"),
        (5, 'Interp resize 1 1 e a', "found 'a' a second time"),
        (5, 'Interp point 1 1 e f', "found 'point' a second time"),
        (5, 'InnerProduct fc 1 1 e f 0=1 1=0 2=1', "found type 'InnerProduct'"),
        (5, 'Interp resize 1 1 e f 0=', "found '0='"),
        (5, 'Interp resize 1 1 e f zero=1', "found 'zero=1'"),
        (5, 'Interp resize 1 1 e f 0=nan', "found '0=nan'"),
        (5, 'Interp resize 1 1 e f 0=1e999', "found '0=1e999'"),
        (5, 'Interp resize 1 1 e f 0=1_0', "found '0=1_0'"),
        (5, 'Interp resize 1 1 e f 0=' + '9' * 5000, "found '0=999"),
        (5, 'Interp resize 1 1 e f 0=1,2', "found '0=1,2'"),
        (5, 'Interp resize 1 1 e f -1=1', "found '-1=1'"),
        (5, 'Interp resize 1 1 e f -23300=3,1,2', "found '-23300=3,1,2'"),
        (4, 'Convolution point 1 1 c e 0=3 1=1 5=1 6=3.5', 'found'),
        (4, 'Convolution point 1 1 c e 0=3 1=1 5=1 6=4', '6=4'),
        (4, 'Convolution point 1 1 c e 0=3 1=2 5=1 6=3', '6=3'),
        (4, 'Convolution point 1 1 c e 0=3 1=1 11=2 5=1 6=3', '6=3'),
        (4, 'Convolution point 1 1 c e 0=0 1=1 5=1 6=3', 'at least 1'),
        (4, 'Convolution point 1 1 c e 0=-3 1=1 5=1 6=3', 'at least 1'),
        (4, 'Convolution point 1 1 c e 0=3 1=0 5=1 6=3', 'at least 1'),
        (4, 'Convolution point 1 1 c e 0=3 1=1 5=1', 'at least 1'),
        (4, 'Convolution point 1 1 c e 0=3 1=1 5=2 6=3', '5=2'),
        (4, 'Convolution point 1 1 c e 0=3 1=1 5=1 6=3 8=2', 'int8'),
        (4, 'Convolution point 1 1 c e 0=3 1=1 5=1 6=3 19=1', 'dynamic'),
        (2, 'ConvolutionDepthWise deep 1 1 a b 0=2 1=1 11=3 6=6 7=3', '7=3'),
        (2, 'ConvolutionDepthWise deep 1 1 a b 0=2 1=1 11=3 6=6 7=0', '7=0'),
        (2, 'ConvolutionDepthWise deep 1 1 a b 0=2 1=1 11=3 6=12 7=2', 'found'),
    ],
)
def test_refuses_a_layer_that_does_not_fit(tmp_path, index, line, found):
    message = refusal(*write(tmp_path, with_layer(index, line)))
    assert found in message
    assert 'expected' in message


@pytest.mark.parametrize(
    'line',
    [
        'Convolution full 1 1 image a 0=2 1=3 6=2000000016',
        'Convolution full 1 1 image a 0=2000000000 1=1 6=2000000000 5=1',
        'Convolution full 1 1 image a 0=1 1=2000000000 11=1 6=2000000000',
    ],
)
def test_takes_no_memory_for_sizes_the_file_does_not_hold(tmp_path, line):
    files = write(tmp_path, with_layer(1, line))
    tracemalloc.start()
    try:
        refusal(*files)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize('tag', [0x000D4B38, 0x0002C056, 0x00000001, 0x476B3001])
def test_refuses_other_storage(tmp_path, tag):
    message = refusal(*write(tmp_path, weights=struct.pack('<I', tag) + WEIGHTS[4:]))
    assert f'found 0x{tag:08X}' in message
    assert 'layer full (Convolution)' in message


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('part', ['float32', 'bias', 'float16'])
def test_refuses_weights_that_are_not_finite(tmp_path, part, value):
    weights = bytearray(WEIGHTS)
    if part == 'float16':
        start = len(weights) - POINTWISE_BIAS.nbytes - 8  # 3 weights and padding
        weights[start : start + 2] = np.float16(value).tobytes()
    else:
        offset = 4 if part == 'float32' else 4 + FULL.nbytes
        weights[offset : offset + 4] = np.float32(value).tobytes()
    message = refusal(*write(tmp_path, weights=bytes(weights)))
    assert 'expected finite numbers' in message
    assert ('point' if part == 'float16' else 'full') in message


@pytest.mark.parametrize('which', ['param', 'bin'])
def test_refuses_a_missing_file_a_folder_and_a_pipe(tmp_path, which):
    files = dict(zip(('param', 'bin'), write(tmp_path)))
    files[which].unlink()
    assert 'No such file' in refusal(*files.values())
    files[which].mkdir()
    assert 'Is a directory' in refusal(*files.values())
    files[which].rmdir()
    if hasattr(os, 'mkfifo'):
        os.mkfifo(files[which])
        assert 'it is a device or pipe, no file' in refusal(*files.values())


def test_reads_the_graph_alone(tmp_path):
    param, _ = write(tmp_path)
    layers = read_param(param)
    assert [layer.weight for layer in layers] == [None] * len(LAYERS)


def test_damaged_files_are_read_or_refused_never_a_crash(tmp_path):
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(500):
        damaged = [bytearray(param_text().encode()), bytearray(WEIGHTS)]
        for data in damaged:
            for position in rng.integers(0, len(data), rng.integers(0, 4)):
                data[position] = rng.integers(0, 256)
        files = write(tmp_path, bytes(damaged[0]), bytes(damaged[1]))
        try:
            layers = read_ncnn(*files)
        except UserError:
            refused += 1
        else:
            assert all(np.isfinite(x.weight).all() for x in layers if 'Conv' in x.kind)
    assert refused > 250


def test_refuses_a_parameter_that_is_there_twice(tmp_path):
    text = with_layer(2, f'{LAYERS[2]} 7=1')
    assert 'two of one id' in refusal(*write(tmp_path, text))
