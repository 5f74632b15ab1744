"""Cards and PINs: who is recognised, what is counted, what a block does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_hub.core import audit, clock
from shop_hub.core.db import Database
from shop_hub.core.errors import TooManyAttemptsError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.sites import Site
from shop_hub.people import service
from shop_hub.people.errors import (
    BadMailAddressError,
    MailAddressMissingError,
    UnknownBadgeError,
    UnknownCardError,
    WeakPinError,
    WrongPinError,
)
from shop_hub.people.models import Carrier, Notify, Person

HASHER = SecretHasher(b"pepper of this test run")


@pytest.fixture
def card(database: Database, site: Site) -> str:
    """The card of Erna Vogt, PIN 2580."""
    with database.transaction() as session:
        person = service.create_person(
            session, service.NewPerson(home_site_id=site.id, first_name="Erna", last_name="Vogt")
        )
        service.set_pin(session, HASHER, person.id, "2580")
        return service.issue_card(session, person.id).text


def outcome(database: Database, card: str, pin: str, pad: str | None = None) -> str:
    """Try a PIN as the edge does: one transaction, rolled back on a refusal."""
    try:
        with database.transaction() as session:
            return service.verify_member(session, HASHER, card, pin, pad=pad).first_name
    except (WrongPinError, TooManyAttemptsError, UnknownCardError) as refusal:
        return refusal.code


def test_card_and_pin_name_their_owner(database: Database, card: str) -> None:
    assert outcome(database, card, "2580") == "Erna"
    assert outcome(database, card.lower(), "2580") == "Erna"
    assert outcome(database, card, "2581") == "wrong-pin"


def test_card_alone_names_its_owner_but_only_as_member_card(database: Database, card: str) -> None:
    with database.reading() as session:
        assert service.identify_card(session, card).name == "Erna Vogt"
        with pytest.raises(UnknownBadgeError):
            service.identify_badge(session, card)
        with pytest.raises(UnknownCardError):
            service.identify_card(session, "D1M" + "A" * 26)
        with pytest.raises(UnknownCardError):
            service.identify_card(session, "x" * 10_000)


def test_blocked_card_ends_at_once_and_the_other_card_goes_on(database: Database, card: str) -> None:
    with database.transaction() as session:
        person = service.identify_card(session, card)
        second = service.issue_card(session, person.id)
        service.block_card(session, service.card_id(session, card), actor="operator:1")
    assert outcome(database, card, "2580") == "unknown-card"
    assert outcome(database, second.text, "2580") == "Erna"
    with database.reading() as session:
        assert audit.broken_entries(session, person.home_site_id) == []
        actions = [entry.action for entry in session.query(audit.AuditEntry).order_by(audit.AuditEntry.number)]
    assert actions == ["person-created", "card-issued", "card-issued", "card-blocked"]


def test_blocked_person_has_no_valid_card(database: Database, card: str) -> None:
    with database.transaction() as session:
        person = service.identify_card(session, card)
        service.change_person(session, person.id, {"is_blocked": True}, actor="operator:1")
    assert outcome(database, card, "2580") == "unknown-card"


def test_five_wrong_pins_then_even_the_right_one_waits(database: Database, card: str) -> None:
    tries = [outcome(database, card, "9999") for _ in range(6)]
    assert tries == ["wrong-pin"] * 5 + ["too-many-attempts"]
    assert outcome(database, card, "2580") == "too-many-attempts"
    with clock.shifted(timedelta(seconds=31)):
        assert outcome(database, card, "9999") == "wrong-pin"
        assert outcome(database, card, "2580") == "too-many-attempts"
    with clock.shifted(timedelta(minutes=16)):
        assert outcome(database, card, "2580") == "Erna"


def test_a_right_pin_takes_back_only_its_own_try(database: Database, card: str) -> None:
    tries = []
    for _ in range(5):
        tries += [outcome(database, card, "9999"), outcome(database, card, "2580")]
    assert tries == ["wrong-pin", "Erna"] * 4 + ["wrong-pin", "too-many-attempts"]


def test_a_day_has_few_wrong_tries_per_card(database: Database, card: str) -> None:
    wrong = 0
    for quarter in range(4 * 24):
        with clock.shifted(timedelta(minutes=15 * quarter, seconds=quarter)):
            wrong += sum(outcome(database, card, "9999") == "wrong-pin" for _ in range(6))
    assert 20 <= wrong <= 26


def test_pad_grows_slow_for_wrong_tries_over_many_cards(database: Database, site: Site, card: str) -> None:
    with database.transaction() as session:
        cards = []
        for number in range(9):
            new = service.NewPerson(home_site_id=site.id, first_name=f"P{number}", last_name="X")
            cards.append(service.issue_card(session, service.create_person(session, new).id).text)
    assert [outcome(database, other, "1357", "kiosk:1") for other in cards] == ["wrong-pin"] * 8 + ["too-many-attempts"]
    assert outcome(database, card, "2580", "kiosk:1") == "too-many-attempts"
    assert outcome(database, card, "2580", "kiosk:2") == "Erna"


def test_limit_is_exact_when_eight_threads_guess_at_once(database: Database, card: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        tries = list(threads.map(lambda _: outcome(database, card, "9999"), range(24)))
    assert sorted(tries) == ["too-many-attempts"] * 19 + ["wrong-pin"] * 5


def test_person_without_pin_is_refused_like_one_with_another_pin(database: Database, site: Site) -> None:
    with database.transaction() as session:
        person = service.create_person(session, service.NewPerson(home_site_id=site.id, first_name="A", last_name="B"))
        text = service.issue_card(session, person.id).text
    assert outcome(database, text, "0000") == "wrong-pin"


@given(st.integers(0, 9), st.integers(4, 6))
def test_repeated_digits_are_no_pin(digit: int, length: int) -> None:
    with pytest.raises(WeakPinError):
        service.hash_pin(HASHER, "member:x", str(digit) * length)


@pytest.mark.parametrize("pin", ["", "123", "1234567", "12a4", "1234", "9876", "456789", "١٢٣٩", " 2580"])
def test_weak_or_malformed_pins_are_refused(pin: str) -> None:
    with pytest.raises(WeakPinError) as refusal:
        service.hash_pin(HASHER, "member:x", pin)
    assert refusal.value.params == {"field": "pin"}


def test_pin_hash_is_bound_to_its_owner(database: Database, site: Site, card: str) -> None:
    with database.transaction() as session:
        erna = service.identify_card(session, card)
        thief = service.create_person(session, service.NewPerson(home_site_id=site.id, first_name="T", last_name="X"))
        thief.pin_hash = erna.pin_hash
        text = service.issue_card(session, thief.id).text
    assert outcome(database, text, "2580") == "wrong-pin"


def test_mail_needs_a_possible_address(database: Database, site: Site) -> None:
    def new(email: str) -> service.NewPerson:
        return service.NewPerson(home_site_id=site.id, first_name="A", last_name="B", email=email, notify=Notify.MAIL)

    with database.transaction() as session:
        assert service.create_person(session, new("a.b@dorf.example")).email == "a.b@dorf.example"
        with pytest.raises(MailAddressMissingError):
            service.create_person(session, new(""))
        with pytest.raises(BadMailAddressError):
            service.create_person(session, new("a b@dorf.example\nBcc: x@y.example"))


def test_new_badge_ends_the_old_one(database: Database) -> None:
    with database.transaction() as session:
        carrier = service.create_carrier(session, Carrier(code="fuchs", name="Fuchs"))
        courier = service.create_courier(session, carrier.id, "Ramona S.", language="pl")
        service.set_courier_pin(session, HASHER, courier.id, "7913")
        old, new = (service.issue_badge(session, courier.id).text for _ in range(2))
    with database.transaction() as session:
        with pytest.raises(UnknownBadgeError):
            service.identify_badge(session, old)
        assert service.verify_courier(session, HASHER, new, "7913").name == "Ramona S."
    with database.transaction() as session:
        carrier = session.get_one(Carrier, carrier.id)
        carrier.is_blocked = True
        session.flush()
        with pytest.raises(UnknownBadgeError):
            service.identify_badge(session, new)


@pytest.mark.usefixtures("card")
def test_no_secret_lies_in_the_database(database: Database) -> None:
    with database.reading() as session:
        person = session.query(Person).one()
        assert "2580" not in (person.pin_hash or "")
        assert (person.pin_hash or "").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
