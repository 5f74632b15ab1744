"""Life of a notice: handed in, approved or refused, found by slip, taken down, over."""

from datetime import date, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from shop_hub.board import queries, service, slips
from shop_hub.board.errors import (
    BadTimesError,
    BoardBusyError,
    EmptyTextError,
    LongTextError,
    ReasonMissingError,
    UnknownSlipError,
    WrongStateError,
)
from shop_hub.board.models import Contact, Post, PostKind, PostState
from shop_hub.board.service import Draft, Times
from shop_hub.core import audit, clock
from shop_hub.core.db import Database
from shop_hub.core.errors import NotFoundError, TooManyAttemptsError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.sites import Site

HASHER = SecretHasher(b"pepper of this test run")
OFFER = Draft(kind=PostKind.OFFER, text="Ich verschenke Äpfel. Tel 0171 1234567", contact_text="Erna, 0171 1234567")


def hand_in(database: Database, site: Site, draft: Draft = OFFER, pad: str = "kiosk:1") -> Post:
    with database.transaction() as session:
        return service.hand_in(session, HASHER, site.id, draft, pad=pad)


def code_of(post: Post) -> str:
    return slips.code_of(HASHER, post.public_id)


def titles(database: Database, site: Site) -> list[str]:
    with database.reading() as session:
        return [card.title for card in queries.shown(session, site.id, kind=None, page=1, language="de").items]


def test_notice_of_a_kiosk_hangs_only_after_approval(database: Database, site: Site) -> None:
    post = hand_in(database, site)
    assert titles(database, site) == []
    with database.reading() as session, pytest.raises(NotFoundError):
        queries.detail(session, post.public_id, language="de")
    with database.transaction() as session:
        service.approve(session, post.id, actor="operator:1")
    assert titles(database, site) == ["Ich verschenke Äpfel"]
    with database.reading() as session:
        detail = queries.detail(session, post.public_id, language="de")
    assert (detail.text, detail.contact) == ("Ich verschenke Äpfel. Tel •••••", "")


def test_number_is_shown_only_with_consent(database: Database, site: Site) -> None:
    draft = Draft(kind=PostKind.OFFER, text=OFFER.text, contact_text=OFFER.contact_text, has_consent=True)
    post = hand_in(database, site, draft)
    with database.transaction() as session:
        service.approve(session, post.id, actor="operator:1")
        detail = queries.detail(session, post.public_id, language="de")
    assert (detail.text, detail.contact) == (OFFER.text, "Erna, 0171 1234567")
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.get_one(Post, post.id).consent_at = None
        session.flush()


def test_refusal_needs_a_reason_and_the_writer_can_write_anew(database: Database, site: Site) -> None:
    post = hand_in(database, site)
    with database.transaction() as session, pytest.raises(ReasonMissingError):
        service.reject(session, post.id, " \u202e ", actor="operator:1")
    with database.transaction() as session:
        service.reject(session, post.id, "Bitte ohne Werbung.", actor="operator:1")
    with database.transaction() as session:
        mine = service.find_by_slip(session, HASHER, site.id, code_of(post), pad="kiosk:1")
        assert (mine.state, mine.reject_reason) == (PostState.REJECTED, "Bitte ohne Werbung.")
        service.change_by_slip(session, mine.id, "Ich verschenke Birnen.", pad="kiosk:1")
    with database.transaction() as session:
        again = service.approve(session, post.id, actor="operator:1")
        assert (again.state, again.reject_reason, again.ended_at) == (PostState.PUBLISHED, "", None)
    assert titles(database, site) == ["Ich verschenke Birnen"]


def test_two_moderators_decide_only_once(database: Database, site: Site) -> None:
    post = hand_in(database, site)
    with database.transaction() as session:
        service.approve(session, post.id, actor="operator:1")
    with database.transaction() as session, pytest.raises(WrongStateError):
        service.reject(session, post.id, "Nein.", actor="operator:2")


def test_slip_code_is_found_however_it_is_typed_but_not_at_another_site(database: Database, site: Site) -> None:
    post = hand_in(database, site)
    code = code_of(post)
    assert len(code) == 8
    assert not set(code) & set("0O1IL2Z5S8B")
    with database.transaction() as session:
        session.add(Site(slug="other", name="Anderer Laden"))
    for typed in (code, code.lower(), f" {code[:4]}-{code[4:]} "):
        with database.transaction() as session:
            assert service.find_by_slip(session, HASHER, site.id, typed, pad="kiosk:1").id == post.id
    with database.transaction() as session, pytest.raises(UnknownSlipError):
        service.find_by_slip(session, HASHER, site.id + 1, code, pad="kiosk:1")
    with database.reading() as session:
        assert code not in str(session.get_one(Post, post.id).__dict__)


