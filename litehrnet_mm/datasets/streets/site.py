"""What the parts of a scene are drawn with, and what space they have taken."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from litehrnet_mm.datasets.background import muted
from litehrnet_mm.datasets.clothes import neutral, vivid
from litehrnet_mm.datasets.streets.surfaces import Blocks, Noise, Plain
from litehrnet_mm.datasets.streets.view import Paint, View

Rng = np.random.Generator


@dataclass(frozen=True)
class Site:
    """The place that is being drawn.

    Attributes:
        view: What the camera sees of it.
        rng: Source of randomness.
        noise: Of all surfaces.
        taken: Rectangles of the ground with something on them.
    """

    view: View
    rng: Rng
    noise: Noise
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def chance(self, probability: float) -> bool:
        """Decide something."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def plain(self, colour, rough: float = 0.08, cell: float = 0.8) -> Plain:
        """One colour, BGR, with noise."""
        return Plain(np.asarray(colour, float), self.noise, rough, cell)

    def masonry(self, bricks: float) -> Paint:
        """Plaster, concrete, stones or, with some probability, bricks."""
        tint = muted(self.rng).astype(float)
        if self.chance(bricks):
            tint = np.array([70, 90, 150]) * self.between(0.8, 1.15)  # brick red
        if self.chance(0.45):
            return self.plain(tint, self.between(0.06, 0.16), self.between(0.5, 2.5))
        size = self.between(0.3, 0.8), self.between(0.14, 0.4)
        base = self.plain(tint, 0.1, 0.4)
        return Blocks(base, tint * self.between(0.6, 1.25), size, 0.03)

    def typical(self, *rgb: tuple[int, int, int]) -> np.ndarray:
        """A colour, BGR, that a class has more often than others, or any other one."""
        if self.chance(0.08):
            return self.lacquer()
        tint = np.array(rgb[int(self.rng.integers(len(rgb)))][::-1], float)
        return np.clip(tint * self.between(0.85, 1.1), 8, 245)

    def lacquer(self) -> np.ndarray:
        """The colour of a vehicle, BGR."""
        return neutral(self.rng) if self.chance(0.55) else vivid(self.rng)

    def claim(self, x: float, z: float, half_x: float, half_z: float) -> bool:
        """Take a rectangle of the ground, unless some of it is taken."""
        x0, x1, z0, z1 = x - half_x, x + half_x, z - half_z, z + half_z
        for a0, a1, b0, b1 in self.taken:
            if x0 < a1 and a0 < x1 and z0 < b1 and b0 < z1:
                return False
        self.taken.append((x0, x1, z0, z1))
        return True

    def shade(self, corners: list[np.ndarray], height: float) -> None:
        """Cast the shadow of something upright on the ground.

        Args:
            corners: Of its outline on the ground.
            height: Its height in metres.
        """
        view = self.view
        view.cast(corners, below=True)
        sun = view.light.sun
        if view.light.overcast:
            return
        reach = -sun * (height / sun[1])
        reach[1] = 0
        for a, b in zip(corners, [*corners[1:], corners[0]]):
            view.cast([a, b, b + reach, a + reach])
        view.cast([corner + reach for corner in corners])
