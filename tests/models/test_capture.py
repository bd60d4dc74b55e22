"""The forward pass can be captured: as one graph, and on a GPU as a CUDA graph."""

from types import SimpleNamespace

import pytest
import torch
from nets import mmpose_extra, random_images, randomise, tiny_extra
from operators import OperatorCount, count_operators
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from litehrnet_mm.deploy import rewrite
from litehrnet_mm.engine.hooks import CompileHook
from litehrnet_mm.models import LiteHRNet

# What waits for a GPU's results, or moves data between devices.
HOST = ('_local_scalar_dense', 'item', 'nonzero', '_to_copy', 'is_nonzero', 'unique')


def make(kind: str, training: bool) -> torch.nn.Module:
    """A narrow net with all branches."""
    net = randomise(LiteHRNet(tiny_extra(kind), out_indices=(0, 1, 2, 3)))
    return net.train(training)


@pytest.mark.parametrize('kind', ['LITE', 'NAIVE'])
@pytest.mark.parametrize('form', ['training', 'evaluation', 'rewritten'])
def test_compiles_without_a_graph_break(kind, form):
    torch.compiler.reset()
    net = make(kind, form == 'training')
    if form == 'rewritten':
        net = rewrite(net)
    images = random_images(2, 3, 70, 50)
    with torch.no_grad():
        expected = net(images)
        backend = 'aot_eager' if form == 'evaluation' else 'eager'
        compiled = torch.compile(net, fullgraph=True, backend=backend)
        found = compiled(images)
    for y, wanted in zip(found, expected):
        torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-5)


def test_a_hook_compiles_the_backbone_in_place():
    torch.compiler.reset()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    model = nn.Module()
    model.backbone = make('LITE', training=False)
    images = random_images(1, 3, 64, 96)
    keys = model.state_dict().keys()
    with torch.no_grad():
        expected = model.backbone(images)
        CompileHook(backend=backend).before_run(SimpleNamespace(model=model))
        found = model.backbone(images)
    assert len(graphs) == 1
    assert model.state_dict().keys() == keys
    torch.testing.assert_close(found, expected)


class Names(TorchDispatchMode):
    """Collect the names of all operators."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Note and call one operator."""
        self.seen.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('kind', ['LITE', 'NAIVE'])
@pytest.mark.parametrize('form', ['training', 'evaluation', 'rewritten'])
def test_nothing_is_read_back_or_copied_between_devices(kind, form):
    net = make(kind, form == 'training')
    if form == 'rewritten':
        net = rewrite(net)
    with Names() as names:
        out = net(random_images(2, 3, 64, 96))
        if form == 'training':
            sum(y.sum() for y in out).backward()
    assert len(names.seen) > 5
    assert not names.seen & set(HOST)


def test_names_are_collected():
    with Names() as names:
        torch.ones(1).item()
    assert names.seen & set(HOST)


def test_training_dispatches_fewer_operators_than_mmpose():
    from mmpose.models.backbones.litehrnet import LiteHRNet as MMPoseLiteHRNet

    counts = []
    for net in (LiteHRNet('litehrnet-18'), MMPoseLiteHRNet(mmpose_extra())):
        net.train()
        with OperatorCount() as count:
            net(random_images(2, 3, 64, 64))[0].sum().backward()
        counts.append(count.total)
        assert count.total > count_operators(net, random_images(2, 3, 64, 64))
    assert counts[0] < 0.95 * counts[1]


def test_options_reach_the_compiler():
    asked = {}
    model = nn.Module()
    model.backbone = nn.Module()
    model.backbone.compile = lambda **options: asked.update(options)
    CompileHook(mode='max-autotune').before_run(SimpleNamespace(model=model))
    assert asked == dict(fullgraph=True, mode='max-autotune')
