"""Checkpoints in the layouts of other projects, made from networks not ours."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS, DefaultScope
from nets import PUBLISHED, mmpose_extra, randomise
from torch import Tensor, nn

import litehrnet_mm  # noqa: F401  (before mmpose, where mmcv-lite needs its stand-ins)

DECONVOLUTIONS = dict(
    deconv_out_channels=(256, 256, 256), deconv_kernel_sizes=(4, 4, 4)
)
BACKBONES = {
    'mobilenetv2': (dict(type='MobileNetV2', out_indices=(7,)), 1280, DECONVOLUTIONS),
    'shufflenetv2': (dict(type='ShuffleNetV2'), 1024, DECONVOLUTIONS),
    **{
        name: (dict(type='LiteHRNet', extra=mmpose_extra(*spec)), spec[2][0], {})
        for name, spec in PUBLISHED.items()
    },
}


def mmpose_estimator(
    name: str, keypoints: int = 17, seed: int = 0, **head_options
) -> nn.Module:
    """MMPose's own pose estimator with random weights, in evaluation mode."""
    backbone, width, deconvolutions = BACKBONES[name]
    head = dict(
        type='HeatmapHead',
        in_channels=width,
        out_channels=keypoints,
        **{'deconv_out_channels': None, **deconvolutions, **head_options},
    )
    model = dict(type='TopdownPoseEstimator', backbone=backbone, head=head)
    with DefaultScope.overwrite_default_scope('mmpose'):
        return randomise(MODELS.build(model), seed).eval()


@torch.no_grad()
def heatmaps(model: nn.Module, images: Tensor) -> Tensor:
    """Heatmaps of a pose estimator of MMPose."""
    return model.head(model.extract_feat(images))


def old_layout(model: nn.Module, prefix: str = '') -> OrderedDict[str, Tensor]:
    """A state dict as the official repository and MMPose 0.x have it.

    Theirs knows no ``conv_layers``: what 1.x keeps there begins ``final_layer``.
    """
    convolutions = len(getattr(model.head.conv_layers, '_modules', {}))
    found = OrderedDict()
    for key, value in model.state_dict().items():
        if key.startswith('head.'):
            if convolutions:
                key = key.replace('head.final_layer.', f'final_layer.{convolutions}.')
                key = key.replace('head.conv_layers.', 'final_layer.')
                key = f'head.{key}' if key.startswith('final') else key
            key = f'keypoint_{key}'
        found[prefix + key] = value
    return found


def training_checkpoint(state_dict: OrderedDict[str, Tensor]) -> dict:
    """A checkpoint as mmcv 1.x writes it while training."""
    meta = dict(
        mmpose_version='0.11.0+7ae1dd5', config="log_level = 'INFO'\n", epoch=210,
        iter=3120, mmcv_version='1.3.3', time='Thu Apr 15 08:21:13 2021',
        env_info='sys.platform: linux\n', seed=None,
    )  # fmt: skip
    momentum = {0: dict(step=3120, exp_avg=torch.zeros(2))}
    groups = [dict(lr=2e-5, betas=(0.9, 0.999), eps=1e-8, params=[0])]
    optimizer = dict(state=momentum, param_groups=groups)
    return dict(meta=meta, state_dict=state_dict, optimizer=optimizer)


def save(content: object, path: Path) -> Path:
    """Write a checkpoint file and return its path."""
    torch.save(content, path)
    return path


