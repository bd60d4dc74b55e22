"""PP-TinyPose's ncnn files as weights of the wider naive Lite-HRNet-18.

PP-TinyPose (PaddleDetection, Apache-2.0) is that network, trained on COCO and AI
Challenger. Its ncnn files hold 269 nameless convolutions, each with its BatchNorm
folded into it. :func:`trace_convolutions` walks through the network as the file does
and says which convolution belongs where; every one is then checked against the file
by its shape, stride, padding and activation, and by *which convolutions feed it*, so
that a file of another network, order or fusion is refused rather than misread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from litehrnet_mm.checkpoints.ncnn import (
    CONVOLUTIONS,
    NcnnLayer,
    PathLike,
    read_ncnn,
)
from litehrnet_mm.cli import UserError
from litehrnet_mm.models.arch import ARCHS, ArchSpec, StemSpec

ARCH = 'wider-naive-litehrnet-18'
KEYPOINTS = (
    *('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'),
    *('left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow'),
    *('left_wrist', 'right_wrist', 'left_hip', 'right_hip'),
    *('left_knee', 'right_knee', 'left_ankle', 'right_ankle'),
)
INPUT = dict(
    channel_order='RGB',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bbox_padding=1.25,
)
"""What all of PaddleDetection's Lite-HRNets are given to see."""

META = dict(
    source='PP-TinyPose of PaddleDetection, from its ncnn files',
    license='Apache-2.0',
    arch=ARCH,
    training_data='COCO, AI Challenger',
    keypoints=list(KEYPOINTS),
    input=INPUT,
    batch_norm='folded into the convolutions: the statistics are placeholders, '
    'fine-tune with norm_eval=True',
)
"""What a checkpoint made of these weights says about itself."""

BN_EPS = 1e-5  # of PyTorch's and MMEngine's BatchNorm

# What may lie between two convolutions, beside sums and ReLU: layers that move values
# about, so that the convolutions that feed a layer can be read off the graph.
_PLUMBING = frozenset(
    {
        *('Concat', 'Interp', 'Permute', 'Reshape', 'ShuffleChannel', 'Slice'),
        'Split',
    }
)


