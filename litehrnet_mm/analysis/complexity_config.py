"""The complexity of what a config describes."""

from __future__ import annotations

from mmengine.config import Config

from litehrnet_mm.analysis.complexity import Complexity, measure
from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.engine.options import is_segmentation


def measure_config(path: str, size: tuple[int, int] | None = None) -> Complexity:
    """Count what the whole model of a config costs, heads included.

    Args:
        path: A config of MMPose or MMSegmentation.
        size: Height and width of the input, in pixels. ``None`` means what the config
            says: the input of its codec, or its crop.

    Raises:
        UserError: If the config cannot be read, its model cannot be built, it says no
            input size where none is given, or the model does not take that size.
    """
    cfg = load_config(path, {})
    model = build_model(cfg, path)
    height, width = input_size(cfg, path) if size is None else size
    channels = cfg.model.get('backbone', {}).get('in_channels', 3)
    try:
        return measure(model, (channels, height, width))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f'the model of {path} does not run on {height}×{width} pixels: '
            f'{one_line(error)}'
        ) from error


def input_size(
    cfg: Config, path: str, option: str = '--shape HEIGHT WIDTH'
) -> tuple[int, int]:
    """Height and width of the images that the config's network is fed with.

    Args:
        cfg: The config.
        path: Its file, for messages.
        option: What sets it where the config does not say.

    Raises:
        UserError: If the config does not say.
    """
    if is_segmentation(cfg):
        preprocessor = cfg.model.get('data_preprocessor', {})
        size = cfg.get('crop_size') or preprocessor.get('size')
    else:
        # The decoder is the codec that is used; `codec` is only the name for it.
        codec = cfg.model.get('head', {}).get('decoder') or cfg.get('codec')
        size = codec.get('input_size') if isinstance(codec, dict) else None
        size = size and (size[1], size[0])  # MMPose has (width, height)
    if not size:
        raise UserError(f'{path} says no input size: give {option}')
    return int(size[0]), int(size[1])
