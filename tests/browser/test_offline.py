"""The hub dies or hangs under the visitor's hands: the kiosk says so, shows what is public, sends nothing, goes on."""

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import BaseWSGIServer, make_server

from shop_hub.app import create_app
from shop_hub.board import service
from shop_hub.board.models import PostKind
from shop_hub.board.service import Draft
from shop_hub.core.db import Database
from shop_hub.core.settings import Kiosk, Settings
from shop_hub.fleet import models as fleet
from tests.browser.checks import axe_check
from tests.conftest import make_site

AWAY = "Der Rechner im Laden antwortet gerade nicht"
SOON_MS = 12_000
"""Two looks with all their waits."""


class Outage:
    """A hub that can be taken away from its address, and given back."""

    def __init__(self, folder: Path, template: Path) -> None:
        shutil.copy(template, folder / "hub.sqlite3")
        settings = Settings(data=folder, production=False, kiosk=Kiosk(auto_pair_loopback=True))
        self.database = Database(settings.database)
        self.site = make_site(self.database)
        self.app = create_app(settings, self.database)
        self._deaf: socket.socket | None = None
        self._server = self._serve(0)
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}"

    def _serve(self, port: int) -> BaseWSGIServer:
        server = make_server("127.0.0.1", port, self.app, threaded=True)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        return server

    def dies(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def hangs(self) -> None:
        """Take every connection and never answer."""
        self.dies()
        self._deaf = socket.create_server(("127.0.0.1", self.port), backlog=200)

    def returns(self) -> None:
        if self._deaf is not None:
            self._deaf.close()
        self._server = self._serve(self.port)


@pytest.fixture
def outage(sqlite_template: Path, tmp_path: Path) -> Iterator[Outage]:
    made = Outage(tmp_path, sqlite_template)
    with made.database.transaction() as session:
        draft = Draft(kind=PostKind.NOTICE, title="Apfelernte", text="Am Samstag pflücken wir.")
        service.write(session, made.site.id, draft, actor="operator:1", publish=True)
        session.add(fleet.Kiosk(site_id=made.site.id, name="Kiosk", register_code="K1"))
    yield made
    made.dies()
    made.database.dispose()


@pytest.fixture
def glass(browser, browser_context_args, outage: Outage) -> Iterator[Page]:
    """A kiosk that has been on for a while: its copies are made."""
    context = browser.new_context(**{**browser_context_args, "base_url": outage.url})
    page = context.new_page()
    page.set_default_timeout(SOON_MS)
    with context.expect_event("serviceworker"):
        page.goto("/kiosk/")
    page.evaluate(
        """() => new Promise((ready) => {
          if (navigator.serviceWorker.controller) ready(1);
          navigator.serviceWorker.addEventListener('controllerchange', () => ready(1));
        })"""
    )
    yield page
    context.close()


def test_a_dead_hub_leaves_the_board_and_takes_nothing(glass: Page, outage: Outage) -> None:
    sent: list[str] = []
    glass.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)
    expect(glass.locator(".tile-fact").first).to_be_visible()
    outage.dies()
    expect(glass.get_by_text(AWAY)).to_be_visible()
    expect(glass.locator(".tile-fact:visible")).to_have_count(0)
    axe_check(glass)
    glass.get_by_role("link", name="Schwarzes Brett").tap()
    glass.get_by_text("Apfelernte").tap()
    expect(glass.get_by_text("Am Samstag pflücken wir.")).to_be_visible()
    expect(glass.get_by_text(re.compile(r"Stand von \d\d:\d\d"))).to_be_visible()
    expect(glass.locator(".foot form").first).to_have_attribute("inert", "")
    glass.goto("/kiosk/parcels")
    expect(glass.get_by_role("heading", name=AWAY)).to_be_visible()
    axe_check(glass)
    assert sent == []
    outage.returns()
    expect(glass.get_by_role("heading", name="Paket abholen")).to_be_visible()
    expect(glass.get_by_text(AWAY)).to_be_hidden()


def test_a_hanging_hub_is_told_from_a_slow_one(glass: Page, outage: Outage) -> None:
    outage.hangs()
    glass.goto("/kiosk/events", timeout=2500)
    expect(glass.get_by_text(re.compile(r"Stand von \d\d:\d\d"))).to_be_visible()
    outage.returns()
    expect(glass.get_by_text(AWAY)).to_be_hidden()
    expect(glass.locator("html")).not_to_have_attribute("data-copy", re.compile(".*"))


def test_who_finishes_while_the_hub_is_away_is_forgotten_when_it_returns(glass: Page, outage: Outage) -> None:
    glass.get_by_role("button", name="English").tap()
    expect(glass.locator("html")).to_have_attribute("lang", "en")
    glass.goto("/kiosk/board/write")
    outage.dies()
    glass.evaluate("document.querySelector('form[data-reset]').requestSubmit()")  # what the time limit does
    expect(glass.get_by_role("heading", name=AWAY)).to_be_visible()
    outage.returns()
    expect(glass.get_by_role("heading", name="Anfang")).to_be_attached()
    expect(glass.locator("html")).to_have_attribute("lang", "de")
    assert glass.evaluate("location.pathname") == "/kiosk/"


def test_copies_hold_nothing_of_the_visitor(glass: Page) -> None:
    glass.get_by_role("button", name="English").tap()
    expect(glass.locator("html")).to_have_attribute("lang", "en")
    kept = glass.evaluate(
        """async () => {
          const cache = await caches.open((await caches.keys())[0]);
          const pages = await Promise.all((await cache.keys()).map(async (key) =>
            [new URL(key.url).pathname, (await (await cache.match(key)).text()).includes('lang="de"')]));
          return pages;
        }"""
    )
    assert all(is_german for _path, is_german in kept)
    assert {path for path, _ in kept if "/kiosk/board/" not in path} == {
        "/kiosk/", "/kiosk/board", "/kiosk/events", "/kiosk/offline",
    }  # fmt: skip
    answer = glass.request.get("/kiosk/board", headers={"X-Public-Copy": "1"})
    assert (answer.headers.get("set-cookie"), 'lang="de"' in answer.text()) == (None, True)
