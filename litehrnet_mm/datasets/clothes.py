"""What a figure looks like: skin, hair, garments and their colours."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator

SKINS = (  # RGB, light to dark
    (247, 215, 190),
    (238, 196, 164),
    (222, 171, 133),
    (196, 142, 104),
    (158, 108, 76),
    (118, 78, 56),
    (86, 58, 44),
)
HAIRS = (
    (28, 24, 24),
    (54, 36, 28),
    (92, 58, 36),
    (136, 84, 44),
    (196, 150, 84),
    (150, 62, 34),
    (164, 160, 158),
)
NEUTRALS = (
    (34, 36, 42),
    (66, 70, 80),
    (236, 234, 228),
    (150, 150, 152),
    (40, 52, 86),
    (62, 88, 134),
    (104, 84, 62),
    (188, 168, 134),
    (84, 92, 64),
)
HAIR_STYLES = ('short', 'crop', 'bob', 'long', 'ponytail', 'bun', 'afro', 'cap', 'bald')
HAIR_WEIGHTS = (0.26, 0.1, 0.12, 0.18, 0.1, 0.07, 0.06, 0.08, 0.03)
PATTERNS = ('plain', 'stripes', 'pinstripes', 'checks', 'block', 'band', 'print')
PATTERN_WEIGHTS = (0.42, 0.16, 0.07, 0.09, 0.07, 0.07, 0.12)


@dataclass(frozen=True)
class Look:
    """Colours are BGR, shape (3,); lengths count segments of a limb.

    Attributes:
        skin: Colour of the skin.
        hair: Colour of the hair.
        hair_style: One of ``HAIR_STYLES``.
        beard: Whether there is one.
        glasses: Whether there are some.
        hat: Colour of the cap.
        top: Colour of shirt, pullover or dress.
        accent: Second colour of the pattern.
        pattern: One of ``PATTERNS``.
        jacket: Whether the top is open and shows a shirt of the accent colour.
        sleeve: End of the sleeve, from 0 at the shoulder to 2 at the wrist.
        bottom: Colour of trousers or skirt.
        leg: End of the trouser leg, from 0 at the hip to 2 at the ankle.
        skirt: Length of the skirt in thighs, 0 for none.
        shoe: Colour of the shoes.
        backpack: Whether there is one.
        bag: Its colour.
        seat: Colour of the block to sit on.
    """

    skin: np.ndarray
    hair: np.ndarray
    hair_style: str
    beard: bool
    glasses: bool
    hat: np.ndarray
    top: np.ndarray
    accent: np.ndarray
    pattern: str
    jacket: bool
    sleeve: float
    bottom: np.ndarray
    leg: float
    skirt: float
    shoe: np.ndarray
    backpack: bool
    bag: np.ndarray
    seat: np.ndarray


def bgr(rgb) -> np.ndarray:
    """Reverse the channels of a colour."""
    return np.array(rgb[::-1], np.float64)


def vivid(rng: Rng) -> np.ndarray:
    """Draw a garment colour, BGR in 0..255, shape (3,)."""
    saturation, value = rng.uniform(0.3, 0.85), rng.uniform(0.45, 0.95)
    return 255 * bgr(colorsys.hsv_to_rgb(rng.random(), saturation, value))


def neutral(rng: Rng) -> np.ndarray:
    """Draw a quiet garment colour, BGR in 0..255, shape (3,)."""
    colour = bgr(NEUTRALS[rng.integers(len(NEUTRALS))])
    return np.clip(colour * rng.uniform(0.85, 1.15), 10, 250)


def different(rng: Rng, other: np.ndarray) -> np.ndarray:
    """Draw a garment colour that stands out against another one."""
    candidates = [vivid(rng), neutral(rng), neutral(rng)]
    return max(candidates, key=lambda colour: np.abs(colour - other).sum())


def sample_look(rng: Rng, seated: bool = False) -> Look:
    """Draw hair, skin and clothes; nobody sits down in a skirt."""
    skin = bgr(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.94, 1.04)
    style = str(rng.choice(HAIR_STYLES, p=HAIR_WEIGHTS))
    top = vivid(rng) if rng.random() < 0.7 else neutral(rng)
    accent = different(rng, top)
    dress = rng.random() < 0.22 and not seated
    skirt = rng.uniform(0.55, 1.25) if dress else 0.0
    bottom = neutral(rng) if rng.random() < 0.7 else vivid(rng)
    if np.abs(bottom - top).sum() < 60:
        bottom = different(rng, top)
    if dress and rng.random() < 0.5:
        bottom = top
    bare = rng.choice([0.0, 2.0]) if dress else None
    return Look(
        skin=np.minimum(skin, 252),
        hair=bgr(HAIRS[rng.integers(len(HAIRS))]) * rng.uniform(0.85, 1.15),
        hair_style=style,
        beard=style in ('short', 'crop', 'bald', 'cap')
        and not dress
        and rng.random() < 0.35,
        glasses=rng.random() < 0.15,
        hat=vivid(rng),
        top=top,
        accent=accent,
        pattern=str(rng.choice(PATTERNS, p=PATTERN_WEIGHTS)),
        jacket=rng.random() < 0.16,
        sleeve=float(rng.choice([0.0, 0.55, 0.7, 1.3, 1.9])),
        bottom=bottom,
        leg=float(rng.choice([0.75, 1.5, 1.9], p=[0.25, 0.1, 0.65]))
        if bare is None
        else float(bare),
        skirt=skirt,
        shoe=neutral(rng) if rng.random() < 0.7 else vivid(rng),
        backpack=rng.random() < 0.1,
        bag=vivid(rng),
        seat=neutral(rng),
    )
