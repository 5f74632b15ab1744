"""Sizes in millimetres: from the screen's real width to the type size, so that every screen shows the same letters.

EN 301 549 5.1.4 asks that a capital H subtends at least 0.7 degrees at the distance that the supplier states.
"""

import math
from dataclasses import dataclass

CAPITAL_MM_PER_MM = 2 * math.tan(math.radians(0.35))
# DejaVu Sans; our own font is scaled to the same ratio (assets/styles/fonts.css).
CAPITAL_PER_EM = 0.729


@dataclass(frozen=True)
class Screen:
    """A touchscreen as it hangs on the wall. Widths of the active area, upright; distance of the eye."""

    width_mm: int
    css_width: int
    distance_mm: int

    @property
    def pitch_mm(self) -> float:
        """Return the width of one CSS pixel in millimetres."""
        return self.width_mm / self.css_width

    @property
    def root_px(self) -> int:
        """Return the size of 1rem; rounded up, since rounding to nearest misses the rule on some screens."""
        capital_mm = self.distance_mm * CAPITAL_MM_PER_MM
        return math.ceil(capital_mm / CAPITAL_PER_EM / self.pitch_mm)

    @property
    def mm_px(self) -> float:
        """Return one millimetre in CSS pixels."""
        return round(1 / self.pitch_mm, 3)
