"""From a trained model to its exact inference form."""

from __future__ import annotations

import copy

from mmcv.cnn import ConvModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from litehrnet_mm.deploy.layers import Form
from litehrnet_mm.deploy.network import RewrittenLiteHRNet
from litehrnet_mm.models.litehrnet import LiteHRNet

FORMS = ('eager', 'graph')
GATES = ('repeated', 'broadcast')


def rewrite(
    model: nn.Module,
    inplace: bool = False,
    form: str = 'eager',
    gates: str = 'repeated',
    channel_block: int = 1,
    any_size: bool = False,
) -> nn.Module:
    """The exact inference form of a Lite-HRNet, or of a model built on one.

    Every :class:`~litehrnet_mm.models.LiteHRNet` becomes a network that computes the
    same with fewer and cheaper operators (:mod:`litehrnet_mm.deploy` tells how), and
    in the rest of the model each BatchNorm that follows a convolution is folded into
    it. What was rewritten before, in the same form, stays as it is. Weights keep their
    data type and device; the result is for inference and has nothing to train.

    Args:
        model: A backbone, a pose estimator, a segmentor, or any module; in evaluation
            mode.
        inplace: Change ``model`` itself, and return it. A bare backbone stays as it
            is all the same: its new form is another module.
        form: ``'eager'``, for PyTorch: channels last, few large operators. ``'graph'``,
            for exporters and the runtimes behind them: convolutions and resizing.
        gates: In graphs, how a map is multiplied with one number a channel: that
            ``'repeated'`` to its size, or ``'broadcast'``.
        channel_block: Pad widths with channels of zeros to a multiple of this. Graph
            runtimes on CPUs keep their fast memory layout only at multiples of 8
            (AVX2) or 16 (AVX-512).
        any_size: Take no shortcut that holds only if a map is exactly twice as high
            and wide as the next. Needed if sizes are unknown while a graph is
            recorded; otherwise each input's size decides.

    Raises:
        ValueError: If the model is in training mode, has no exact inference form
            (another normalisation than BatchNorm, other convolutions), was rewritten
            in another form before, or an argument has an unknown value.
    """
    if form not in FORMS:
        raise ValueError(f'form must be one of {FORMS}, got {form!r}')
    if gates not in GATES:
        raise ValueError(f'gates must be one of {GATES}, got {gates!r}')
    if channel_block < 1:
        raise ValueError(f'channel_block must be at least 1, got {channel_block}')
    if any(module.training for module in model.modules()):
        raise ValueError('rewriting needs evaluation mode: call model.eval() before')
    if channel_block != int(channel_block):
        raise ValueError(f'channel_block must be a whole number, got {channel_block}')
    written = Form(form == 'graph', gates == 'broadcast', channel_block, any_size)
    if isinstance(model, LiteHRNet):
        return RewrittenLiteHRNet(model, written).eval()
    if isinstance(model, RewrittenLiteHRNet):
        _check_form(model, written)
    if not inplace:
        model = copy.deepcopy(model)
    _rewrite_children(model, written)
    return model.eval()  # what is new in it is not yet


def _check_form(net: RewrittenLiteHRNet, form: Form) -> None:
    if net.form != form:
        raise ValueError(
            'this network was rewritten in another form before: rewrite the original'
        )


def _rewrite_children(module: nn.Module, form: Form) -> None:
    for name, child in module.named_children():
        if isinstance(child, LiteHRNet):
            setattr(module, name, RewrittenLiteHRNet(child, form))
        elif isinstance(child, RewrittenLiteHRNet):
            _check_form(child, form)
        else:
            _rewrite_children(child, form)
    if isinstance(module, ConvModule) and module.with_norm:
        _fold_conv_module(module)
    elif type(module) is nn.Sequential:
        _fold_sequence(module)


def _fold_conv_module(module: ConvModule) -> None:
    order = module.order.index('conv') + 1 == module.order.index('norm')
    if order and _can_fold(module.conv, module.norm):
        module.conv = fuse_conv_bn_eval(module.conv, module.norm)
        setattr(module, module.norm_name, nn.Identity())


def _fold_sequence(sequence: nn.Sequential) -> None:
    for k in range(len(sequence) - 1):
        if _can_fold(sequence[k], sequence[k + 1]):
            sequence[k] = fuse_conv_bn_eval(sequence[k], sequence[k + 1])
            sequence[k + 1] = nn.Identity()


def _can_fold(conv: nn.Module, norm: nn.Module) -> bool:
    known = isinstance(norm, _BatchNorm) and norm.running_var is not None
    return type(conv) is nn.Conv2d and known
