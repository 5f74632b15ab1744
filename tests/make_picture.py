"""`python -m tests.make_picture`: the README's picture of the kiosk, made by a running demo village."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM
from tests.journeys.conftest import Village, wait_until

TARGET = Path(__file__).parents[1] / "docs" / "kiosk.png"


def main() -> None:
    """Start a village, open its kiosk, keep what is to be seen."""
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        village = Village(Path(folder))
        village.start()
        wait_until(village.is_whole, within_s=60)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": 1080, "height": 1920}, locale="de-DE", timezone_id="Europe/Berlin", has_touch=True
        )
        page.goto(f"{village.url}/kiosk/")
        page.wait_for_timeout(1000)  # fonts and drawings
        page.screenshot(path=TARGET, scale="css")
        browser.close()
        village.stop()


if __name__ == "__main__":
    main()
