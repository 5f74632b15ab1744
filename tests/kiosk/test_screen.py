"""Sizes of the kiosk's type; figures from kiosk.md 3.1."""

import pytest

from kiosk.screen import Screen


@pytest.mark.parametrize(
    ("width_mm", "at_500_mm", "at_600_mm"), [(194, 47, 56), (268, 34, 41), (336, 27, 33), (398, 23, 28), (685, 14, 16)]
)
def test_type_size_follows_width_and_distance(width_mm: int, at_500_mm: int, at_600_mm: int):
    assert Screen(width_mm, 1080, 500).root_px == at_500_mm
    assert Screen(width_mm, 1080, 600).root_px == at_600_mm


def test_twenty_millimetres_on_the_reference_screen():
    assert 20 * Screen(268, 1080, 600).mm_px == pytest.approx(80.6, abs=0.05)
