"""What a current PyTorch and ``mmcv-lite`` need before OpenMMLab runs on them.

Applied once: when MMEngine has been imported, if :mod:`litehrnet_mm` was before, and
before a checkpoint is read. Every part looks first whether it is needed and says at
DEBUG level what it did:

* without compiled operators (``mmcv-lite``), ``import mmdet`` and with it
  ``import mmpose.models`` fail. The loader of those operators gets stand-ins: of
  non-maximum suppression and RoIAlign torchvision's (:mod:`litehrnet_mm.operators`);
  all others raise :class:`MissingOperatorError` when they are *called*;
* since PyTorch 2.6 ``torch.load`` accepts tensors and plain containers only, which
  refuses MMEngine's own training checkpoints. Their types are allow-listed.
  ``weights_only`` itself stays on: a file that would run code is still refused. NumPy's
  arrays are read as a subclass that trusts no file
  (:mod:`litehrnet_mm.checkpoints.plain_arrays`), and saved again as NumPy's own;
* for a URL, unlike a file, PyTorch leaves ``weights_only`` off. It is switched on for
  what MMEngine fetches;
* MMEngine's use of ``pkg_resources`` is deprecated, which is not said again and again.
"""

from __future__ import annotations

import importlib.util
import logging
import pickle
import warnings
from functools import partial
from types import SimpleNamespace
from typing import Callable, NoReturn

import torch

from litehrnet_mm.checkpoints.plain_arrays import no_bytes, stand_ins
from litehrnet_mm.on_import import after_import

logger = logging.getLogger(__name__)

_applied = False

# MMEngine pickles these methods with every HistoryBuffer.
HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')


# Of these torchvision has its own.
REPLACED = ('nms', 'roi_align_forward', 'roi_align_backward')


class MissingOperatorError(RuntimeError):
    """A compiled operator of mmcv was called, but only ``mmcv-lite`` is installed."""


def apply_compat() -> None:
    """Apply each part that this environment needs; later calls do nothing."""
    global _applied
    import mmengine  # noqa: F401  # which applies it, too: not in the midst of it

    if _applied:
        return
    # Of MMEngine, once for each config that is read; nothing a user can act on.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')
    if has_mmcv() and not has_compiled_ops():
        provide_operator_stand_ins()
        logger.debug('mmcv._ext not found: stand-ins serve the compiled operators')
    torch.serialization.add_safe_globals(checkpoint_types())
    logger.debug('MMEngine checkpoint types allow-listed for torch.load')
    after_import('mmengine.runner.checkpoint', restrict_downloads)
    _applied = True


def has_mmcv() -> bool:
    """Whether any mmcv is installed, full or lite."""
    return importlib.util.find_spec('mmcv') is not None


def has_compiled_ops() -> bool:
    """Whether the installed mmcv has its compiled extension (full ``mmcv``)."""
    return importlib.util.find_spec('mmcv._ext') is not None


def provide_operator_stand_ins() -> None:
    """Let ``mmcv.ops`` be imported without its compiled extension.

    ``sys.modules`` stays as it is: MMEngine looks there to tell ``mmcv`` from
    ``mmcv-lite``, and has to get the true answer.
    """
    from mmcv.utils import ext_loader

    def load_stand_ins(name: str, funcs: list[str]) -> SimpleNamespace:
        return SimpleNamespace(**{func: _stand_in(func) for func in funcs})

    ext_loader.load_ext = load_stand_ins


def _stand_in(operator: str) -> Callable:
    if operator in REPLACED:
        # Imported when a detector runs: most of our networks need none of it.
        def replaced(*args, **kwargs):
            from litehrnet_mm import operators

            return getattr(operators, operator)(*args, **kwargs)

        return replaced

    def missing_operator(*args, **kwargs) -> NoReturn:
        raise MissingOperatorError(
            f"the compiled mmcv operator '{operator}' was called, but mmcv-lite has "
            'none: install full mmcv (pip uninstall mmcv-lite; pip install '
            '"mmcv>=2.1.0,<2.2.0", which compiles for about half an hour where '
            'there is no wheel)'
        )

    missing_operator.__name__ = operator
    return missing_operator


def restrict_downloads() -> None:
    """Read what MMEngine downloads as it reads files, with ``weights_only``."""
    from mmengine.runner import checkpoint

    checkpoint.load_url = partial(checkpoint.load_url, weights_only=True)


def checkpoint_types() -> list[Callable | tuple[Callable, str]]:
    """What MMEngine writes into a training checkpoint beside tensors.

    ``message_hub`` holds a :class:`~mmengine.logging.HistoryBuffer` for each logged
    scalar, those and ``dataset_meta`` hold NumPy arrays and scalars of numbers. NumPy's
    strings, records and objects stay refused.

    Returns:
        Types and functions; beside some, the name that stands for them in a file: of
        NumPy only what :mod:`~litehrnet_mm.checkpoints.plain_arrays` has in its place
        is let in, for ``getattr`` only :func:`history_statistic`, and of ``bytes`` the
        empty ones, as NumPy writes them.
    """
    from mmengine.logging import HistoryBuffer

    return [
        HistoryBuffer,
        (history_statistic, 'builtins.getattr'),
        (no_bytes, 'builtins.bytes'),
        *((stand_in, name) for name, stand_in in stand_ins().items()),
    ]


def history_statistic(owner: type, name: str) -> Callable:
    """All that ``getattr`` may do in a checkpoint: find a statistic's method.

    Raises:
        UnpicklingError: For anything but MMEngine's own statistics.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in HISTORY_STATISTICS:
        raise pickle.UnpicklingError(
            'GLOBAL builtins.getattr was used for more than the statistics of a '
            'HistoryBuffer'
        )
    return getattr(HistoryBuffer, name)
