"""Codes and QR tokens: parcels.md 6, scenario 13; trust.md I12, I17, I18, I22."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from shop_hub.core import clock, tokens
from shop_hub.core.errors import TooManyAttemptsError
from shop_hub.core.tokens import Purpose, Token, TokenState
from shop_hub.lockers.models import Locker
from shop_hub.parcels import credentials, station_code
from shop_hub.parcels.errors import StaleCodeError, StaleStationCodeError, WrongCodeError
from shop_hub.parcels.models import Parcel
from tests.parcels.village import HASHER, LABELS, Village


def give(village: Village, parcel_id: int) -> tuple[str, str]:
    code = credentials.make_code(HASHER, parcel_id)
    with village.database.transaction() as session:
        parcel = session.get_one(Parcel, parcel_id)
        parcel.code_key, parcel.code_hash = code.key, code.hash
        return code.text, credentials.issue_token(session, parcel)


def by_code(village: Village, code: str, pad: str = "kiosk:1") -> int:
    with village.database.transaction() as session:
        return credentials.by_code(session, HASHER, village.site.id, code, pad=pad).id


def by_token(village: Village, token: str) -> int:
    with village.database.transaction() as session:
        return credentials.by_token(session, village.site.id, token).id


def test_code_and_token_find_their_parcel_and_only_theirs(village: Village) -> None:
    first, second = village.bring(LABELS[0]), village.bring(LABELS[1])
    codes = {first: give(village, first), second: give(village, second)}
    for parcel_id, (code, token) in codes.items():
        assert len(code) == 8
        assert by_code(village, f" {code[:4]} {code[4:]} ") == parcel_id
        assert by_token(village, f"HTTPS://DORF.EXAMPLE/P#{token}") == parcel_id


def test_wrong_codes_lock_the_pad_and_nothing_else(village: Village) -> None:
    parcel_id = village.bring()
    code, token = give(village, parcel_id)
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert by_code(village, code) == parcel_id  # a right one before resets nothing and costs nothing
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            by_code(village, wrong)
    with pytest.raises(TooManyAttemptsError) as refusal:
        by_code(village, code)
    assert 0 < refusal.value.params["retry_after_s"] <= 60
    assert by_token(village, token) == parcel_id
    assert by_code(village, code, pad="kiosk:2") == parcel_id


def test_what_is_no_code_at_all_is_not_counted(village: Village) -> None:
    for text_ in ["", "1234", "123456789", "abcdefgh", "١٢٣٤٥٦٧٨"] * 3:
        with pytest.raises(WrongCodeError):
            by_code(village, text_)
    parcel_id = village.bring()
    assert by_code(village, give(village, parcel_id)[0]) == parcel_id


def test_the_token_stays_good_until_the_parcel_is_taken(village: Village) -> None:
    parcel_id = village.bring()
    code, token = give(village, parcel_id)
    village.collect(parcel_id)
    assert by_token(village, token) == parcel_id
    village.jams(1)
    assert by_token(village, token) == parcel_id
    assert by_code(village, code) == parcel_id
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    with pytest.raises(StaleCodeError):
        by_token(village, token)
    with pytest.raises(WrongCodeError):
        by_code(village, code)
    with village.database.reading() as session:
        assert session.query(Token.state).filter(Token.purpose == Purpose.PICKUP).all() == [(TokenState.USED,)]


def test_a_token_for_something_else_or_of_another_site_is_worthless(village: Village) -> None:
    parcel_id = village.bring()
    _, token = give(village, parcel_id)
    with village.database.transaction() as session:
        member = tokens.issue(session, Purpose.MEMBER, village.person_id).text
        with pytest.raises(StaleCodeError):
            credentials.by_token(session, village.site.id, member)
        with pytest.raises(StaleCodeError):
            credentials.by_token(session, village.site.id + 1, token)


def test_no_code_or_token_lies_in_the_database(village: Village) -> None:
    parcel_id = village.bring()
    code, token = give(village, parcel_id)
    with village.database.reading() as session:
        dump = ""
        for table in ("parcel", "token", "parcel_event", "outbox_message", "audit_entry", "attempt"):
            dump += str(session.execute(text(f"SELECT * FROM {table}")).all())
    assert code not in dump
    assert token not in dump


def test_the_stations_code_lives_for_two_windows(village: Village) -> None:
    with village.database.reading() as session:
        locker = session.get_one(Locker, village.locker_id)
        code = station_code.current(HASHER, locker, 60).text
        assert station_code.station_of(session, HASHER, f"http://x/courier#{code}", 60).id == locker.id
        with clock.shifted(timedelta(seconds=60)):
            assert station_code.station_of(session, HASHER, code, 60).id == locker.id
            assert station_code.current(HASHER, locker, 60).text != code
        with clock.shifted(timedelta(seconds=121)), pytest.raises(StaleStationCodeError):
            station_code.station_of(session, HASHER, code, 60)
        with pytest.raises(StaleStationCodeError):
            station_code.station_of(session, HASHER, "D1S" + "A" * 26, 60)
