"""A real server and Debian's chromium with a kiosk's glass: 1080 x 1920, touch, German.

Tests that need more in the village add it through `live_hub.database` before they open a page.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page
from werkzeug.serving import make_server

from shop_hub.app import create_app
from shop_hub.core.db import Database
from shop_hub.core.settings import Kiosk, Settings
from shop_hub.core.web import ShopHub
from tests.browser import gallery
from tests.conftest import make_site
from tests.servers import MUST_NOT_SKIP

CHROMIUM = os.environ.get("SHOP_HUB_CHROMIUM", "/usr/bin/chromium")
SCREENSHOTS = Path("build") / "screenshots"  # pytest-playwright empties test-results/


@dataclass(frozen=True)
class LiveHub:
    """A running hub."""

    app: ShopHub
    database: Database
    site_id: int
    url: str


@pytest.fixture(scope="session")
def live_hub(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """The hub that the tests share."""
    with serving(tmp_path_factory.mktemp("hub"), sqlite_template) as hub:
        yield hub


@contextmanager
def serving(folder: Path, template: Path) -> Iterator[LiveHub]:
    """Run a hub over a fresh database with one shop; this computer's browser counts as its kiosk."""
    shutil.copy(template, folder / "hub.sqlite3")
    settings = Settings(data=folder, production=False, kiosk=Kiosk(auto_pair_loopback=True))
    database = Database(settings.database)
    site = make_site(database)
    app = create_app(settings, database)
    app.register_blueprint(gallery.blueprint)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield LiveHub(app, database, site.id, f"http://127.0.0.1:{server.port}")
    server.shutdown()
    database.dispose()


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's chromium; nothing is downloaded."""
    if not Path(CHROMIUM).exists() and not MUST_NOT_SKIP:
        pytest.skip("chromium is not installed: apt-get install chromium")
    # The sandbox refuses to run as root, which CI is.
    quiet = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    return {"executable_path": CHROMIUM, "args": [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet}


@pytest.fixture
def browser_context_args(live_hub: LiveHub) -> dict[str, Any]:
    """A 21.5-inch screen held upright; page.goto("/kiosk/") leads to the live hub of the test's file."""
    return {
        "base_url": live_hub.url,
        "viewport": {"width": 1080, "height": 1920},
        "locale": "de-DE",
        "timezone_id": "Europe/Berlin",
        "has_touch": True,
        "reduced_motion": "reduce",
    }


@pytest.fixture
def page(page: Page, live_hub: LiveHub) -> Iterator[Page]:
    """A page of the shared hub, on which nothing may go wrong unseen."""
    with watched(page, live_hub.url):
        yield page


@contextmanager
def watched(page: Page, url: str) -> Iterator[None]:
    """Fail at the end if scripts or the server failed, or for CSP reports and foreign requests."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    page.on(
        "request",
        lambda sent: None if sent.url.startswith((url, "data:", "blob:")) else faults.append(sent.url),
    )
    page.on("response", lambda got: faults.append(f"{got.status} {got.url}") if got.status >= 500 else None)
    page.set_default_timeout(10_000)
    yield
    assert faults == []


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest):
    """Call it to keep a picture in build/screenshots/ (not in git)."""

    def take(name: str = "") -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        stem = re.sub(r"[^\w.-]+", "-", f"{request.node.name}-{name}".strip("-"))
        path = SCREENSHOTS / f"{stem}.png"
        page.screenshot(path=path)
        return path

    return take
