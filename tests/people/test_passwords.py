"""Which passwords are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_hub.people import passwords
from shop_hub.people.errors import CommonPasswordError, ShortPasswordError


@pytest.mark.parametrize("password", ["vier kraniche ziehen", "xK7-pq2-Zm", "Tr0mm3l-Wiesel", "zwölf boxkämpfer jagen"])
def test_good_passwords_are_taken(password: str) -> None:
    passwords.check(password, "malte")


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Passwort1",
        "P@ssw0rt2026!",
        "passwortpasswort",
        "qwertz123456",
        "12345678",
        "123456789012345678",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "malte2026!",
        "Malte-Malte",
        "sommer2026",
        "x" * 201,
    ],
)
def test_guessable_passwords_are_refused(password: str) -> None:
    with pytest.raises(CommonPasswordError) as refusal:
        passwords.check(password, "malte")
    assert refusal.value.params == {"field": "password"}


@given(st.text(max_size=7))
def test_short_passwords_are_refused(password: str) -> None:
    with pytest.raises(ShortPasswordError):
        passwords.check(password, "malte")


@given(st.sampled_from(["geheim", "sonnenschein", "qwertz", "dorfladen"]), st.integers(0, 99_999))
def test_common_word_with_any_number_is_refused(word: str, number: int) -> None:
    with pytest.raises((CommonPasswordError, ShortPasswordError)):
        passwords.check(f"{word}{number}", "malte")
