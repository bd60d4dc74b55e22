"""Reader of ncnn's ``.param`` (the graph, text) and ``.bin`` (its weights) files.

Nothing in the two files is trusted: every count, shape and length is checked before
memory is taken for it, and both files have to be used up exactly. Whatever does not
fit ends in a :class:`~litehrnet_mm.cli.UserError` of one line that names the file, the
layer, what was expected and what was found.

The format is described in ncnn's documentation ("param and model file structure");
the numbers in ``1=3 5=1 …`` are the ids of its "operation param weight table".
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from typing import BinaryIO, Union

import numpy as np

from litehrnet_mm.cli import UserError
from litehrnet_mm.files import open_regular

PathLike = Union[str, 'os.PathLike[str]']
ParamValue = Union[int, float, 'tuple[int | float, ...]']

MAGIC = '7767517'
FLOAT16_TAG = 0x01306B47
FLOAT32_TAG = 0

CONVOLUTIONS = frozenset({'Convolution', 'ConvolutionDepthWise'})
WEIGHTLESS = frozenset(
    {
        *('BinaryOp', 'Clip', 'Concat', 'Crop', 'Dropout', 'Eltwise', 'Flatten'),
        *('HardSigmoid', 'HardSwish', 'Input', 'Interp', 'Noop', 'Permute'),
        *('PixelShuffle', 'Pooling', 'ReLU', 'Reshape', 'ShuffleChannel', 'Sigmoid'),
        *('Slice', 'Softmax', 'Split', 'Swish', 'TanH', 'UnaryOp'),
    }
)
"""Layer types that have nothing in the ``.bin`` file, whatever their parameters."""

MAX_PARAM_BYTES = 2 * 2**20  # the graph of PP-TinyPose has 0.08 MB

_INT = re.compile(r'[+-]?[0-9]{1,10}', re.ASCII)
_FLOAT = re.compile(r'[+-]?[0-9]{0,30}\.?[0-9]{1,30}(e[+-]?[0-9]{1,2})?', re.ASCII)
_ARRAY_ID = -23300  # the list with id k is written as -23300-k


@dataclass(frozen=True, eq=False)
class NcnnLayer:
    """One layer of an ncnn graph.

    Attributes:
        kind: ncnn's layer type, such as ``'Convolution'``.
        name: The layer's own name.
        inputs: Names of the blobs it reads.
        outputs: Names of the blobs it makes.
        params: Parameters by id, lists as tuples.
        where: File and line it was read from.
        weight: Of convolutions, once the ``.bin`` file has been read: float32,
            ``(out, in // groups, kernel_h, kernel_w)``.
        bias: The same: float32 ``(out,)``, or ``None`` for one without a bias.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, ParamValue]
    where: str
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return f'layer {self.name[:60]} ({self.kind[:60]})'

    def integer(self, key: int, default: int = 0) -> int:
        """Return one whole-number parameter, ``default`` if the file leaves it out.

        Raises:
            UserError: If the parameter is a fraction or a list.
        """
        value = self.params.get(key, default)
        if not isinstance(value, int):
            raise UserError(
                f'{self.where}: {self.label}: parameter {key}: expected a whole '
                f'number, found {_brief(str(value))}'
            )
        return value

    def pair(self, width: int, height: int, default: int) -> tuple[int, int]:
        """Return a ``(height, width)`` parameter; the height follows the width."""
        horizontal = self.integer(width, default)
        return self.integer(height, horizontal), horizontal

    @property
    def groups(self) -> int:
        """Groups of a convolution; only ``ConvolutionDepthWise`` has that parameter."""
        return self.integer(7, 1) if self.kind == 'ConvolutionDepthWise' else 1


def read_ncnn(param_path: PathLike, bin_path: PathLike) -> tuple[NcnnLayer, ...]:
    """Read a network and its weights.

    Args:
        param_path: The graph, ``.param``, in its text form.
        bin_path: The weights, ``.bin``: float16 (4-byte tag 0x01306B47, padded to
            4 bytes) or float32 (tag 0), biases always float32.

    Returns:
        The layers in the file's order, convolutions with their weights.

    Raises:
        UserError: If a file cannot be read, is not what its name says, holds a layer
            type or a storage that is not supported, weights that are not finite, or
            does not fit the other file.
    """
    layers = read_param(param_path)
    try:
        with open_regular(bin_path) as handle:
            weights = _WeightFile(handle, bin_path)
            layers = tuple(_with_weights(layer, weights) for layer in layers)
            weights.expect_end()
    except OSError as error:
        raise UserError(f'{bin_path}: cannot be read: {error.strerror}') from error
    return layers