def test_guessing_slip_codes_is_slowed_down(database: Database, site: Site) -> None:
    def outcome() -> str:
        try:
            with database.transaction() as session:
                service.find_by_slip(session, HASHER, site.id, "AAAACCCC", pad="kiosk:1")
        except (UnknownSlipError, TooManyAttemptsError) as refusal:
            return refusal.code
        return "found"

    assert [outcome() for _ in range(8)] == ["unknown-slip"] * 6 + ["too-many-attempts"] * 2


def test_twenty_notices_a_minute_from_one_kiosk_are_slowed_down(database: Database, site: Site) -> None:
    taken, busy = 0, 0
    for second in range(0, 60, 3):
        with clock.shifted(timedelta(seconds=second)):
            try:
                hand_in(database, site)
                taken += 1
            except BoardBusyError:
                busy += 1
    assert (taken, busy) == (7, 13)
    assert hand_in(database, site, pad="kiosk:2").state is PostState.PENDING


@pytest.mark.parametrize("text", ["", "   \n ", "\u202e\u200b"])
def test_empty_text_is_refused(database: Database, site: Site, text: str) -> None:
    with pytest.raises(EmptyTextError):
        hand_in(database, site, Draft(kind=PostKind.OFFER, text=text))


def test_text_of_281_letters_is_refused(database: Database, site: Site) -> None:
    with pytest.raises(LongTextError) as refusal:
        hand_in(database, site, Draft(kind=PostKind.OFFER, text="ä" * 281))
    assert refusal.value.params == {"field": "text", "most": 280, "count": 281}
    assert hand_in(database, site, Draft(kind=PostKind.OFFER, text="ä" * 280)).text == "ä" * 280


def test_notice_is_over_after_14_days_unless_extended_and_forgotten_30_days_later(
    database: Database, site: Site
) -> None:
    first, second = hand_in(database, site), hand_in(database, site)
    for post in (first, second):
        with database.transaction() as session:
            service.approve(session, post.id, actor="operator:1")
    with clock.shifted(timedelta(days=13)), database.transaction() as session:
        service.extend(session, second.id, actor="kiosk:1")
    with clock.shifted(timedelta(days=14, minutes=1)):
        assert len(titles(database, site)) == 1
        with database.transaction() as session:
            assert service.expire(session) == 1
        with database.reading() as session:
            assert [session.get_one(Post, post.id).state for post in (first, second)] == [
                PostState.EXPIRED,
                PostState.PUBLISHED,
            ]
    with clock.shifted(timedelta(days=45)), database.transaction() as session:
        service.forget_ended(session)
        assert session.get(Post, first.id) is None
        assert session.get(Post, second.id) is not None


def test_withdrawn_notice_is_gone_and_its_slip_too(database: Database, site: Site) -> None:
    post = hand_in(database, site)
    with database.transaction() as session:
        service.approve(session, post.id, actor="operator:1")
        service.withdraw(session, post.id, actor="kiosk:1")
    assert titles(database, site) == []
    with database.transaction() as session, pytest.raises(UnknownSlipError):
        service.find_by_slip(session, HASHER, site.id, code_of(post), pad="kiosk:1")
    with database.transaction() as session, pytest.raises(WrongStateError):
        service.extend(session, post.id, actor="kiosk:1")


def test_every_step_is_in_the_audit_chain(database: Database, site: Site) -> None:
    post = hand_in(database, site)
    with database.transaction() as session:
        service.approve(session, post.id, actor="operator:1")
        service.withdraw(session, post.id, actor="kiosk:1")
        entries = session.query(audit.AuditEntry).order_by(audit.AuditEntry.number).all()
        assert [(entry.actor, entry.action) for entry in entries] == [
            ("kiosk:1", "notice-handed-in"),
            ("operator:1", "notice-published"),
            ("kiosk:1", "notice-withdrawn"),
        ]
        assert audit.broken_entries(session, site.id) == []


