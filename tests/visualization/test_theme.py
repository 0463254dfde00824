"""Colours that everybody can tell apart, and numbers that do not lie."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from mega_data_factory import formats
from mega_data_factory.visualization.theme import DARK, LIGHT, Theme, theme_named

# Machado, Oliveira and Fernandes (2009), severity 1; on linear RGB
SIGHTS = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(colour: np.ndarray) -> np.ndarray:
    """OKLab of linear RGB (Ottosson 2020), times 100."""
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    lab: npt.NDArray[np.float64] = 100 * np.array(to_lab) @ np.cbrt(np.array(to_lms) @ np.clip(colour, 0, 1))
    return lab


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(np.dot(linear(colour), [0.2126, 0.7152, 0.0722])) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_colours_of_series_stay_apart(theme: Theme, sight: str) -> None:
    """No two colours of a palette come closer than 8 in OKLab, for people who see all colours or not."""
    seen = [oklab(np.array(SIGHTS[sight]) @ linear(colour)) for colour in theme.palette]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) >= 8


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_contrast_is_enough_to_read(theme: Theme) -> None:
    """Text has a contrast of 4.5 or more with what it stands on, series of 2.9 with the background."""
    for ground in (theme.background, theme.surface):
        assert contrast(theme.text, ground) >= 7
        assert contrast(theme.muted, ground) >= 4.5
    assert min(contrast(colour, theme.background) for colour in theme.palette) >= 2.9


def test_themes_by_name() -> None:
    """A name finds its theme, a theme is itself, and an unknown name says what there is."""
    assert theme_named("dark") is DARK
    assert theme_named(LIGHT) is LIGHT


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.short_count(999), "999"),
        (formats.short_count(12_345), "12.3 k"),
        (formats.short_count(999_999), "1.00 M"),
        (formats.short_count(None), "-"),
        (formats.byte_rate(1_234_567), "1.23 MB/s"),
        (formats.byte_rate(None), "-"),
        (formats.number(0.00123456), "0.00123"),
        (formats.number(12_345.6), "12,346"),
        (formats.number(float("nan")), "-"),
        (formats.number(1.234e12), "1.23e+12"),
        (formats.PERCENT.hover("z"), "%{z:.1f} %"),
    ],
)
def test_numbers_for_people(written: str, expected: str) -> None:
    """Three significant digits, the unit beside them, a dash for nothing."""
    assert written == expected
