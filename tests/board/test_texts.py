"""Texts of villagers stay plain, harmless and free of private numbers."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_hub.board import texts

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Ruf an: 0171 1234567", "Ruf an: •••••"),
        ("Tel. 033331/26 52-0 abends", "Tel. ••••• abends"),
        ("+49 (0)30 23125 101", "•••••"),
        ("0049 30 23125101!", "•••••!"),
        ("nur 265210 wählen", "nur ••••• wählen"),
        ("Mail an erna.vogt@dorf.example bitte", "Mail an ••••• bitte"),
        ("erna (at) dorf.example", "•••••"),
        ("am 01.05.2026 von 08:30 bis 10:00 Uhr", "am 01.05.2026 von 08:30 bis 10:00 Uhr"),
        ("am 1.5. und 2.5. um 19.30 Uhr, 0171-1234567", "am 1.5. und 2.5. um 19.30 Uhr, •••••"),
        ("12.03.2026 0171 1234567", "12.03.2026 •••••"),
        (
            "16999 Lindenau, 40 Euro, 1200 Liter, 1.200.000 Bienen",
            "16999 Lindenau, 40 Euro, 1200 Liter, 1.200.000 Bienen",
        ),
    ],
)
def test_numbers_and_addresses_are_hidden_but_dates_and_prices_stay(text: str, hidden: str) -> None:
    assert texts.hide_contacts(text) == hidden


@given(st.text(max_size=300), st.from_regex(r"\+?0[1-9][0-9]{2,4}[ /-]?[0-9]{4,8}", fullmatch=True))
def test_no_phone_number_survives_in_any_text(text: str, number: str) -> None:
    plain = texts.clean(text)
    hidden = texts.hide_contacts(f"{plain} {number} {plain}")
    assert number not in hidden


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(BIDI + "\u0301\u0316\r\n\t\0")), max_size=400))
def test_cleaned_text_is_plain_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = texts.clean(text)
    assert not set(cleaned) & set(BIDI)
    assert [sign for sign in cleaned if unicodedata.category(sign) == "Cc" and sign != "\n"] == []
    assert cleaned == cleaned.strip()
    assert "\n\n\n" not in cleaned
    assert texts.clean(cleaned) == cleaned


def test_very_long_text_is_cut_before_work_begins() -> None:
    assert len(texts.clean("a" * 1_000_000)) == texts.LONGEST_RAW


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Ich verschenke Äpfel. Bitte abholen.", "Ich verschenke Äpfel"),
        ("Wer hilft?\nIm Garten", "Wer hilft?"),
        (
            "Ich suche eine freundliche Familie die meine Katze nimmt",
            "Ich suche eine freundliche Familie …",
        ),
        ("x" * 60, "x" * 35 + " …"),
    ],
)
def test_title_is_the_first_sentence(text: str, title: str) -> None:
    assert texts.title_of(text) == title