def event(first_day: date, **times: object) -> Draft:
    minutes = {"start_minute": 19 * 60, "end_minute": 20 * 60 + 30}
    return Draft(
        kind=PostKind.EVENT, title="Chor", text="Wir singen.", times=Times(first_day=first_day, **{**minutes, **times})
    )


def test_weekly_event_has_its_days_and_ends_with_the_last(database: Database, site: Site) -> None:
    today = clock.today(site.timezone)
    draft = event(
        today + timedelta(days=1),
        repeat_weeks=1,
        repeat_until=today + timedelta(days=22),
        skip_days=(today + timedelta(days=8),),
        place="Gemeindehaus",
    )
    with database.transaction() as session:
        post = service.write(session, site.id, draft, actor="operator:1", publish=True)
        page = queries.events(session, site.id, language="de")
        week = queries.events(session, site.id, until=queries.end_of_day(site.timezone, 7), language="de")
        days = [(day.starts_at.astimezone().date() - today).days for day in page.items]
    assert (days, page.total, week.total) == ([1, 15, 22], 3, 1)
    assert post.expires_at == page.items[-1].ends_at
    with clock.shifted(timedelta(days=16)), database.reading() as session:
        assert queries.events(session, site.id, language="de").total == 1


@pytest.mark.parametrize(
    "times",
    [
        {"start_minute": 600, "end_minute": 600},
        {"repeat_weeks": 1},
        {"repeat_until": date(2030, 1, 1)},
        {"first_day": date(2020, 1, 1)},
    ],
)
def test_events_with_days_that_do_not_fit_are_refused(database: Database, site: Site, times: dict[str, object]) -> None:
    times = {"first_day": clock.today(site.timezone) + timedelta(days=1), **times}
    with pytest.raises(BadTimesError), database.transaction() as session:
        service.write(session, site.id, event(**times), actor="operator:1", publish=True)


def test_changed_event_keeps_its_address_and_grows_its_sequence(database: Database, site: Site) -> None:
    tomorrow = clock.today(site.timezone) + timedelta(days=1)
    with database.transaction() as session:
        post = service.write(session, site.id, event(tomorrow), actor="operator:1", publish=True)
        before = (post.public_id, post.sequence)
    with database.transaction() as session:
        changed = service.change(session, post.id, event(tomorrow + timedelta(days=1)), actor="operator:1")
        assert (changed.public_id, changed.sequence) == (before[0], before[1] + 1)
        assert [day.day for day in changed.occurrences] == [tomorrow + timedelta(days=1)]
        assert changed.expires_at == changed.occurrences[-1].ends_at


def test_notice_is_read_in_the_wished_language_or_the_writers(database: Database, site: Site) -> None:
    draft = Draft(
        kind=PostKind.NEWS, title="Honig", text="Er ist da.", translations={"en": {"title": "Honey", "text": "Here."}}
    )
    with database.transaction() as session:
        service.write(session, site.id, draft, actor="operator:1", publish=True)
        read = {
            language: [
                (card.title, card.text, card.language)
                for card in queries.shown(session, site.id, kind=None, page=1, language=language).items
            ]
            for language in ("de", "en", "pl")
        }
    assert read == {
        "de": [("Honig", "Er ist da.", "de")],
        "en": [("Honey", "Here.", "en")],
        "pl": [("Honig", "Er ist da.", "de")],
    }


def test_list_pages_hold_six_and_cost_the_same(database: Database, site: Site) -> None:
    with database.transaction() as session:
        for number in range(13):
            draft = Draft(kind=PostKind.NEWS, title=f"N{number}", text="…")
            service.write(session, site.id, draft, actor="operator:1", publish=True)
    with database.reading() as session:
        pages = [queries.shown(session, site.id, kind=None, page=page, language="de") for page in (0, 1, 2, 3, 99)]
        kinds = queries.kinds_shown(session, site.id)
    assert [(page.page, page.pages, len(page.items)) for page in pages] == [
        (1, 3, 6),
        (1, 3, 6),
        (2, 3, 6),
        (3, 3, 1),
        (3, 3, 1),
    ]
    assert [card.title for card in pages[1].items] == ["N12", "N11", "N10", "N9", "N8", "N7"]
    assert kinds == [PostKind.NEWS]


def test_contact_shown_is_a_choice_of_the_writer(database: Database, site: Site) -> None:
    assert hand_in(database, site).contact is Contact.RELAY
