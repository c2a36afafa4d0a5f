"""The colours of the map: visible on the ground, and different from each other with every kind of colour vision."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from memory_service import console
from memory_service.console.grouping import COLOURS

Colour = NDArray[np.float64]

STYLES = (Path(console.__file__).parent / "static/console.css").read_text()
SCHEMES = ("light", "dark")

VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def colour(variable: str, scheme: str) -> Colour:
    """A colour of the style sheet in linear RGB. `variable` is the text before its colon."""
    [pair] = re.findall(rf"{re.escape(variable)}: light-dark\((#\w+), (#\w+)\)", STYLES)
    text = pair[SCHEMES.index(scheme)].removeprefix("#")
    text = text if len(text) == 6 else "".join(2 * one for one in text)
    encoded = np.array([int(text[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    linear: Colour = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear


def lab(linear: Colour) -> Colour:
    """CIELAB for linear RGB."""
    xyz = _TO_XYZ @ np.clip(linear, 0, 1) / np.array([0.95047, 1, 1.08883])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def group_colours(scheme: str) -> list[Colour]:
    return [colour(f".g{number} {{ --dot", scheme) for number in range(COLOURS + 1)]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_differ_with_every_kind_of_colour_vision(scheme: str, vision: str) -> None:
    perceived = [lab(VISION[vision] @ one) for one in group_colours(scheme)]
    # A difference of 2.3 in CIELAB is just noticeable; 20 is clear for small marks too.
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(perceived, 2)) > 20


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_have_contrast_to_the_ground(scheme: str) -> None:
    ground = float(_TO_XYZ[1] @ colour("--surface", scheme))
    for one in group_colours(scheme):
        low, high = sorted([float(_TO_XYZ[1] @ one), ground])
        assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 2.2, 1.4.11
