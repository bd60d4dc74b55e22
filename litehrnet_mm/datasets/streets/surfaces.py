"""What surfaces look like: noise, bricks, windows, boards, leaves."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from litehrnet_mm.datasets.streets.view import Paint

Rng = np.random.Generator

TILE = 256


class Noise:
    """Fractal noise in about -1..1 that repeats after 16 cells."""

    def __init__(self, rng: Rng) -> None:
        total = np.zeros((TILE, TILE))
        for octave in range(5):
            cells = 16 * 2**octave
            grid = rng.integers(-128, 129, (cells, cells)) / 128
            total += _stretch(_stretch(grid).T).T * 0.62**octave
        self.tile = (0.75 * total).ravel()

    def __call__(self, u: np.ndarray, v: np.ndarray, cell: float) -> np.ndarray:
        """Values at positions, for cells of this many metres."""
        scale = TILE / 16 / cell
        x = np.floor(u * scale).astype(np.int64) & (TILE - 1)
        y = np.floor(v * scale).astype(np.int64) & (TILE - 1)
        return self.tile[y * TILE + x]

    def smooth(self, u: np.ndarray, v: np.ndarray, cell: float) -> np.ndarray:
        """The same, without steps where a texel is larger than a sample."""
        scale = TILE / 16 / cell
        x, y = u * scale, v * scale
        left, low = np.floor(x), np.floor(y)
        right, up = (left + 1) / scale, (low + 1) / scale
        part, rise = x - left, y - low
        left, low = (left + 0.5) / scale, (low + 0.5) / scale
        right, up = right + 0.5 / scale, up + 0.5 / scale
        lower = self(left, low, cell) * (1 - part) + self(right, low, cell) * part
        upper = self(left, up, cell) * (1 - part) + self(right, up, cell) * part
        return lower * (1 - rise) + upper * rise


def _stretch(grid: np.ndarray) -> np.ndarray:
    """Stretch rows to ``TILE``, linearly and so that the ends meet."""
    position = np.arange(TILE) * (len(grid) / TILE)
    low = position.astype(np.int64)
    part = (position - low)[:, None]
    return grid[low] * (1 - part) + grid[(low + 1) % len(grid)] * part


@dataclass(frozen=True)
class Plain:
    """One colour with noise.

    Attributes:
        colour: BGR, shape (3,).
        noise: Where the noise comes from.
        rough: How much of it.
        cell: Its coarsest grain in metres.
        slope: Brightness that a metre upwards adds.
    """

    colour: np.ndarray
    noise: Noise
    rough: float = 0.08
    cell: float = 0.8
    slope: float = 0.0

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        tone = 1 + self.rough * self.noise(u, v, self.cell) + self.slope * v
        return tone[:, None] * self.colour


@dataclass(frozen=True)
class Blocks:
    """Bricks, slabs, stones or boards, each with its own tone.

    Attributes:
        base: What they are made of.
        joint: BGR of what is between them.
        size: Width and height of one in metres.
        gap: Width of a joint in metres.
        shift: Part of a width by which every other row is moved.
        vary: How much tones differ.
    """

    base: Plain
    joint: np.ndarray
    size: tuple[float, float]
    gap: float = 0.02
    shift: float = 0.5
    vary: float = 0.12

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        wide, tall = self.size
        row = np.floor(v / tall)
        u0 = u + (row % 2) * (self.shift * wide)
        column = np.floor(u0 / wide)
        own = self.base.noise(column * 5.3, row * 3.7, 1.0)
        colour = self.base(u, v) * (1 + self.vary * own)[:, None]
        joint = (u0 - column * wide < self.gap) | (v - row * tall < self.gap)
        return np.where(joint[:, None], self.joint, colour)


@dataclass(frozen=True)
class Windows:
    """Rows of windows in a wall, of a house or a vehicle.

    Attributes:
        wall: What is around them.
        noise: Decides what is behind each of them.
        glass: BGR of a dark one.
        frame: BGR of their frames.
        pitch: Distances from one to the next, across and up, in metres.
        size: Width and height of one in metres.
        band: Lowest and highest position with windows.
        border: Width of a frame in metres.
    """

    wall: Paint
    noise: Noise
    glass: np.ndarray
    frame: np.ndarray
    pitch: tuple[float, float]
    size: tuple[float, float]
    band: tuple[float, float]
    border: float = 0.12

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        colour = self.wall(u, v)
        column = np.floor(u / self.pitch[0])
        row = np.floor((v - self.band[0]) / self.pitch[1])
        x = np.abs(u - (column + 0.5) * self.pitch[0]) - self.size[0] / 2
        y = v - self.band[0] - (row + 0.5) * self.pitch[1]
        y = np.abs(y) - self.size[1] / 2
        outside = np.maximum(x, y)
        inside = (v > self.band[0]) & (v < self.band[1])
        own = 1 + 0.5 * self.noise(column * 4.1, row * 2.9, 1.0)
        sheen = (own + 0.25 * (v - self.band[0]) / (self.band[1] - self.band[0]))[
            :, None
        ]
        colour = np.where(
            (inside & (outside < self.border))[:, None], self.frame, colour
        )
        return np.where((inside & (outside < 0))[:, None], self.glass * sheen, colour)


@dataclass(frozen=True)
class Boxed:
    """Rectangles of single colours over another paint, such as doors and lamps.

    Attributes:
        base: What is below.
        boxes: Each (u0, u1, v0, v1) in metres.
        colours: BGR of each.
    """

    base: Paint
    boxes: tuple[tuple[float, float, float, float], ...]
    colours: tuple[np.ndarray, ...]

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        colour = self.base(u, v)
        for (u0, u1, v0, v1), own in zip(self.boxes, self.colours):
            colour[(u > u0) & (u < u1) & (v > v0) & (v < v1)] = own
        return colour


@dataclass(frozen=True)
class Leaves:
    """Foliage or grass: light and dark clumps.

    Attributes:
        colour: BGR, shape (3,).
        noise: Where the clumps come from.
        cell: Their size in metres.
        contrast: How dark the gaps are.
        shift: Place in the noise.
    """

    colour: np.ndarray
    noise: Noise
    cell: float = 0.7
    contrast: float = 0.5
    shift: float = 0.0

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        clump = self.noise(u + self.shift, v, self.cell)
        fleck = self.noise(u, v + self.shift, self.cell / 3.7)
        tone = 1 + self.contrast * (0.6 * clump + 0.6 * fleck)
        return np.maximum(tone, 0.15)[:, None] * self.colour


@dataclass(frozen=True)
class Ball:
    """Another paint, shaded as a ball or a round post is.

    Attributes:
        base: What is below.
        size: Width and height of the patch in metres.
        light: Direction to the light along both sides and to the viewer.
        round_up: Whether it is round in the second direction too.
    """

    base: Paint
    size: tuple[float, float]
    light: tuple[float, float, float]
    round_up: bool = True

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colours at positions."""
        x = 2 * u / self.size[0] - 1
        y = 2 * v / self.size[1] - 1 if self.round_up else np.zeros_like(v)
        z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
        lx, ly, lz = self.light
        shade = 0.78 + 0.42 * (x * lx + y * ly + z * lz)
        return self.base(u, v) * shade[:, None]


