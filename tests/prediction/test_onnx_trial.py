"""ONNX files are tried within limits, in another process where they could do harm."""

from __future__ import annotations

import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from other_targets import detector_seeds, onnx_seeds

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction import onnx_graphs, onnx_run, onnx_trial
from litehrnet_mm.prediction.onnx_check import WRITTEN, check_onnx
from litehrnet_mm.prediction.onnx_detector import OnnxBoxes

ANY = None
LIMITED = (
    'import sys; path, *sys.path = sys.argv[1:]; '
    'from litehrnet_mm.prediction import onnx_run; '
    'onnx_run.MOST_MEMORY = onnx_run.STACK = 1; onnx_run.main(path)'
)


@pytest.fixture
def write(tmp_path):
    """Write a network into a file."""
    path = tmp_path / 'x.onnx'

    def write_model(model):
        path.write_bytes(model.SerializeToString())
        return path

    return write_model


def small(seeds=onnx_seeds) -> onnx.ModelProto:
    """A network as those that are fuzzed begin with."""
    return onnx.load_from_string(seeds()[0]['x.onnx'])


HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
BY_SHAPE = """
network (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
<int64[1] one = {1}, int64[1] two = {2}, int64[1] half = {64}, int64[1] all = {128}>
{
    shape = Shape(x)
    side = Gather(shape, two)
    large = Mul(side, all)
    small = Mul(side, half)
    sides = Concat<axis = 0>(one, one, large, large)
    window = Concat<axis = 0>(one, one, small, small)
    zeros = ConstantOfShape(sides)
    brightest = ReduceMax(x)
    image = Mul(zeros, brightest)
    kernel = ConstantOfShape(window)
    made = Conv(image, kernel)
    mean = GlobalAveragePool(made)
    y = Add(x, mean)
}
"""
"""A convolution for minutes, of a size that follows from the image's."""
PRODUCT = """
network (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
{
    product = MatMul(FACTOR, weights)
    y = Add(x, product)
}
"""


def parsed(text: str) -> onnx.ModelProto:
    """A network that is written in ONNX's own language."""
    return onnx.parser.parse_model(HEAD + text)


def test_what_takes_long_is_ended(write, monkeypatch):
    """At once here, where no time is left: before the first operator, or after all."""
    path = write(small())
    monkeypatch.setattr(onnx_run, 'MOST_SECONDS', 0)
    for operators in ({'Conv', 'Relu'}, ANY):
        with pytest.raises(UserError, match=r'x\.onnx takes more than 0 s'):
            check_onnx(path, operators)

    class Now(onnx_run.Timer):
        def start(self) -> None:
            self.function()

    monkeypatch.setattr(onnx_run, 'MOST_SECONDS', 1e9)
    monkeypatch.setattr(onnx_run, 'Timer', Now)
    with pytest.raises(UserError, match=r'x\.onnx takes more than') as ended:
        check_onnx(path)
    assert 'terminate' in str(ended.value.__cause__)


def test_what_nobody_knows_the_size_of_is_ended_from_outside(write, monkeypatch):
    """A single operator cannot be: here one that would take minutes."""
    path = write(parsed(BY_SHAPE))
    monkeypatch.setattr(onnx_run, 'MOST_SECONDS', 1)
    start = time.monotonic()
    with pytest.raises(UserError, match=r'x\.onnx takes more than 1 s'):
        check_onnx(path)
    assert time.monotonic() - start < 15


def test_so_is_what_takes_long_to_open(write, monkeypatch):
    """What is multiplied there are weights alone, as they never are in ours."""
    monkeypatch.setattr(onnx_trial, 'CHILD', 'import os; os._exit(7)')
    check_onnx(write(product('x')))
    with pytest.raises(UserError, match=r'x\.onnx ends the .* \(exit status 7\)'):
        check_onnx(write(product('weights')))


def product(factor: str) -> onnx.ModelProto:
    """A network that multiplies something with weights."""
    text = PRODUCT.replace('FACTOR', factor)
    model = parsed(text)
    weights = numpy_helper.from_array(np.ones((8, 8), np.float32), 'weights')
    model.graph.initializer.append(weights)
    return model


def test_a_detector_that_ends_its_process(write, monkeypatch):
    path = write(small(detector_seeds))
    monkeypatch.setattr(onnx_trial, 'CHILD', 'import os; os.abort()')
    with pytest.raises(UserError, match=r'x\.onnx ends the process .*SIGABRT') as ended:
        OnnxBoxes(path, 0.3)
    assert str(ended.value).isprintable()


@pytest.mark.skipif(sys.platform != 'linux', reason='has no such limit')
def test_memory_out_of_the_arena_is_limited(write, monkeypatch):
    path = write(small())
    check_onnx(path, ANY)
    monkeypatch.setattr(onnx_trial, 'CHILD', LIMITED)
    words = r'x\.onnx (takes more than 1.5 GB|cannot be opened|ends the process)'
    with pytest.raises(UserError, match=words):
        check_onnx(path, ANY)


