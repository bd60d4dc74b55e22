"""The published nets as data, and the reading of MMPose's ``extra`` dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAGE_KEYS = (
    'num_modules',
    'num_branches',
    'num_blocks',
    'module_type',
    'with_fuse',
    'reduce_ratios',
    'num_channels',
)
STEM_KEYS = ('stem_channels', 'out_channels', 'expand_ratio')
EXTRA_KEYS = ('stem', 'num_stages', 'stages_spec', 'with_head')
MODULE_TYPES = ('LITE', 'NAIVE')


@dataclass(frozen=True)
class StemSpec:
    """Widths of the stem, which brings the input to a quarter of its size.

    Attributes:
        stem_channels: Channels after the first convolution; even.
        out_channels: Channels the stem hands to the first stage; even.
        expand_ratio: Width of the inner depthwise convolution, relative to
            ``stem_channels``.
    """

    stem_channels: int
    out_channels: int
    expand_ratio: float

    @property
    def mid_channels(self) -> int:
        """Channels of the expanded, depthwise-filtered half."""
        return round(self.stem_channels * self.expand_ratio)

    @property
    def linear_channels(self) -> int:
        """Channels of the convolved half at the stem's end."""
        if self.stem_channels == self.out_channels:
            return self.stem_channels // 2
        return self.stem_channels


@dataclass(frozen=True)
class StageSpec:
    """One stage: high-resolution modules that share their branches.

    Attributes:
        num_modules: Number of high-resolution modules, each ending in a fusion.
        num_blocks: Blocks per module (and branch).
        module_type: ``'LITE'`` for conditional channel weighting blocks,
            ``'NAIVE'`` for shuffle blocks.
        with_fuse: Whether the modules exchange information across resolutions.
        reduce_ratio: Squeeze of the cross-resolution weighting; unused by NAIVE.
        num_channels: Width of each branch, highest resolution first; even.
    """

    num_modules: int
    num_blocks: int
    module_type: str
    with_fuse: bool
    reduce_ratio: int
    num_channels: tuple[int, ...]

    @property
    def num_branches(self) -> int:
        """Number of parallel resolutions."""
        return len(self.num_channels)


@dataclass(frozen=True)
class ArchSpec:
    """A whole Lite-HRNet: stem, stages, and whether the iterative head follows."""

    stem: StemSpec
    stages: tuple[StageSpec, ...]
    with_head: bool


def _published(
    num_modules: tuple[int, ...], module_type: str, widths: tuple[int, ...]
) -> ArchSpec:
    stages = tuple(
        StageSpec(
            num_modules=modules,
            num_blocks=2,
            module_type=module_type,
            with_fuse=True,
            reduce_ratio=8,
            num_channels=widths[: index + 2],
        )
        for index, modules in enumerate(num_modules)
    )
    return ArchSpec(StemSpec(32, 32, 1), stages, with_head=True)


ARCHS: dict[str, ArchSpec] = {
    'litehrnet-18': _published((2, 4, 2), 'LITE', (40, 80, 160, 320)),
    'litehrnet-30': _published((3, 8, 3), 'LITE', (40, 80, 160, 320)),
    'naive-litehrnet-18': _published((2, 4, 2), 'NAIVE', (30, 60, 120, 240)),
    'wider-naive-litehrnet-18': _published((2, 4, 2), 'NAIVE', (40, 80, 160, 320)),
}
"""The nets of Yu et al., CVPR 2021, by name (facts: Table 2 of the paper)."""


def parse_arch(arch: str | Mapping[str, Any] | ArchSpec) -> ArchSpec:
    """Turn a name or MMPose's ``extra`` dictionary into a checked specification.

    Args:
        arch: One of :data:`ARCHS`, a mapping in the format of MMPose's
            ``LiteHRNet(extra=...)``, which is only read, or a finished specification,
            which is returned.

    Raises:
        ValueError: On an unknown name, and on keys or values that no net can have;
            the message names them and what is allowed.
        TypeError: If ``arch`` is neither a string nor a mapping.
    """
    if isinstance(arch, ArchSpec):
        return arch
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(f"unknown arch '{arch}', choose from {sorted(ARCHS)}")
        return ARCHS[arch]
    if not isinstance(arch, Mapping):
        raise TypeError(
            f'arch must be one of {sorted(ARCHS)} or a dict like '
            f"MMPose's extra, got {type(arch).__name__}"
        )
    _check_keys(arch, EXTRA_KEYS, 'extra', optional=('with_head',))
    stem = _parse_stem(arch['stem'])
    stages = _parse_stages(arch['stages_spec'], arch['num_stages'])
    return ArchSpec(stem, stages, bool(arch.get('with_head', True)))