@dataclass(frozen=True)
class Flow:
    """A feature map, as far as the mapping needs to know it.

    Attributes:
        channels: Its number of channels.
        sources: By position in the file, the convolutions that reach it with no
            other in between, each with the number of ways it does. A term that is
            added twice counts twice. The image is at position -1.
    """

    channels: int
    sources: Counter[int]

    def half(self) -> Flow:
        """One of the two halves of the channels."""
        return Flow(self.channels // 2, self.sources)

    def concat(self, other: Flow) -> Flow:
        """Both side by side; the shuffle of channels that follows changes nothing."""
        return Flow(self.channels + other.channels, self.sources + other.sources)

    @staticmethod
    def sum(flows: Iterable[Flow]) -> Flow:
        """The sum of maps of one width, resized where needed."""
        first, *others = flows
        return Flow(first.channels, sum((f.sources for f in others), first.sources))


@dataclass(frozen=True)
class ConvSpec:
    """One convolution of the network: where its weights go and what it has to be.

    Attributes:
        name: State-dict prefix of the convolution.
        norm: State-dict prefix of its BatchNorm, ``None`` if it has none.
        shape: ``(out, in // groups, kernel_h, kernel_w)``.
        stride: Stride in both directions.
        groups: 1, or the number of channels if depthwise.
        relu: Whether a ReLU follows directly.
        sources: See :class:`Flow`: of its input.
    """

    name: str
    norm: str | None
    shape: tuple[int, int, int, int]
    stride: int
    groups: int
    relu: bool
    sources: Counter[int]


@dataclass
class _Tracer:
    """Collects convolutions in the order in which a network's description runs."""

    specs: list[ConvSpec] = field(default_factory=list)

    def conv(
        self,
        x: Flow,
        names: tuple[str, str | None],
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        relu: bool = False,
    ) -> Flow:
        """Apply a convolution with BatchNorm and perhaps ReLU."""
        shape = (out, x.channels // groups, kernel, kernel)
        self.specs.append(ConvSpec(*names, shape, stride, groups, relu, x.sources))
        return Flow(out, Counter({len(self.specs) - 1: 1}))

    def depthwise(self, x: Flow, names: tuple[str, str], stride: int = 1) -> Flow:
        """Apply a 3×3 depthwise convolution, which no ReLU ever follows here."""
        return self.conv(x, names, x.channels, 3, stride, groups=x.channels)

    def separable(
        self, x: Flow, prefix: str, out: int, stride: int, relu: bool
    ) -> Flow:
        """Apply depthwise and pointwise layers of one ``nn.Sequential``."""
        x = self.depthwise(x, _pair(prefix, 0), stride)
        return self.conv(x, _pair(prefix, 2), out, relu=relu)


def trace_convolutions(arch: ArchSpec, num_keypoints: int) -> list[ConvSpec]:
    """List the convolutions of a naive Lite-HRNet pose estimator in file order.

    That is the order of execution, with the fusion of the released networks (see
    :class:`litehrnet_mm.models.module.Fusion`), each layer once.

    Args:
        arch: A net of shuffle blocks (``module_type`` NAIVE) with the iterative head,
            each stage adding one branch.
        num_keypoints: Output channels of the 1×1 pose head.
    """
    tracer = _Tracer()
    image = Flow(3, Counter({-1: 1}))
    branches = [_trace_stem(tracer, image, arch.stem)]
    for index, stage in enumerate(arch.stages):
        prefix = f'backbone.transition{index}'
        branches = _trace_transition(tracer, branches, prefix, stage.num_channels)
        for module in range(stage.num_modules):
            prefix = f'backbone.stage{index}.{module}'
            branches = [
                _trace_blocks(tracer, x, f'{prefix}.layers.{i}', stage.num_blocks)
                for i, x in enumerate(branches)
            ]
            branches = _trace_fusion(tracer, branches, f'{prefix}.fuse_layers')
    finest = _trace_iterative_head(tracer, branches, 'backbone.head_layer.projects')
    tracer.conv(finest, ('head.final_layer', None), num_keypoints)
    return tracer.specs


def _module(prefix: str) -> tuple[str, str]:
    """Names within a ConvModule."""
    return f'{prefix}.conv', f'{prefix}.bn'


def _pair(prefix: str, position: int) -> tuple[str, str]:
    """Names of a convolution and the BatchNorm that follows it in a Sequential."""
    return f'{prefix}.{position}', f'{prefix}.{position + 1}'


def _trace_stem(tracer: _Tracer, image: Flow, spec: StemSpec) -> Flow:
    stem = 'backbone.stem'
    names = _module(f'{stem}.conv1')
    x = tracer.conv(image, names, spec.stem_channels, 3, stride=2, relu=True)
    # The file has branch1 first, though the models run it last.
    kept = tracer.depthwise(x.half(), _module(f'{stem}.branch1.0'), stride=2)
    kept_channels = spec.out_channels - spec.linear_channels
    kept = tracer.conv(kept, _module(f'{stem}.branch1.1'), kept_channels, relu=True)

    names = _module(f'{stem}.expand_conv')
    x = tracer.conv(x.half(), names, spec.mid_channels, relu=True)
    x = tracer.depthwise(x, _module(f'{stem}.depthwise_conv'), stride=2)
    names = _module(f'{stem}.linear_conv')
    return kept.concat(tracer.conv(x, names, spec.linear_channels, relu=True))


def _trace_transition(
    tracer: _Tracer, branches: list[Flow], prefix: str, widths: Sequence[int]
) -> list[Flow]:
    adapted = [
        x
        if x.channels == width
        else tracer.separable(x, f'{prefix}.{i}', width, stride=1, relu=True)
        for i, (x, width) in enumerate(zip(branches, widths))
    ]
    new = f'{prefix}.{len(branches)}.0'
    return [*adapted, tracer.separable(branches[-1], new, widths[-1], 2, relu=True)]


def _trace_blocks(tracer: _Tracer, x: Flow, prefix: str, num_blocks: int) -> Flow:
    for block in range(num_blocks):
        kept, y = x.half(), x.half()
        path = f'{prefix}.{block}.branch2'
        y = tracer.conv(y, _module(f'{path}.0'), y.channels, relu=True)
        y = tracer.depthwise(y, _module(f'{path}.1'))
        y = tracer.conv(y, _module(f'{path}.2'), y.channels, relu=True)
        x = kept.concat(y)
    return x


def _trace_fusion(tracer: _Tracer, branches: list[Flow], prefix: str) -> list[Flow]:
    fused: list[Flow] = []
    inputs = list(branches)
    for i, own in enumerate(branches):
        terms = []
        for j, x in enumerate(inputs):
            name = f'{prefix}.{i}.{j}'
            if j < i:
                terms.append(_trace_downsampling(tracer, x, name, i - j, own.channels))
            elif j == i:
                terms.append(own)
            else:
                terms.append(tracer.conv(x, _pair(name, 0), own.channels))
        # The first term counts twice, and all later rows start from the new branch 0.
        fused.append(Flow.sum([terms[0], *terms]))
        inputs[0] = fused[0]
    return fused


def _trace_downsampling(
    tracer: _Tracer, x: Flow, prefix: str, steps: int, out: int
) -> Flow:
    for step in range(steps - 1):
        x = tracer.separable(x, f'{prefix}.{step}', x.channels, stride=2, relu=True)
    return tracer.separable(x, f'{prefix}.{steps - 1}', out, stride=2, relu=False)


def _trace_iterative_head(tracer: _Tracer, branches: list[Flow], prefix: str) -> Flow:
    coarse_to_fine = branches[::-1]
    widths = [x.channels for x in coarse_to_fine[1:]] + [branches[0].channels]
    terms: list[Flow] = []
    for i, (x, width) in enumerate(zip(coarse_to_fine, widths)):
        x = Flow.sum([x, *terms])
        x = tracer.depthwise(x, _module(f'{prefix}.{i}.depthwise_conv'))
        names = _module(f'{prefix}.{i}.pointwise_conv')
        terms = [tracer.conv(x, names, width, relu=True)]
    return terms[0]


def convert_pp_tinypose(param_path: PathLike, bin_path: PathLike) -> dict[str, Tensor]:
    """Read PP-TinyPose's ncnn files as a pose estimator's state dict.

    Args:
        param_path: ``tinypose_*.param``.
        bin_path: ``tinypose_*.bin``.

    Returns:
        State dict of a ``TopdownPoseEstimator`` with the backbone
        ``wider-naive-litehrnet-18`` (``backbone.*``, keys as in MMPose) and a
        ``HeatmapHead`` of one 1×1 convolution (``head.final_layer.*``). In evaluation
        mode it computes what the file does. The folded BatchNorm cannot be taken out
        again, so fine-tuning wants ``norm_eval=True``: in training mode each layer
        would be normalised anew, which is another function.

    Raises:
        UserError: If a file is damaged or is not this network.
    """
    layers = read_ncnn(param_path, bin_path)
    convolutions = [layer for layer in layers if layer.kind in CONVOLUTIONS]
    specs = trace_convolutions(ARCHS[ARCH], len(KEYPOINTS))
    most = 10 * len(specs)  # far above PP-TinyPose's 698, and soon walked through
    if len(convolutions) != len(specs) or len(layers) > most:
        raise UserError(
            f'{param_path}: expected the {len(specs)} convolutions of PP-TinyPose '
            f'({ARCH} with a pose head) among at most {most} layers, '
            f'found {len(convolutions)} among {len(layers)}'
        )
    state_dict: dict[str, Tensor] = {}
    for spec, layer, sources in zip(specs, convolutions, _file_sources(layers)):
        _check_layer(spec, layer, sources)
        state_dict.update(_entries(spec, layer))
    if layers[-1] is not convolutions[-1]:
        raise UserError(
            f'{layers[-1].where}: expected the pose head as last layer, '
            f'found {layers[-1].label}'
        )
    return state_dict


def _file_sources(layers: Sequence[NcnnLayer]) -> list[Counter[int]]:
    """For each convolution in the file, what :attr:`Flow.sources` is of its input."""
    blobs: dict[str, Counter[int]] = {}
    sources: list[Counter[int]] = []
    for layer in layers:
        inputs = layer.inputs[:2]  # more are refused below
        found = sum((blobs[blob] for blob in inputs), Counter())
        if layer.kind in CONVOLUTIONS:
            sources.append(found)
            found = Counter({len(sources) - 1: 1})
        elif layer.kind == 'Input':
            found = Counter({-1: 1})
        elif not _is_plumbing(layer):
            raise UserError(
                f'{layer.where}: {layer.label}: expected only sums, ReLU and '
                'rearrangements between the convolutions of PP-TinyPose, found '
                'another operation'
            )
        blobs.update(dict.fromkeys(layer.outputs, found))
    return sources


def _is_plumbing(layer: NcnnLayer) -> bool:
    """Whether a layer may lie between two convolutions of this network.

    No such layer has more than two inputs, which also bounds the work of
    :func:`_file_sources` on a hostile file.
    """
    if layer.kind == 'BinaryOp':
        return len(layer.inputs) == 2 and layer.params.get(0, 0) == 0  # the sum
    if layer.kind == 'ReLU':
        return layer.params.get(0, 0) == 0  # no slope below zero
    return layer.kind in _PLUMBING and len(layer.inputs) <= 2


def _check_layer(spec: ConvSpec, layer: NcnnLayer, sources: Counter[int]) -> None:
    """Check that a convolution in the file is the one the network has there."""
    kernel = spec.shape[2]
    left = layer.integer(4)
    top = layer.integer(14, left)
    checks = (
        ('weights', spec.shape, layer.weight.shape),
        ('groups', spec.groups, layer.groups),
        ('stride', (spec.stride, spec.stride), layer.pair(3, 13, 1)),
        ('dilation', (1, 1), layer.pair(2, 12, 1)),
        (
            'padding',
            (kernel // 2,) * 4,
            (left, top, layer.integer(15, left), layer.integer(16, top)),
        ),
        ('activation', int(spec.relu), layer.integer(9)),
        ('feeding convolutions {position: times}', spec.sources, sources),
    )
    for what, expected, found in checks:
        if expected != found:
            raise UserError(
                f'{layer.where}: {layer.label}, taken for {spec.name}: {what}: '
                f'expected {_show(expected)}, found {_show(found)}'
            )


def _show(value: object) -> str:
    """A value of a check, in a length that fits in a message."""
    text = str(dict(value) if isinstance(value, Counter) else value)
    return text if len(text) <= 80 else f'{text[:80]}…'


def _entries(spec: ConvSpec, layer: NcnnLayer) -> dict[str, Tensor]:
    """State-dict entries of one convolution and its BatchNorm."""
    bias = layer.bias if layer.bias is not None else np.zeros(spec.shape[0], np.float32)
    entries = {f'{spec.name}.weight': torch.from_numpy(layer.weight)}
    if spec.norm is None:
        return {**entries, f'{spec.name}.bias': torch.from_numpy(bias)}
    ones = torch.ones(spec.shape[0])
    # BatchNorm computes (x - mean) / sqrt(var + eps) * weight + bias. With a variance
    # of 1 - eps the root is 1 to the last bit, so that x + bias comes out exactly,
    # and folding it again for deployment gives the file's own weights back. The scale
    # stays at the 1 of a fresh layer, where learning rate and weight decay expect it.
    norm = dict(
        weight=ones,
        bias=torch.from_numpy(bias),
        running_mean=torch.zeros(spec.shape[0]),
        running_var=ones - BN_EPS,
        num_batches_tracked=torch.tensor(0),
    )
    return {**entries, **{f'{spec.norm}.{key}': value for key, value in norm.items()}}