def read_param(path: PathLike) -> tuple[NcnnLayer, ...]:
    """Read the graph alone: the layers of a ``.param`` file, without weights.

    Raises:
        UserError: If it is not a well-formed ``.param`` text, or holds a layer type
            that this reader does not know.
    """
    lines = _param_lines(path)
    if not lines or lines[0].strip() != MAGIC:
        found = _brief(lines[0]) if lines else 'an empty file'
        raise UserError(f'{path}: expected the ncnn magic {MAGIC}, found {found}')
    counts = lines[1].split() if len(lines) > 1 else []
    if len(counts) != 2 or not all(_INT.fullmatch(count) for count in counts):
        found = _brief(lines[1]) if len(lines) > 1 else 'the end of the file'
        raise UserError(f'{path}: expected a layer and a blob count, found {found}')
    layer_count, blob_count = (int(count) for count in counts)
    if len(lines) - 2 != layer_count:
        raise UserError(
            f'{path}: expected {layer_count} layers as declared, '
            f'found {len(lines) - 2}; is the file complete?'
        )
    layers = tuple(
        _parse_layer(line, f'{path}: line {number}')
        for number, line in enumerate(lines[2:], start=3)
    )
    _check_graph(layers, blob_count, path)
    return layers


def _param_lines(path: PathLike) -> list[str]:
    """The lines of a ``.param`` file that are not blank."""
    try:
        with open_regular(path) as handle:
            data = handle.read(MAX_PARAM_BYTES + 1)
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from error
    if len(data) > MAX_PARAM_BYTES:
        raise UserError(
            f'{path}: expected a text of at most {MAX_PARAM_BYTES} bytes, found more; '
            'is it the .bin file?'
        )
    try:
        text = data.decode('utf-8')
    except UnicodeDecodeError:
        text = '\0'  # refused below, as any other binary data
    lines = [line.strip() for line in text.split('\n') if line.strip()]
    if not all(line.replace('\t', ' ').isprintable() for line in lines):
        raise UserError(
            f'{path}: expected an ncnn .param text, found binary data; is it the '
            '.bin or .param.bin file?'
        )
    return lines


def _parse_layer(line: str, where: str) -> NcnnLayer:
    """Parse ``type name n_inputs n_outputs inputs… outputs… id=value…``."""
    tokens = line.split()
    if len(tokens) < 4 or not all(_INT.fullmatch(count) for count in tokens[2:4]):
        raise UserError(
            f'{where}: expected "type name inputs outputs …", found {_brief(line)}'
        )
    kind, name = tokens[:2]
    n_inputs, n_outputs = int(tokens[2]), int(tokens[3])
    blobs = [token for token in tokens[4:] if '=' not in token]
    if min(n_inputs, n_outputs) < 0 or len(blobs) != n_inputs + n_outputs:
        raise UserError(
            f'{where}: layer {_brief(name)}: expected {n_inputs} inputs and '
            f'{n_outputs} outputs, found {len(blobs)} blob names'
        )
    if kind not in CONVOLUTIONS | WEIGHTLESS:
        raise UserError(
            f'{where}: layer {_brief(name)}: expected a convolution or a layer known '
            f'to have no weights, found type {_brief(kind)}'
        )
    pairs = [_parse_param(x, f'{where}: {name[:60]}') for x in tokens[4 + len(blobs) :]]
    params = dict(pairs)
    if len(params) < len(pairs):
        raise UserError(
            f'{where}: layer {_brief(name)}: expected each parameter once, found two '
            'of one id'
        )
    return NcnnLayer(
        kind=kind,
        name=name,
        inputs=tuple(tokens[4 : 4 + n_inputs]),
        outputs=tuple(tokens[4 + n_inputs : 4 + len(blobs)]),
        params=params,
        where=where,
    )


def _parse_param(token: str, where: str) -> tuple[int, ParamValue]:
    """Parse ``id=value`` or, for a list, ``-23300-id=count,value,value…``."""
    key, _, text = token.partition('=')
    values = [_number(part) for part in text.split(',')]
    if _INT.fullmatch(key) and None not in values:
        number = int(key)
        if number >= 0 and len(values) == 1:
            return number, values[0]
        if number <= _ARRAY_ID and values[0] == len(values) - 1:
            return _ARRAY_ID - number, tuple(values[1:])
    raise UserError(
        f'{where}: expected a parameter "id=number" or "-23300=count,number,…", '
        f'found {_brief(token)}'
    )


def _number(text: str) -> int | float | None:
    """A number as ncnn writes it, or ``None`` (no ``nan``, no ``1_000``)."""
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else None