def _check_keys(
    given: Any, allowed: Sequence[str], name: str, optional: Sequence[str] = ()
) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f'{name} must be a dict, got {type(given).__name__}')
    unknown = sorted(set(given) - set(allowed), key=str)
    missing = sorted(set(allowed) - set(given) - set(optional))
    if unknown or missing:
        raise ValueError(
            f'{name} has unknown keys {unknown} and lacks {missing}; '
            f'allowed are {list(allowed)}'
        )


def _check_even(value: int, name: str) -> None:
    if not _is_count(value) or value < 2 or value % 2:
        raise ValueError(
            f'{name} must be an even number of at least 2, since blocks split their '
            f'channels in halves, got {value!r}'
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _parse_stem(stem: Mapping[str, Any]) -> StemSpec:
    _check_keys(stem, STEM_KEYS, "extra['stem']")
    spec = StemSpec(**{key: stem[key] for key in STEM_KEYS})
    _check_even(spec.stem_channels, 'stem_channels')
    _check_even(spec.out_channels, 'out_channels')
    ratio = spec.expand_ratio
    if not isinstance(ratio, (int, float)) or ratio <= 0 or spec.mid_channels < 1:
        raise ValueError(f'expand_ratio must be positive, got {ratio!r}')
    if spec.out_channels <= spec.linear_channels:
        raise ValueError(
            f'out_channels must be equal to or greater than stem_channels '
            f'{spec.stem_channels}, got {spec.out_channels}'
        )
    return spec


def _parse_stages(spec: Mapping[str, Any], num_stages: int) -> tuple[StageSpec, ...]:
    _check_keys(spec, STAGE_KEYS, "extra['stages_spec']")
    if not _is_count(num_stages):
        raise ValueError(f'num_stages must be at least 1, got {num_stages!r}')
    for key in STAGE_KEYS:
        if not isinstance(spec[key], (list, tuple)) or len(spec[key]) != num_stages:
            raise ValueError(
                f'{key} must have num_stages={num_stages} entries, got {spec[key]!r}'
            )
    stages = tuple(_parse_stage(spec, index) for index in range(num_stages))
    branches = [stage.num_branches for stage in stages]
    if branches != sorted(branches):
        raise ValueError(f'num_branches must not fall between stages, got {branches}')
    return stages


def _parse_stage(spec: Mapping[str, Any], index: int) -> StageSpec:
    values = {key: spec[key][index] for key in STAGE_KEYS}
    where = f'of stage {index}'
    for key in ('num_modules', 'num_branches', 'num_blocks', 'reduce_ratios'):
        if not _is_count(values[key]):
            raise ValueError(f'{key} {where} must be at least 1, got {values[key]!r}')
    module_type = str(values['module_type']).upper()
    if module_type not in MODULE_TYPES:
        raise ValueError(
            f'module_type {where} must be one of {MODULE_TYPES}, '
            f'got {values["module_type"]!r}'
        )
    channels = values['num_channels']
    if (
        not isinstance(channels, (list, tuple))
        or len(channels) != values['num_branches']
    ):
        raise ValueError(
            f'num_channels {where} must have num_branches={values["num_branches"]} '
            f'entries, got {channels}'
        )
    for width in channels:
        _check_even(width, f'every width in num_channels {where}')
    return StageSpec(
        num_modules=values['num_modules'],
        num_blocks=values['num_blocks'],
        module_type=module_type,
        with_fuse=bool(values['with_fuse']),
        reduce_ratio=values['reduce_ratios'],
        num_channels=tuple(channels),
    )