@dataclass(frozen=True)
class Disc:
    """A round or ragged shape in a patch.

    Attributes:
        size: Width and height of the patch in metres.
        noise: Makes it ragged.
        ragged: How much.
        cell: Size of the rags in metres.
        shift: Place in the noise.
        hole: Part of the radius that is left out.
    """

    size: tuple[float, float]
    noise: Noise | None = None
    ragged: float = 0.0
    cell: float = 1.0
    shift: float = 0.0
    hole: float = 0.0

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Where it exists."""
        x, y = 2 * u / self.size[0] - 1, 2 * v / self.size[1] - 1
        squared = x * x + y * y
        limit = 1.0
        if self.noise is not None:
            rag = self.noise(u + self.shift, v + self.shift, self.cell)
            limit = 1 - self.ragged * (0.5 + 0.5 * rag)
        return (squared <= limit) & (squared >= self.hole**2)


@dataclass(frozen=True)
class Outline:
    """A polygon in a patch.

    Attributes:
        points: Its corners in metres, shape (N, 2).
    """

    points: np.ndarray
    edges: tuple = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ends = np.roll(self.points, -1, axis=0)
        pairs = zip(self.points.tolist(), ends.tolist())
        edges = tuple((*a, *b) for a, b in pairs if a[1] != b[1])
        object.__setattr__(self, 'edges', edges)

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Where it exists: where a line to the left crosses an odd number of edges."""
        inside = np.zeros(np.broadcast(u, v).shape, bool)
        for x0, y0, x1, y1 in self.edges:
            crossing = x0 + (v - y0) * ((x1 - x0) / (y1 - y0))
            inside ^= ((v < y0) != (v < y1)) & (u >= crossing)
        return inside
