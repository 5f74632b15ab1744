"""Checks for any page: accessibility by axe-core, and the geometry that axe does not see (kiosk.md 7)."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_geometry = Path(__file__).with_name("geometry.js").read_text(encoding="utf-8").rstrip().rstrip(";")


def geometry_check(page: Page, *, least_mm: float = 20, gap_mm: float = 4) -> None:
    """Fail if a control is small, crowded, covered or off the glass, or if text is cut (kiosk.md 7)."""
    page.evaluate("document.fonts.ready")
    faults = page.evaluate(_geometry, [least_mm, gap_mm])
    assert faults == [], "\n".join(faults)


def axe_check(page: Page) -> None:
    """Fail on any violation of WCAG 2.2 A and AA, or of axe's best practice."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}}).response["violations"]
    faults = [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]
    assert faults == [], "\n".join(faults)
