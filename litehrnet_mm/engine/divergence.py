"""What is said of a training that cannot come to good."""

from __future__ import annotations

from mmengine.hooks import EMAHook
from mmengine.runner import Runner

from litehrnet_mm.checkpoints.files import not_finite
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.building import bare_model


def check_finite(runner: Runner, done: int) -> None:
    """See that weights are numbers: a last step can spoil them after a sound loss.

    Args:
        runner: Whose they are.
        done: Iterations that it has behind it.

    Raises:
        UserError: If some are not.
    """
    state = dict(bare_model(runner).state_dict())
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            averages = hook.ema_model.module.state_dict()
            state.update({f'averaged {key}': value for key, value in averages.items()})
    wrong = not_finite(state)
    if wrong:
        raise diverged(
            runner,
            f'after iteration {done}, {len(wrong)} of {len(state)} weights and '
            f'statistics hold inf or NaN, the first is {wrong[0]}: nothing is saved',
        )


def diverged(runner: Runner, what: str) -> UserError:
    """The error that ends a training that cannot recover.

    Args:
        runner: Whose it is.
        what: What was seen of it.
    """
    last = runner.message_hub.runtime_info.get('last_ckpt')
    return UserError(
        f'{what}; the last good checkpoint is {last or "none so far"}. Often a lower '
        'learning rate or a longer warm-up helps'
    )