class PaddlePoseNet:
    """PaddleDetection's TopDownHRNet with LiteHRNet, as its layers are named and run.

    Written from the modules of ``lite_hrnet.py`` and ``keypoint_hrnet.py`` alone, as a
    second opinion on names and order. A layer makes its random weights when it is
    first run, so that all names come from the order of execution.
    """

    def __init__(self, network_type: str, keypoints: int, seed: int = 0) -> None:
        narrow, deep = network_type == 'naive', network_type == 'lite_30'
        self.widths = (30, 60, 120, 240) if narrow else (40, 80, 160, 320)
        self.modules = (3, 8, 3) if deep else (2, 4, 2)
        self.lite = network_type.startswith('lite')
        self.keypoints = keypoints
        self.weights: dict[str, Tensor] = {}
        self.generator = torch.Generator().manual_seed(seed)

    def _make(self, name: str, shape: tuple[int, ...], low: float, high: float):
        if name not in self.weights:
            values = torch.rand(shape, generator=self.generator)
            self.weights[name] = low + (high - low) * values
        assert self.weights[name].shape == shape, name
        return self.weights[name]

    def _conv(self, x, name, out, kernel=1, stride=1, groups=1, bias=False):
        shape = (out, x.shape[1] // groups, kernel, kernel)
        bound = (3 / (shape[1] * kernel**2)) ** 0.5
        weight = self._make(f'{name}.weight', shape, -bound, bound)
        offset = self._make(f'{name}.bias', (out,), -1, 1) if bias else None
        return F.conv2d(x, weight, offset, stride, kernel // 2, groups=groups)

    def _norm(self, x, name):
        shape = (x.shape[1],)
        mean = self._make(f'{name}._mean', shape, -1, 1)
        variance = self._make(f'{name}._variance', shape, 0.5, 2)
        weight = self._make(f'{name}.weight', shape, 0.5, 1.5)
        bias = self._make(f'{name}.bias', shape, -0.5, 1)
        return F.batch_norm(x, mean, variance, weight, bias)

    def _conv_norm(self, x, name, out, kernel=1, stride=1, groups=1):
        x = self._conv(x, f'{name}.conv', out, kernel, stride, groups)
        return self._norm(x, f'{name}.norm')

    def _depthwise(self, x, name, stride=1):
        return self._conv_norm(x, name, x.shape[1], 3, stride, x.shape[1])

    def _separable(self, x, name, out, stride):
        """Four layers of a Sequential: depthwise, norm, pointwise, norm."""
        x = self._conv(x, f'{name}.0', x.shape[1], 3, stride, x.shape[1])
        x = self._conv(self._norm(x, f'{name}.1'), f'{name}.2', out)
        return self._norm(x, f'{name}.3')

    def _stem(self, x, name):
        x1, x2 = F.relu(self._conv_norm(x, f'{name}.conv1', 32, 3, 2)).chunk(2, 1)
        x1 = self._depthwise(x1, f'{name}.branch1.0', 2)
        x1 = F.relu(self._conv_norm(x1, f'{name}.branch1.1', 16))
        x2 = F.relu(self._conv_norm(x2, f'{name}.expand_conv', 32))
        x2 = self._depthwise(x2, f'{name}.depthwise_conv', 2)
        x2 = F.relu(self._conv_norm(x2, f'{name}.linear_conv', 16))
        return F.channel_shuffle(torch.cat([x1, x2], 1), 2)

    def _shuffle_unit(self, x, name):
        x1, x2 = x.chunk(2, 1)
        half = x2.shape[1]
        x2 = F.relu(self._conv_norm(x2, f'{name}.branch2.0', half))
        x2 = self._depthwise(x2, f'{name}.branch2.1')
        x2 = F.relu(self._conv_norm(x2, f'{name}.branch2.2', half))
        return F.channel_shuffle(torch.cat([x1, x2], 1), 2)

    def _weighting_block(self, xs, name):
        kept, x2 = zip(*(x.chunk(2, 1) for x in xs))
        size, widths = x2[-1].shape[-2:], [x.shape[1] for x in x2]
        gate = torch.cat([F.adaptive_avg_pool2d(x, size) for x in x2], 1)
        path, total = f'{name}.cross_resolution_weighting', sum(widths)
        gate = F.relu(self._conv_norm(gate, f'{path}.conv1', total // 8))
        gate = torch.sigmoid(self._conv_norm(gate, f'{path}.conv2', total))
        out = []
        for i, (x, g) in enumerate(zip(x2, gate.split(widths, 1))):
            x = x * F.interpolate(g, x.shape[-2:])
            x = self._depthwise(x, f'{name}.depthwise_convs.{i}')
            path, pooled = f'{name}.spatial_weighting.{i}', x.mean((2, 3), keepdim=True)
            y = self._conv(pooled, f'{path}.conv1.conv', x.shape[1] // 4, bias=True)
            y = self._conv(F.relu(y), f'{path}.conv2.conv', x.shape[1], bias=True)
            x = torch.cat([kept[i], x * torch.sigmoid(y)], 1)
            out.append(F.channel_shuffle(x, 2))
        return out

    def _fuse_layer(self, x, name, i, j, width):
        if j > i:
            x = self._norm(self._conv(x, f'{name}.0', width), f'{name}.1')
            return F.interpolate(x, scale_factor=2 ** (j - i))
        for k in range(i - j - 1):
            x = F.relu(self._separable(x, f'{name}.{k}', x.shape[1], 2))
        return self._separable(x, f'{name}.{i - j - 1}', width, 2)

    def _module(self, xs, name):
        for block in range(2):
            if self.lite:
                xs = self._weighting_block(xs, f'{name}.layers.{block}')
            else:
                names = [f'{name}.layers.{i}.{block}' for i in range(len(xs))]
                xs = [self._shuffle_unit(x, path) for x, path in zip(xs, names)]
        fused, xs = [], list(xs)
        widths = [x.shape[1] for x in xs]
        for i, width in enumerate(widths):
            path = f'{name}.fuse_layers.{i}'
            y = xs[0] if i == 0 else self._fuse_layer(xs[0], f'{path}.0', i, 0, width)
            y = y + y
            for j in range(1, len(xs)):
                layer = f'{path}.{j}'
                y = y + (
                    xs[j] if i == j else self._fuse_layer(xs[j], layer, i, j, width)
                )
            if i == 0:
                xs[0] = y
            fused.append(F.relu(y))
        return fused

    def _transition(self, xs, name, widths):
        out = []
        for i, width in enumerate(widths):
            if i >= len(xs):
                out.append(F.relu(self._separable(xs[-1], f'{name}.{i}.0', width, 2)))
            elif xs[i].shape[1] != width:
                out.append(F.relu(self._separable(xs[i], f'{name}.{i}', width, 1)))
            else:
                out.append(xs[i])
        return out

    def _iterative_head(self, xs, name):
        last = None
        for i, x in enumerate(xs[::-1]):
            if last is not None:
                x = x + F.interpolate(
                    last, x.shape[-2:], mode='bilinear', align_corners=True
                )
            width = xs[max(len(xs) - 2 - i, 0)].shape[1]
            x = self._depthwise(x, f'{name}.projects.{i}.depthwise_conv')
            last = F.relu(
                self._conv_norm(x, f'{name}.projects.{i}.pointwise_conv', width)
            )
        return last

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Map images ``(N, 3, H, W)`` to heatmaps; sides are multiples of 32."""
        xs = [self._stem(images, 'backbone.stem')]
        for stage, modules in enumerate(self.modules):
            widths = self.widths[: stage + 2]
            xs = self._transition(xs, f'backbone.transition{stage}', widths)
            for module in range(modules):
                xs = self._module(xs, f'backbone.stage{stage}.{module}')
        x = self._iterative_head(xs, 'backbone.head_layer')
        return self._conv(x, 'final_conv', self.keypoints, bias=True)
