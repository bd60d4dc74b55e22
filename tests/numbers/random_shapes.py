"""Run every published net forward and backward on images of random shapes.

    python tests/numbers/random_shapes.py --passes 2000

Batches of 1 to 4, sides from 32 pixels on, random weights, variants of the arguments
that change what is computed. After each pass the outputs have the shapes that are
promised, and they, the gradients of all parameters and BatchNorm's statistics are
finite. Exit status 0 if all that holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch

from litehrnet_mm.analysis.randomising import randomise
from litehrnet_mm.cli import positive, progress_bar, tool_parser
from litehrnet_mm.models import LiteHRNet
from litehrnet_mm.models.arch import ARCHS

SIDES = 32, 160
VARIANTS = (
    {},
    dict(out_indices=(0, 1, 2, 3), with_head=False),
    dict(out_indices=(0, 1, 2, 3), with_head=True),
    dict(out_indices=(2,), fusion='plain'),
)


def shapes(number: int, chance: random.Random) -> Iterator[tuple[int, int, int]]:
    """Batch, height and width; first the smallest ones, for each variant."""
    low, high = SIDES
    for index in range(number):
        if index < 4 * len(VARIANTS):
            yield index % 4 + 1, low, low
        else:
            height, width = (round(low * (high / low) ** chance.random()) for _ in 'hw')
            yield chance.randint(1, 4), height, width


def one_pass(net: LiteHRNet, shape: tuple[int, int, int], seed: int) -> None:
    """Forward and backward, once.

    Raises:
        AssertionError: If a shape is another, or a number is not finite.
    """
    batch, height, width = shape
    # What BatchNorm cannot be trained with, the net refuses and says how to go on.
    net.norm_eval = shape == (1, 32, 32)
    net.train()
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, height, width, generator=generator)
    images.requires_grad_()
    outputs = net(images)
    assert len(outputs) == len(net.out_indices)
    for i, channels, output in zip(net.out_indices, net.out_channels, outputs):
        sides = (-(-side // 2 ** (i + 2)) for side in (height, width))
        assert output.shape == (batch, channels, *sides), (shape, output.shape)
        assert output.isfinite().all(), f'output {i} at {shape}'
    net.zero_grad()
    sum(output.square().mean() for output in outputs).backward()
    gradients = dict(net.named_parameters(), images=images)
    for name, tensor in gradients.items():
        assert tensor.grad is not None, f'no gradient of {name} at {shape}'
        assert tensor.grad.isfinite().all(), f'gradient of {name} at {shape}'
    for name, buffer in net.named_buffers():
        assert buffer.isfinite().all(), f'{name} at {shape}'


def run(
    arch: str, passes: int, seed: int = 0, show: bool = False
) -> set[tuple[int, int, int]]:
    """Passes of one net, in turn of its variants.

    Returns:
        The shapes that went through it.

    Raises:
        AssertionError: See :func:`one_pass`.
    """
    nets = [randomise(LiteHRNet(arch, **variant)) for variant in VARIANTS]
    listed = shapes(passes, random.Random(seed))
    done = set()
    for index, shape in enumerate(progress_bar(listed, passes, show, arch)):
        one_pass(nets[index // 4 % len(nets)], shape, seed + index)
        done.add(shape)
    return done


def main() -> None:
    """Run all."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('--passes', type=positive, default=2000, help='a net; default: %(default)s')
    add('--seed', type=int, default=0, help='default: %(default)s')
    args = parser.parse_args()
    for arch in ARCHS:
        run(arch, args.passes, args.seed, show=True)
        print(f'{arch}: {args.passes} passes, all numbers finite', flush=True)


if __name__ == '__main__':
    main()
