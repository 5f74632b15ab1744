"""Contrast of the colour pairs in tokens.css: text 7:1, edges of controls 3:1 (kiosk.md 3.1)."""

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "kiosk" / "assets" / "styles" / "tokens.css"
TEXT_PAIRS = [
    ("ink", "paper"),
    ("ink", "surface"),
    ("ink", "sunk"),
    ("ink-soft", "paper"),
    ("ink-soft", "surface"),
    ("ink-soft", "sunk"),
    ("on-green", "green"),
    ("green-deep", "surface"),
    ("on-green-soft", "green-soft"),
    ("on-header", "header"),
    ("on-amber", "amber"),
    ("on-amber-soft", "amber-soft"),
    ("on-red", "red"),
    ("on-red-soft", "red-soft"),
    ("on-red-soft", "surface"),
    ("on-red-soft", "paper"),
    ("on-blue-soft", "blue-soft"),
]
EDGES = [
    ("edge", "paper"),
    ("edge", "surface"),
    ("edge", "sunk"),
    ("green", "paper"),
    ("focus", "paper"),
    ("red", "surface"),
]


def colours(theme: str) -> dict[str, str]:
    light, dark = TOKENS.read_text(encoding="utf-8").split(':root[data-theme="dark"]')
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if theme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_stands_out_seven_times(theme: str, text: str, ground: str):
    known = colours(theme)
    assert contrast(known[text], known[ground]) >= 7


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), EDGES)
def test_edges_of_controls_stand_out_three_times(theme: str, line: str, ground: str):
    known = colours(theme)
    assert contrast(known[line], known[ground]) >= 3
