"""Boxes and arrows of diagrams, on matplotlib's axes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.textpath import TextPath

Point = tuple[float, float]

INK, FAINT = '#222222', '#8a8f94'
TINTS = ('#d3ecd7', '#d2e5f5', '#fbe0cb', '#e8dcf1', '#f6ecc4')
EDGES = ('#1b7837', '#1f6fb2', '#c65d10', '#7b3294', '#8f7200')
"""Of the branches, the highest resolution first."""

PLAIN = ('#eef0f2', '#5f666d')
"""Of what belongs to no branch."""

TEXT = 8.5
"""Size of most text, in points."""

UNIT = 0.56
"""Inches of a diagram's unit."""


def branch_colours(branch: int) -> tuple[str, str]:
    """Tint and edge of a branch's boxes."""
    return TINTS[branch % len(TINTS)], EDGES[branch % len(EDGES)]


def text_width(text: str, size: float = TEXT, weight: str = 'normal') -> float:
    """Width of the longest line of a text, in units of a diagram."""
    if not text.strip():
        return 0.0
    font = FontProperties(size=size, weight=weight)
    widths = [
        TextPath((0, 0), line, prop=font).get_extents().x1 for line in text.split('\n')
    ]
    return max(widths) / 72 / UNIT


class Diagram:
    """A drawing surface whose unit is the same in both directions.

    Args:
        axes: Where to draw; its frame and ticks are hidden.

    Attributes:
        right: Where the texts drawn so far end.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.right = 0.0
        axes.set_axis_off()
        axes.set_aspect('equal')

    def box(
        self,
        middle: Point,
        extent: Point,
        text: str = '',
        colours: tuple[str, str] = PLAIN,
        **style,
    ) -> None:
        """A box with rounded corners around a text.

        Args:
            middle: Of the box.
            extent: Width and height.
            text: In it; several lines are centred.
            colours: Of its inside and its edge.
            **style: Of the text.
        """
        left, bottom = middle[0] - extent[0] / 2, middle[1] - extent[1] / 2
        shape = 'round,pad=0,rounding_size=0.08'
        tint, edge = colours
        self.axes.add_patch(
            FancyBboxPatch(
                (left, bottom), *extent, shape, fc=tint, ec=edge, lw=1, zorder=3
            )
        )
        self.text(middle, text, **style)

    def frame(self, left: float, bottom: float, width: float, height: float) -> None:
        """A dashed frame behind everything."""
        shape = 'round,pad=0,rounding_size=0.15'
        self.axes.add_patch(
            FancyBboxPatch(
                (left, bottom),
                *(width, height),
                shape,
                fc='#fafafa',
                ec=FAINT,
                lw=0.9,
                ls=(0, (4, 3)),
                zorder=0,
            )
        )

    def text(self, place: Point, text: str, **style) -> None:
        """A text, centred if nothing else is said."""
        style = dict(size=TEXT, ha='center', va='center', color=INK, zorder=5) | style
        self.axes.text(*place, text, linespacing=1.25, **style)
        width = text_width(text, style['size'], style.get('weight', 'normal'))
        beyond = dict(left=1, center=0.5, right=0)[style['ha']]
        self.right = max(self.right, place[0] + beyond * width)

    def show(self, width: float, bottom: float, top: float) -> None:
        """Set the part of the surface that is seen, from the left edge at 0."""
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(bottom, top)

    def arrow(
        self, start: Point, end: Point, colour: str = INK, head: bool = True, **style
    ) -> None:
        """A straight arrow, or a line."""
        style = dict(lw=1.1, zorder=2, mutation_scale=8) | style
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle='-|>' if head else '-',
                color=colour,
                shrinkA=0,
                shrinkB=0,
                **style,
            )
        )

    def path(
        self, points: Sequence[Point], colour: str = INK, head: bool = True
    ) -> None:
        """A line around corners that ends in an arrow, or does not."""
        last = len(points) - 2
        for k, (start, end) in enumerate(zip(points, points[1:])):
            more = {} if k == last else dict(capstyle='projecting')
            self.arrow(start, end, colour, head and k == last, **more)

    def operator(
        self, middle: Point, sign: str, colour: str = INK, radius: float = 0.15
    ) -> None:
        """A sign in a circle, such as a sum."""
        circle = Circle(middle, radius, fc='white', ec=colour, lw=1.1, zorder=4)
        self.axes.add_patch(circle)
        self.text(middle, sign, size=TEXT + 1, color=colour)