QUOTIENT = """
network (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
<int64[1] number = {7}, int64[1] two = {2}, int64[2] some = {-2, 3},
 int64[2] wrong = {5, -1}, int64[1] none = {0}>
{
    shape = Shape(x)
    side = Gather(shape, two)
    BY
    quotient = Div(number, by)
    real = Cast<to = 1>(quotient)
    most = ReduceMax<keepdims = 0>(real)
    y = Add(x, most)
}
"""


def quotient(by: str) -> onnx.ModelProto:
    """A network that divides by something."""
    return parsed(QUOTIENT.replace('BY', by))


@pytest.mark.parametrize(
    'by',
    [
        'by = Identity(some)',
        'by = Constant<value_ints = [1, -2]>()',
        'by = Identity(side)',
        'by = Cast<to = 7>(side)',
        'one = Gather(shape, two)\n by = Unsqueeze(one, none)',
    ],
)
def test_constants_and_sides_may_divide(write, by):
    check_onnx(write(quotient(by)))


def test_detectors_may_divide_by_products_of_sides(write):
    """As CenterNet does that takes any size; of weights any product may be -1."""
    path = write(quotient('by = Mul(side, side)'))
    check_onnx(path, ANY)
    with pytest.raises(UserError, match='Div of quotient divides whole numbers'):
        check_onnx(path)


@pytest.mark.parametrize(
    'by',
    [
        'by = Identity(wrong)',
        'by = Identity(none)',
        'by = Constant<value_ints = [1, -1]>()',
        'by = Constant<value_int = -1>()',
        'by = Sub(two, side)',
        'by = Mul(some, side)',
        'whole = Cast<to = 7>(x)\n by = ReduceMax<keepdims = 0>(whole)',
        'less = Cast<to = 6>(side)\n by = Cast<to = 7>(less)',
    ],
)
@pytest.mark.parametrize('operators', [WRITTEN, ANY])
def test_other_whole_numbers_may_not(write, by, operators):
    with pytest.raises(UserError, match='Div of quotient divides whole numbers'):
        check_onnx(write(quotient(by)), operators)


BRANCHES = """
network (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
<bool cond = {1}, int64[1] number = {7}, float[1] many = {2e7}>
{
    size = Cast<to = 7>(many)
    y = If(cond)<
        then_branch = one () => (float[1, 3, 8, 8] a) {
            INNER
            a = Identity(x)
        },
        else_branch = other () => (float[1, 3, 8, 8] b) { b = Identity(x) }
    >
}
"""
DIVIDED = """
            zero = Sub(number, number)
            quotient = Div(number, BY)
"""
SCANNED = """
            long = ConstantOfShape(size)
            gone = Scan<num_scan_inputs = 1, body = part (float v) => (float w) {
                w = Neg(v)
            }>(long)
"""


def branches(inner: str) -> onnx.ModelProto:
    """A network with others in it."""
    return parsed(BRANCHES.replace('INNER', inner))


def within(model: onnx.ModelProto) -> onnx.GraphProto:
    """The first of the networks in one."""
    return next(x.g for x in model.graph.node[1].attribute if x.name == 'then_branch')


def told_otherwise() -> onnx.ModelProto:
    """Of what is repeated for each row the file says that there are two."""
    model = branches(SCANNED)
    value = helper.make_tensor_value_info('long', TensorProto.FLOAT, [2])
    within(model).value_info.append(value)
    return model


def sparse_within() -> onnx.ModelProto:
    """Sparse weights, not at the top."""
    model = branches('')
    values = helper.make_tensor('few', TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor('', TensorProto.INT64, [1], [5])
    weights = helper.make_sparse_tensor(values, places, [9])
    within(model).sparse_initializer.append(weights)
    return model


def weight_within() -> onnx.ModelProto:
    """A number by which may not be divided has the name of one outside."""
    model = branches(DIVIDED.replace('BY', 'number'))
    weight = numpy_helper.from_array(np.array([-1]), 'number')
    within(model).initializer.append(weight)
    return model


def given_within() -> onnx.ModelProto:
    """The same, of one that is given."""
    model = branches(DIVIDED.replace('BY', 'number'))
    value = helper.make_tensor_value_info('number', TensorProto.INT64, [1])
    within(model).input.append(value)
    return model


BY = 'Div of quotient divides whole numbers'


@pytest.mark.parametrize(
    ('model', 'words'),
    [
        (branches(DIVIDED.replace('BY', 'zero')), BY),
        (weight_within(), BY),
        (given_within(), BY),
        (sparse_within(), 'has sparse weights'),
        (told_otherwise(), 'need not end, or not soon'),
    ],
)
def test_graphs_within_others(write, model, words):
    with pytest.raises(UserError, match=words):
        check_onnx(write(model), ANY)


def test_operators_within_others_count(write, monkeypatch):
    path = write(branches(SCANNED))
    monkeypatch.setattr(onnx_graphs, 'MOST_NODES', 6)
    with pytest.raises(UserError, match='more than 6 operators'):
        check_onnx(path, ANY)


def test_sides_that_are_left_open_as_minus_one(write):
    model = small()
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = -1
    path = write(model)
    for operators in (WRITTEN, ANY):
        check_onnx(path, operators)
