"""Drawing of classes over images, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from litehrnet_mm.visualization.pictures import INK, PAPER, font, pad, shorten

OPACITY = 0.55
LEGEND_WIDTH, ROW, MARGIN = 190, 24, 10
MIN_HEIGHT = 320
"""Small images are enlarged to this height, so that a legend has room; in pixels."""
WIDEST = 4096
"""But not beyond this width, in pixels."""
LEGEND_HEIGHT = 1000
"""Beside images that are higher the legend is enlarged."""


def draw_labels(
    image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Lay the colours of classes over an image, with a line where two meet.

    Args:
        image: BGR uint8, ``(H, W, 3)``; it is not changed.
        labels: ``(H, W)``, the number of a class; others stay without a colour.
        palette: A colour for each class, RGB.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = np.array(palette, np.uint8)[:, ::-1]
    known = labels < len(palette)
    mixed = cv2.addWeighted(image, 1 - OPACITY, table[labels], OPACITY, 0)
    drawn = np.where(known[..., None], mixed, image)
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    drawn[edge] = drawn[edge] // 2
    return drawn


def hatch(image: np.ndarray) -> np.ndarray:
    """Dark stripes over an image, in place of the colour of a class.

    Args:
        image: BGR uint8, ``(H, W, 3)``; it is not changed.
    """
    y, x = np.indices(image.shape[:2])
    stripes = (x + y) // 4 % 2 == 0
    return np.where(stripes[..., None], image // 5, image // 2)


def class_shares(labels: np.ndarray, count: int) -> np.ndarray:
    """Share of the pixels that each class has, ``(count,)``."""
    return np.bincount(labels.ravel(), minlength=256)[:count] / labels.size


def draw_legend(
    names: Sequence[str],
    palette: Sequence[Sequence[int]],
    shares: np.ndarray,
    height: int,
) -> np.ndarray:
    """The classes of an image, the largest first, with their shares.

    Args:
        names: Of the classes.
        palette: A colour for each, RGB.
        shares: Of the pixels; classes without any are left out.
        height: Of the legend in pixels. If not all classes find room, the last row
            says how many are left.
    """
    canvas = Image.new('RGB', (LEGEND_WIDTH, height), PAPER[::-1])
    draw = ImageDraw.Draw(canvas)
    found = [int(k) for k in np.argsort(-shares, kind='stable') if shares[k] > 0]
    rows = max(1, (height - MARGIN) // ROW)
    shown = found if len(found) <= rows else found[: rows - 1]
    for row, k in enumerate(shown):
        top = MARGIN + row * ROW
        box = (MARGIN, top, MARGIN + 16, top + 16)
        draw.rectangle(box, fill=tuple(palette[k]), outline=INK[::-1])
        middle = top + 8
        text = shorten(names[k], LEGEND_WIDTH - 2 * MARGIN - 64)
        draw.text((MARGIN + 24, middle), text, INK[::-1], font(), anchor='lm')
        share = f'{100 * shares[k]:.0f} %' if shares[k] >= 0.01 else '< 1 %'
        draw.text((LEGEND_WIDTH - 6, middle), share, INK[::-1], font(), anchor='rm')
    if len(shown) < len(found):
        place = (MARGIN, MARGIN + len(shown) * ROW + 8)
        text = f'and {len(found) - len(shown)} more'
        draw.text(place, text, INK[::-1], font(), anchor='lm')
    return np.array(canvas)[..., ::-1]


def show_classes(
    image: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> np.ndarray:
    """An image under its classes, beside a legend.

    Args:
        image: BGR uint8, ``(H, W, 3)``.
        labels: ``(H, W)``, the number of a class.
        names: Of the classes.
        palette: A colour for each, RGB.
    """
    # Of an image that is very wide white below, not gigabytes, makes up the height.
    scale = max(1, min(MIN_HEIGHT / len(image), WIDEST / image.shape[1]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    drawn = draw_labels(image, labels, palette)
    shares = class_shares(labels, len(names))
    drawn = pad(drawn, (drawn.shape[1], max(len(drawn), MIN_HEIGHT)))
    larger = min(len(drawn) / LEGEND_HEIGHT, drawn.shape[1] / LEGEND_WIDTH)
    larger = max(1, larger)
    legend = draw_legend(names, palette, shares, round(len(drawn) / larger))
    size = (round(LEGEND_WIDTH * larger), len(drawn))
    legend = cv2.resize(legend, size, interpolation=cv2.INTER_CUBIC)
    return np.hstack([drawn, legend])