def _check_graph(
    layers: tuple[NcnnLayer, ...], blob_count: int, path: PathLike
) -> None:
    """Check that names are unique, blobs are made before use and counted rightly."""
    names: set[str] = set()
    blobs: set[str] = set()
    for layer in layers:
        for blob in layer.inputs:
            if blob not in blobs:
                raise UserError(
                    f'{path}: {layer.label}: expected an input made by an earlier '
                    f'layer, found {_brief(blob)}'
                )
        for known, new in ((names, layer.name), *((blobs, b) for b in layer.outputs)):
            if new in known:
                raise UserError(
                    f'{path}: {layer.label}: expected a new name, found '
                    f'{_brief(new)} a second time'
                )
            known.add(new)
    if len(blobs) != blob_count:
        raise UserError(
            f'{path}: expected {blob_count} blobs as declared, found {len(blobs)}'
        )


class _WeightFile:
    """A ``.bin`` file, read from front to back and never past its known length."""

    def __init__(self, handle: BinaryIO, path: PathLike):
        self.handle = handle
        self.path = path
        self.size = os.fstat(handle.fileno()).st_size

    def take(self, count: int, what: str) -> bytes:
        """Return the next ``count`` bytes.

        The length is compared before anything is read, so that a hostile graph
        cannot make this allocate more than the file holds.
        """
        position = self.handle.tell()
        data = b''
        if count <= self.size - position:
            data = self.handle.read(count)
        if len(data) != count:
            raise UserError(
                f'{self.path}: {what}: expected {count} bytes at byte {position}, '
                f'found {max(self.size - position, 0)}; is the file complete, and is '
                'it the one that belongs to the .param file?'
            )
        return data

    def expect_end(self) -> None:
        """Check that nothing is left."""
        if self.handle.tell() != self.size:
            raise UserError(
                f'{self.path}: expected {self.handle.tell()} bytes for the layers of '
                f'the .param file, found {self.size}; do the two belong together?'
            )


def _with_weights(layer: NcnnLayer, weights: _WeightFile) -> NcnnLayer:
    """Return a convolution with its weights, any other layer as it is."""
    if layer.kind not in CONVOLUTIONS:
        return layer
    where = f'{weights.path}: {layer.label}'
    shape = _weight_shape(layer)
    weight = _finite(_read_tagged(weights, math.prod(shape), layer.label), where)
    bias = None
    if layer.integer(5):
        raw = weights.take(4 * shape[0], f'{layer.label} bias')
        bias = _finite(np.frombuffer(raw, '<f4'), f'{where} bias')
    return replace(layer, weight=weight.reshape(shape), bias=bias)


def _weight_shape(layer: NcnnLayer) -> tuple[int, int, int, int]:
    """The shape ``(out, in // groups, kernel_h, kernel_w)`` by the parameters."""
    out, size, groups = layer.integer(0), layer.integer(6), layer.groups
    kernel_h, kernel_w = layer.pair(1, 11, 0)
    bias, int8_scales, dynamic = (layer.integer(key) for key in (5, 8, 19))
    filters = out * kernel_h * kernel_w
    found = f'0={out} 1={kernel_w} 11={kernel_h} 5={bias} 6={size} 7={groups}'
    where = f'{layer.where}: {layer.label}'
    if min(out, kernel_h, kernel_w, size, groups) < 1 or bias not in (0, 1):
        raise UserError(
            f'{where}: expected sizes of at least 1 and a bias 5=0 or 5=1, '
            f'found {found}'
        )
    if size % filters or out % groups:
        raise UserError(
            f'{where}: expected a number of weights 6= divisible by outputs x kernel '
            f'= {filters}, and outputs divisible by the groups 7=, found {found}'
        )
    if int8_scales or dynamic:
        raise UserError(
            f'{where}: expected weights stored as floating point numbers, found int8 '
            f'scales 8={int8_scales}, dynamic weights 19={dynamic}'
        )
    return out, size // filters, kernel_h, kernel_w


def _read_tagged(weights: _WeightFile, count: int, label: str) -> np.ndarray:
    """Read ``count`` weights behind ncnn's 4-byte storage tag, as float32."""
    tag = int.from_bytes(weights.take(4, f'{label} storage tag'), 'little')
    if tag == FLOAT32_TAG:
        return np.frombuffer(weights.take(4 * count, f'{label} weights'), '<f4')
    if tag == FLOAT16_TAG:
        padded = weights.take((2 * count + 3) // 4 * 4, f'{label} weights')
        return np.frombuffer(padded, '<f2', count).astype(np.float32)
    raise UserError(
        f'{weights.path}: {label}: expected storage tag 0x00000000 (float32) or '
        f'0x{FLOAT16_TAG:08X} (float16), found 0x{tag:08X}; int8 and other quantised '
        'weights are not supported'
    )


def _finite(values: np.ndarray, where: str) -> np.ndarray:
    """Return an own, native float32 copy of ``values``, none of them inf or nan."""
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise UserError(f'{where}: expected finite numbers, found {bad} inf or nan')
    return np.array(values, np.float32)


def _brief(text: str) -> str:
    """Quote what was found, cut to a length that fits in a message."""
    return repr(text if len(text) <= 60 else f'{text[:60]}…')
