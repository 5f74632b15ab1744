"""The noticeboard at the kiosk: read, write in four steps, come back with the slip; nothing stays after "Finish"."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from shop_hub.board import queries, service
from shop_hub.board.models import Post, PostKind, PostState
from shop_hub.board.service import Draft, Times
from shop_hub.core import clock, tokens
from shop_hub.core.db import Database
from shop_hub.core.idempotency import IdempotencyRecord
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import Kiosk
from tests.backoffice.office import Browser

HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)> javascript:alert(3) \u202egnp.exe \"'><b>"


@pytest.fixture
def database(page_database: Database) -> Database:
    return page_database


@pytest.fixture
def kiosk(app: ShopHub, site: Site, client: FlaskClient) -> Browser:
    """A paired kiosk."""
    with app.database.transaction() as session:
        row = Kiosk(site_id=site.id, name="Eingang", register_code="K1")
        session.add(row)
        session.flush()
        token = tokens.issue(session, Purpose.KIOSK, row.id, site_id=site.id)
    client.set_cookie("kiosk", token.text, path="/kiosk")
    return Browser(client)


def post(kiosk: Browser, path: str, form: dict[str, object] | None = None):
    return kiosk.post(path, form, token=kiosk.token("/kiosk/board"))


def write(kiosk: Browser, text: str, contact: str = "", *, show: bool = False) -> str:
    """Write a notice to the end and return its slip code."""
    kiosk.get("/kiosk/board/write/text?start=give")
    assert post(kiosk, "/kiosk/board/write/text", {"text": text}).status_code == 303
    answer = post(kiosk, "/kiosk/board/write/contact", {"contact": contact, "show": "1" if show else "0"})
    assert answer.headers["Location"] == "/kiosk/board/write/preview"
    assert kiosk.get("/kiosk/board/write/preview").status_code == 200
    assert post(kiosk, "/kiosk/board/write").headers["Location"] == "/kiosk/board/thanks"
    code = re.search(r'class="slip-code[^"]*"[^>]*>([^<]+)<', kiosk.get("/kiosk/board/thanks").text)
    assert code is not None
    return code[1]


def approve_all(app: ShopHub, site: Site) -> None:
    with app.database.transaction() as session:
        for waiting in queries.posts(session, site.id, (PostState.PENDING,), page=1).items:
            service.approve(session, waiting.id, actor="operator:1")


def test_notice_goes_from_the_kiosk_over_approval_to_the_board(app: ShopHub, site: Site, kiosk: Browser) -> None:
    code = write(kiosk, "Ich verschenke Äpfel. Tel 0171 1234567", "Erna, 0171 1234567")
    assert "Äpfel" not in kiosk.get("/kiosk/board").text
    approve_all(app, site)
    board = kiosk.get("/kiosk/board").text
    assert "Ich verschenke Äpfel" in board
    notice = re.search(r"/kiosk/board/[0-9a-f-]{36}", board)
    assert notice is not None
    page = kiosk.get(notice[0]).text
    public = kiosk.get(notice[0].replace("/kiosk/board/", "/n/")).text
    for shown in (board, page, public):
        assert "1234567" not in shown
        assert "Erna" not in shown
        assert code.replace(" ", "") not in shown
    assert "<svg" in page


def test_number_is_shown_to_all_only_after_a_yes(app: ShopHub, site: Site, kiosk: Browser) -> None:
    write(kiosk, "Ich verschenke Birnen.", "Erna 0171 1234567", show=True)
    approve_all(app, site)
    notice = re.search(r"/kiosk/board/[0-9a-f-]{36}", kiosk.get("/kiosk/board").text)
    assert notice is not None
    assert "Erna 0171 1234567" in kiosk.get(notice[0]).text


def test_starter_words_alone_are_no_notice(kiosk: Browser) -> None:
    page = kiosk.get("/kiosk/board/write/text?start=give")
    begun = re.search(r"<textarea[^>]*>([^<]+)<", page.text)
    assert begun is not None
    answer = post(kiosk, "/kiosk/board/write/text", {"text": unescape(begun[1])})
    assert (answer.status_code, 'aria-invalid="true"' in answer.text) == (422, True)
    long = post(kiosk, "/kiosk/board/write/text", {"text": "ä" * 281})
    assert (long.status_code, "ä" * 281 in long.text) == (422, True)


def test_steps_cannot_be_skipped(kiosk: Browser) -> None:
    for path in ("/kiosk/board/write/text", "/kiosk/board/write/contact", "/kiosk/board/write/preview"):
        assert kiosk.get(path).status_code == 303
    assert post(kiosk, "/kiosk/board/write").headers["Location"] == "/kiosk/board/write"
    assert kiosk.get("/kiosk/board/thanks").status_code == 404
    assert kiosk.get("/kiosk/board/own").status_code == 404


def test_double_tap_hands_in_once_and_no_stored_answer_holds_the_code(app: ShopHub, kiosk: Browser) -> None:
    kiosk.get("/kiosk/board/write/text?start=give")
    post(kiosk, "/kiosk/board/write/text", {"text": "Ich verschenke Äpfel."})
    post(kiosk, "/kiosk/board/write/contact", {"contact": ""})
    form = {"idempotency_key": "the-same-key"}
    answers = [post(kiosk, "/kiosk/board/write", form) for _ in range(2)]
    assert [answer.headers["Location"] for answer in answers] == ["/kiosk/board/thanks"] * 2
    code = re.search(r'class="slip-code[^"]*"[^>]*>([^<]+)<', kiosk.get("/kiosk/board/thanks").text)
    assert code is not None
    with app.database.reading() as session:
        assert session.query(Post).count() == 1
        kept = session.query(IdempotencyRecord).one()
        assert code[1].replace(" ", "").encode() not in kept.body.replace(b" ", b"")


def test_writer_comes_back_with_the_slip(app: ShopHub, site: Site, kiosk: Browser) -> None:
    code = write(kiosk, "Ich verschenke Äpfel.")
    post(kiosk, "/kiosk/reset")
    assert kiosk.get("/kiosk/board/own").status_code == 404
    wrong = post(kiosk, "/kiosk/board/slip", {"code": "AAAACCCC"})
    assert wrong.status_code == 404
    assert post(kiosk, "/kiosk/board/slip", {"code": code.lower()}).headers["Location"] == "/kiosk/board/own"
    assert "Äpfel" in kiosk.get("/kiosk/board/own").text
    approve_all(app, site)
    post(kiosk, "/kiosk/board/own/text", {"text": "Ich verschenke Birnen. Tel 030 23125101"})
    assert "Äpfel" not in kiosk.get("/kiosk/board").text
    approve_all(app, site)
    assert "Birnen" in kiosk.get("/kiosk/board").text
    with clock.shifted(timedelta(seconds=1)):
        assert post(kiosk, "/kiosk/board/own/extend").status_code == 303
    post(kiosk, "/kiosk/board/own/withdraw")
    assert "Birnen" not in kiosk.get("/kiosk/board").text
    with app.database.reading() as session:
        left = session.query(Post).one()
        assert (left.state, left.text) == (PostState.WITHDRAWN, "Ich verschenke Birnen. Tel •••••")


def test_finish_wipes_the_draft(kiosk: Browser) -> None:
    kiosk.get("/kiosk/board/write/text?start=seek")
    post(kiosk, "/kiosk/board/write/text", {"text": "Ich suche meine geheime Katze."})
    post(kiosk, "/kiosk/reset")
    for path in ("/kiosk/board/write/text", "/kiosk/board/write/contact", "/kiosk/board/write/preview"):
        assert kiosk.get(path).status_code == 303
    assert "geheime" not in kiosk.get("/kiosk/board/write/text?start=seek").text


def test_many_notices_from_one_kiosk_are_slowed_down(kiosk: Browser) -> None:
    statuses = []
    for number in range(8):
        kiosk.get("/kiosk/board/write/text?start=give")
        post(kiosk, "/kiosk/board/write/text", {"text": f"Ich verschenke {number} Äpfel."})
        post(kiosk, "/kiosk/board/write/contact", {"contact": ""})
        statuses.append(post(kiosk, "/kiosk/board/write").status_code)
    assert statuses == [303] * 6 + [429] * 2


def test_hostile_text_is_harmless_everywhere(app: ShopHub, site: Site, kiosk: Browser) -> None:
    write(kiosk, HOSTILE, HOSTILE, show=True)
    approve_all(app, site)
    notice = re.search(r"/kiosk/board/([0-9a-f-]{36})", kiosk.get("/kiosk/board").text)
    assert notice is not None
    for path in ("/kiosk/board", notice[0], f"/n/{notice[1]}", f"/feeds/{site.slug}/notices.atom"):
        text = kiosk.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\u202e" not in text
        assert 'href="javascript' not in text
        assert "&lt;script&gt;" in text


def test_unpaired_browser_reads_but_does_not_write(app: ShopHub, site: Site) -> None:
    with app.database.transaction() as session:
        draft = Draft(kind=PostKind.NEWS, title="Honig ist da", text="Im Regal.")
        service.write(session, site.id, draft, actor="operator:1", publish=True)
    visitor = Browser(app.test_client())
    page = visitor.get("/kiosk/board")
    assert (page.status_code, "Honig ist da" in page.text, "/kiosk/board/write" in page.text) == (200, True, False)
    for path in ("/kiosk/board/write", "/kiosk/board/slip", "/kiosk/board/own"):
        assert visitor.get(path).status_code == 401
    assert visitor.post("/kiosk/board/slip", {"code": "x"}, token=visitor.token("/kiosk/board")).status_code == 401


def test_events_of_today_the_week_and_later(app: ShopHub, site: Site, kiosk: Browser) -> None:
    today = clock.today(site.timezone)
    with app.database.transaction() as session:
        for days, title in ((0, "Heute-Fest"), (3, "Wochen-Markt"), (20, "Spaeter-Konzert")):
            times = Times(first_day=today + timedelta(days=days), is_all_day=True, place="Anger")
            draft = Draft(kind=PostKind.EVENT, title=title, text="Alle sind da.", times=times)
            service.write(session, site.id, draft, actor="operator:1", publish=True)
    titles = {
        name: re.findall(r"(\w+-\w+)</strong>", kiosk.get(f"/kiosk/events?range={name}").text)
        for name in ("today", "week", "all", "nonsense")
    }
    assert titles == {
        "today": ["Heute-Fest"],
        "week": ["Heute-Fest", "Wochen-Markt"],
        "all": ["Heute-Fest", "Wochen-Markt", "Spaeter-Konzert"],
        "nonsense": ["Heute-Fest", "Wochen-Markt"],
    }
    with app.database.reading() as session:
        counts = queries.counts(session, site.id, site.timezone)
    assert (counts.events_today, counts.events_this_week) == (1, 2)
    assert "Heute-Fest" not in kiosk.get("/kiosk/board").text


def test_public_addresses_work_in_capitals_and_end_with_the_post(app: ShopHub, site: Site, kiosk: Browser) -> None:
    times = Times(first_day=clock.today(site.timezone) + timedelta(days=1), start_minute=1140, end_minute=1230)
    with app.database.transaction() as session:
        draft = Draft(kind=PostKind.EVENT, title="Chor", text="Wir singen.", times=times)
        post_ = service.write(session, site.id, draft, actor="operator:1", publish=True)
    id_ = post_.public_id
    assert kiosk.get(f"/N/{str(id_).upper()}").status_code == 200
    assert "BEGIN:VEVENT" in kiosk.get(f"/E/{str(id_).upper()}.ICS").text
    with app.database.transaction() as session:
        service.withdraw(session, post_.id, actor="operator:1")
    assert kiosk.get(f"/n/{id_}").status_code == 404
    assert "STATUS:CANCELLED" in kiosk.get(f"/e/{id_}.ics").text
    assert "STATUS:CANCELLED" in kiosk.get(f"/feeds/{site.slug}/events.ics").text
    assert kiosk.get("/feeds/nowhere/events.ics").status_code == 404
