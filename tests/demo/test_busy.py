"""The simulated people's browser reads pages as people do, sends forms as browsers do, and knows a refusal."""

import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
from babel.messages.pofile import read_po

import shop_hub
from kiosk.board_write import STARTERS
from shop_hub.board import texts
from shop_hub.demo.browser import Browser, NotThereError, RefusedError, read
from shop_hub.demo.busy.acts import ACTS
from shop_hub.demo.busy.board import NOTICES, beginning
from shop_hub.demo.busy.parcels import number
from shop_hub.parcels import labels

PAGE = """<!doctype html><html><head><title>Ihr Einkauf · Dorfladen</title><style>.notice{}</style></head><body>
<div class="notice notice-bad" role="alert">
<svg><title>x</title><use href="#e"></use></svg><div>Bitte<b>nicht.</b></div></div>
<a href="/kiosk/shop"><span>Ein</span> <strong>Kauf</strong></a><br><a name="x">kein Link</a>
<form method="post" action="/kiosk/shop/scan" id="scan"><input type="hidden" name="csrf_token" value="t&amp;1">
  <input name="code"><input type="checkbox" name="off"><input type="checkbox" name="on" value="ja" checked>
  <input type="radio" name="show" value="0"><input type="radio" name="show" value="1" checked>
  <input name="gone" disabled value="1"><textarea name="text">
  Ich suche </textarea>
  <select name="way"><option value="a">A</option><option value="b" selected>B</option></select>
  <select name="first"><option value="">bitte</option><option value="c">C</option></select>
  <button name="act" value="one">1</button><button type="button" name="act" value="no">-</button></form>
<dialog><form method="dialog"><button value="yes">Ja</button></form></dialog>
<form action="/kiosk/search"><input name="words" value="x"></form>
<button form="scan" name="act" value="two">2</button>
<table><tr><th><a href="?p=1">0913</a><br><small>Blauer Bote</small></th>
<td>Ute   Wegener</td></tr><tr><td>3</td></tr></table>
<p class="figure">12 <span>Stück</span></p>%s</body></html>"""


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """A tiny shop: `/in` sets a cookie and leads on, `/echo` shows what was sent and which cookie came."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/in":
                self.answer(303, "", Location="/echo", **{"Set-Cookie": "visit=7; Path=/; HttpOnly"})
            elif self.path == "/no":
                self.answer(409, '<title>Nein · Laden</title><section class="sign"><h2>Das ging nicht.</h2></section>')
            elif self.path == "/cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
            else:
                self.answer(200, f"<title>{self.command} {self.path} {self.headers['Cookie']}</title>")

        def do_POST(self) -> None:
            sent = parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), keep_blank_values=True)
            self.answer(200, "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in sent))

        def answer(self, status: int, html: str, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_page_is_read_as_a_person_sees_it() -> None:
    page = read(PAGE % "", address="http://shop/kiosk/x?y=1")
    assert (page.title, page.words, page.figures) == ("Ihr Einkauf", "Bitte nicht.", ["12 Stück"])
    assert [(link.address, link.text) for link in page.links] == [
        ("http://shop/kiosk/shop", "Ein Kauf"),
        ("http://shop/kiosk/x?p=1", "0913"),
    ]
    assert page.rows == [["0913 Blauer Bote", "Ute Wegener"], ["3"]]
    assert not page.is_waiting
    assert read(PAGE % '<p hx-trigger="sale from:body, every 2s"></p>', address="http://shop/").is_waiting
    assert not read(PAGE % '<p hx-trigger="sale from:body, every 20s"></p>', address="http://shop/").is_waiting


def test_a_form_holds_what_a_browser_would_send() -> None:
    page = read(PAGE % "", address="http://shop/kiosk/x")
    form = page.form("/shop/scan", button="two")
    assert (form.method, form.address) == ("post", "http://shop/kiosk/shop/scan")
    assert form.fields == {
        "csrf_token": "t&1",
        "code": "",
        "on": "ja",
        "show": "1",
        "text": "Ich suche",
        "way": "b",
        "first": "",
    }
    assert form.options == {"way": ["a", "b"], "first": ["", "c"]}
    assert form.buttons == [("act", "one"), ("act", "two")]
    assert [each.method for each in page.forms] == ["post", "get"]
    with pytest.raises(NotThereError, match="/kiosk/pay"):
        page.form("/kiosk/pay")


def test_forms_are_sent_with_hidden_fields_and_the_touched_button(shop: str) -> None:
    browser = Browser(shop)
    form = read(PAGE % "", address=f"{shop}/").form("/shop/scan")
    sent = {row[0]: row[1] for row in browser.submit(form, button="two", code="400 ä&=").rows}
    assert (sent["csrf_token"], sent["code"], sent["act"], sent["show"]) == ("t&1", "400 ä&=", "two", "1")
    assert dict(browser.submit(form, code="4").rows)["act"] == "one"
    search = read(PAGE % "", address=f"{shop}/").form("/search")
    assert "GET /kiosk/search?words=Apfel+rot" in browser.submit(search, words="Apfel rot").title
    with pytest.raises(NotThereError, match="pin"):
        browser.submit(form, pin="1234")
    with pytest.raises(NotThereError, match="three"):
        browser.submit(form, button="three")


def test_redirects_are_followed_and_cookies_kept(shop: str) -> None:
    browser = Browser(shop)
    page = browser.go("/in")
    assert (page.address, page.title) == (f"{shop}/echo", "GET /echo visit=7")
    assert Browser(shop).go("/echo").title == "GET /echo None"


def test_a_refusal_carries_the_words_of_the_page(shop: str) -> None:
    with pytest.raises(RefusedError, match="Das ging nicht") as refusal:
        Browser(shop).go("/no")
    assert refusal.value.page.status == 409


def test_a_hub_that_dies_in_the_middle_is_an_os_error(shop: str) -> None:
    with pytest.raises(OSError, match="IncompleteRead"):
        Browser(shop).go("/cut")


@pytest.mark.parametrize(
    ("carrier", "label_format"), [("kranichpost", "sscc20"), ("blauerbote", "numeric14"), ("rotfuchs", "mod37-15")]
)
def test_fresh_parcel_numbers_are_right_for_their_carrier(carrier: str, label_format: str) -> None:
    world = SimpleNamespace(random=random.Random(7))  # noqa: S311 - no secret
    for _ in range(50):
        text = number(world, carrier)
        assert text.startswith(labels.choose(text, label_format))
        assert any(found.is_checked and found.format == label_format for found in labels.read(text))


def test_every_act_is_chosen_some_time() -> None:
    assert all(weight > 0 for _act, weight in ACTS.values())


@pytest.mark.parametrize(("start", "text"), NOTICES)
def test_a_notice_is_known_again_by_its_title(start: str, text: str) -> None:
    with Path(shop_hub.__file__).with_name("translations").joinpath("de", "board.po").open("rb") as file:
        german = read_po(file, locale="de")
    words = STARTERS[start].words
    begun = german.get(words).string if words else ""
    assert beginning(text) in texts.title_of(texts.clean(f"{begun} {text}"))
