"""The Lite-HRNet backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from litehrnet_mm.models.arch import ArchSpec, StageSpec, parse_arch
from litehrnet_mm.models.blocks import Stem
from litehrnet_mm.models.head import IterativeHead
from litehrnet_mm.models.layers import LayerCfg
from litehrnet_mm.models.module import FUSIONS, HighResolutionModule
from litehrnet_mm.registry import MODELS

MIN_INPUT_SIDE = 32


@MMENGINE_MODELS.register_module()
@MODELS.register_module()
class LiteHRNet(BaseModule):
    """Lite-HRNet of Yu et al., CVPR 2021 (https://arxiv.org/abs/2104.06403).

    Keys and shapes of the state dict are those of the official and of MMPose's
    checkpoints. Parameters that no requested output depends on are not built; when a
    checkpoint holds them, loading leaves them out and logs their names.

    Args:
        arch: ``'litehrnet-18'`` (the default), ``'litehrnet-30'``,
            ``'naive-litehrnet-18'``, ``'wider-naive-litehrnet-18'``, or a dict in the
            format of MMPose's ``extra``.
        in_channels: Channels of the input image.
        out_indices: Branches to return, ascending; 0 is the highest resolution, a
            quarter of the input.
        with_head: Whether the iterative head follows the last stage. ``None`` means
            what ``arch`` says: the published nets have it.
        frozen_stages: Freeze the stem (0), or the stem and the first ``k`` stages
            with the transitions that lead to them (``k``). -1 freezes nothing.
        norm_eval: Keep every BatchNorm in evaluation mode while training.
        with_cp: Trade time for memory: recompute the activations of stem and blocks
            in the backward pass.
        conv_cfg: Configuration of every convolution; ``None`` is ``nn.Conv2d``.
        norm_cfg: Configuration of every normalisation; ``None`` is BatchNorm.
        fusion: ``'released'``, the sum that all released weights were trained with,
            or ``'plain'``, the textbook one; see
            :class:`~litehrnet_mm.models.module.Fusion`.
        init_cfg: MMEngine's initialisation. ``None`` is the published one: normal
            with deviation 0.001 for convolutions, 1 for normalisations.
        extra: The same as ``arch`` given as a dict, under MMPose's name.

    Attributes:
        out_channels (tuple[int, ...]): Channels of each returned branch.

    Raises:
        ValueError: If an argument has a value that no net can have.
        TypeError: If an argument is of the wrong type.

    Example:
        >>> import torch
        >>> from litehrnet_mm.models import LiteHRNet
        >>> net = LiteHRNet('litehrnet-18', out_indices=(0, 1)).eval()
        >>> [tuple(y.shape) for y in net(torch.rand(1, 3, 256, 192))]
        [(1, 40, 64, 48), (1, 40, 32, 24)]
    """

    def __init__(
        self,
        arch: str | Mapping[str, Any] | ArchSpec | None = None,
        in_channels: int = 3,
        out_indices: Sequence[int] = (0,),
        with_head: bool | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] | None = None,
        fusion: str = 'released',
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(_published_init() if init_cfg is None else init_cfg)
        if arch is not None and extra is not None:
            raise ValueError('give the architecture as arch or as extra, not as both')
        given = extra if arch is None else arch
        self.arch = parse_arch('litehrnet-18' if given is None else given)
        self.with_head = self.arch.with_head if with_head is None else bool(with_head)
        self.in_channels = in_channels
        self.out_indices = _check_indices(out_indices, self.arch)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.norm_cfg = _checked_cfg('norm_cfg', norm_cfg) or dict(type='BN')
        _check_arguments(self)
        if fusion not in FUSIONS:
            raise ValueError(f'fusion must be one of {FUSIONS}, got {fusion!r}')
        cfg = LayerCfg(_checked_cfg('conv_cfg', conv_cfg), self.norm_cfg)
        self._build(cfg, fusion, with_cp)
        self._freeze_stages()

    def _build(self, cfg: LayerCfg, fusion: str, with_cp: bool) -> None:
        stages = self.arch.stages
        last = stages[-1].num_channels
        finest = min(self.out_indices)
        used = range(finest, len(last)) if self.with_head else self.out_indices
        plan = _plan_branches(stages, tuple(used))

        self.stem = Stem(self.in_channels, self.arch.stem, cfg, with_cp)
        previous: tuple[int, ...] = (self.arch.stem.out_channels,)
        for index, (stage, used_by_module) in enumerate(zip(stages, plan)):
            transition = _transition(
                previous, stage.num_channels, used_by_module[0], cfg
            )
            modules = (
                HighResolutionModule(stage, cfg, out_branches, fusion, with_cp)
                for out_branches in used_by_module[1:]
            )
            # Numbered from 0, as in the released checkpoints.
            self.add_module(f'transition{index}', transition)
            self.add_module(f'stage{index}', nn.Sequential(*modules))
            previous = stage.num_channels
        channels = last
        if self.with_head:
            self.head_layer = IterativeHead(last, finest, cfg)
            channels = self.head_layer.out_channels
        self.out_channels = tuple(channels[i] for i in self.out_indices)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the requested branches.

        Args:
            x: Images ``(N, in_channels, H, W)``, H and W at least 32.

        Returns:
            For each ``i`` of ``out_indices`` a tensor
            ``(N, C_i, ⌈H/2^(i+2)⌉, ⌈W/2^(i+2)⌉)``.

        Raises:
            ValueError: If the input has another rank, other channels, or is smaller;
                while training, if BatchNorm would get one value per channel.
        """
        self._check_input(x)
        branches = [self._run_stem(x)]
        for index in range(len(self.arch.stages)):
            transition = getattr(self, f'transition{index}')
            branches = [
                # A new, coarser branch starts from the coarsest there is.
                layer(branches[min(i, len(branches) - 1)])
                for i, layer in enumerate(transition)
            ]
            branches = getattr(self, f'stage{index}')(branches)
        if self.with_head:
            branches = self.head_layer(branches)
        return tuple(branches[i] for i in self.out_indices)

    def _run_stem(self, x: Tensor) -> Tensor:
        """The stem, in float32 even where autocast asks for bfloat16.

        Its 8 bits of precision cost most where pixels come in: two thirds of what
        keypoints move by (docs/reliability.md).
        """
        device = x.device.type
        # 'meta' knows no autocast; PyTorch 2.6 cannot compile the question which do.
        autocast = device != 'meta' and torch.is_autocast_enabled(device)
        if not autocast or torch.get_autocast_dtype(device) != torch.bfloat16:
            return self.stem(x)
        with torch.autocast(device, enabled=False):
            return self.stem(x.float())

    def _check_input(self, x: Tensor) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f'LiteHRNet takes a tensor, got {type(x).__name__}')
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'LiteHRNet takes a batch of shape (N, {self.in_channels}, H, W), '
                f'got {tuple(x.shape)}'
            )
        if x.shape[2] < MIN_INPUT_SIDE or x.shape[3] < MIN_INPUT_SIDE:
            raise ValueError(
                f'LiteHRNet takes images of at least {MIN_INPUT_SIDE}×'
                f'{MIN_INPUT_SIDE} pixels, got {x.shape[2]}×{x.shape[3]}'
            )
        if self.training and x.shape[0] == 1:
            self._check_statistics(x)

    def _check_statistics(self, x: Tensor) -> None:
        """Refuse a single image whose coarsest branch is a single pixel."""
        coarsest = 2 ** (self.arch.stages[-1].num_branches + 1)
        norms = (m for m in self.modules() if isinstance(m, nn.BatchNorm2d))
        if max(x.shape[2:]) <= coarsest and any(norm.training for norm in norms):
            raise ValueError(
                f'LiteHRNet cannot be trained with one image of {x.shape[2]}×'
                f'{x.shape[3]} pixels: BatchNorm would get one value per channel. '
                'Give it two images or more, a larger image, or norm_eval=True'
            )

    def train(self, mode: bool = True) -> LiteHRNet:
        """Set the mode; frozen stages and, with ``norm_eval``, BatchNorm stay."""
        super().train(mode)
        if mode:
            for module in self._frozen_modules():
                module.eval()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        names = ['stem']
        for index in range(self.frozen_stages):
            names += [f'transition{index}', f'stage{index}']
        return [self.get_submodule(name) for name in names]

    def _freeze_stages(self) -> None:
        for module in self._frozen_modules():
            module.eval()
            module.requires_grad_(False)

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args, **kwargs
    ) -> None:
        """Load, and say which parameters of the full net this one has no use for."""
        own = set(self.state_dict())
        foreign = {
            key
            for key in state_dict
            if key.startswith(prefix) and key[len(prefix) :] not in own
        }
        left_out = {key for key in foreign if key[len(prefix) :] in self.full_net_keys}
        for key in left_out:
            del state_dict[key]
        if left_out:
            parts = sorted({self._missing_part(key[len(prefix) :]) for key in left_out})
            print_log(
                f'LiteHRNet with out_indices={self.out_indices} and with_head='
                f'{self.with_head} left out {len(left_out)} entries of the checkpoint '
                f'that it has no use for, in {", ".join(parts)}',
                logger='current',
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _missing_part(self, key: str) -> str:
        """The outermost module that holds ``key`` in a full net, and not in this."""
        names = key.split('.')
        module: nn.Module = self
        for depth, name in enumerate(names):
            module = module._modules.get(name, nn.Identity())
            if isinstance(module, nn.Identity):
                return '.'.join(names[: depth + 1])
        return key

    @cached_property
    def full_net_keys(self) -> frozenset[str]:
        """Keys of the released form of this architecture: all branches and head."""
        branches = range(self.arch.stages[-1].num_branches)
        with torch.device('meta'):
            full = LiteHRNet(
                self.arch, out_indices=branches, with_head=True, norm_cfg=self.norm_cfg
            )
        return frozenset(full.state_dict())


def _published_init() -> list[dict[str, Any]]:
    return [
        dict(type='Normal', std=0.001, layer=['Conv2d']),
        dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
    ]


def _checked_cfg(name: str, cfg: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if cfg is None:
        return None
    if not isinstance(cfg, Mapping) or 'type' not in cfg:
        raise TypeError(f"{name} must be a dict with 'type', or None, got {cfg!r}")
    return dict(cfg)


def _check_indices(indices: Sequence[int], arch: ArchSpec) -> tuple[int, ...]:
    branches = range(arch.stages[-1].num_branches)
    if isinstance(indices, (Sequence, range)) and len(indices):
        found = tuple(indices)
        known = all(type(i) is int and i in branches for i in found)
        if known and list(found) == sorted(set(found)):
            return found
    raise ValueError(
        f'out_indices must be distinct numbers within 0 to {branches[-1]} in ascending '
        f'order, got {indices!r}'
    )


def _check_arguments(net: LiteHRNet) -> None:
    num_stages = len(net.arch.stages)
    frozen = net.frozen_stages
    if type(frozen) is not int or frozen not in range(-1, num_stages + 1):
        raise ValueError(
            f'frozen_stages must be within -1 to {num_stages}, got {frozen!r}'
        )
    if not isinstance(net.in_channels, int) or net.in_channels < 1:
        raise ValueError(f'in_channels must be at least 1, got {net.in_channels!r}')


def _plan_branches(
    stages: Sequence[StageSpec], used: tuple[int, ...]
) -> list[list[tuple[int, ...]]]:
    """Which branches are used where, from the last module back to the first.

    Args:
        stages: All stages.
        used: Branches of the last stage that something reads.

    Returns:
        For each stage the used branches of its input, then those of each module's
        output.
    """
    plan = []
    for index in reversed(range(len(stages))):
        stage = stages[index]
        rows = [used]
        for _ in range(stage.num_modules):
            mixes = stage.module_type == 'LITE' or stage.with_fuse
            used = tuple(range(stage.num_branches)) if mixes else used
            rows.append(used)
        plan.append(rows[::-1])
        if index > 0:
            coarsest = stages[index - 1].num_branches - 1
            used = tuple(sorted({min(i, coarsest) for i in used}))
    return plan[::-1]


def _transition(
    previous: Sequence[int], channels: Sequence[int], used: Sequence[int], cfg: LayerCfg
) -> nn.ModuleList:
    """Bring the branches of one stage to the widths and number of the next."""
    layers: list[nn.Module] = []
    for i, width in enumerate(channels):
        if i not in used or (i < len(previous) and previous[i] == width):
            layers.append(nn.Identity())
        elif i < len(previous):
            layers.append(cfg.depthwise_pointwise(previous[i], width, 1, relu=True))
        else:
            steps = i + 1 - len(previous)
            layers.append(cfg.downsampling(previous[-1], width, steps, last_relu=True))
    return nn.ModuleList(layers)
