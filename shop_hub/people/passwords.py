"""Which passwords are good enough: long ones, or shorter ones that are on no attacker's list.

Source: NIST SP 800-63B-4 (length before composition rules, a reject list of common passwords).
"""

import re
from functools import cache
from importlib.resources import files

from shop_hub.people.errors import CommonPasswordError, ShortPasswordError

SHORTEST = 8
LONGEST = 200
PHRASE = 15
FEWEST_SIGNS = 5

_LOOKS_LIKE = str.maketrans("013457@$!€äöüß", "oieastasieaous")


def check(password: str, user_name: str) -> None:
    """Accept a password or refuse it.

    Raises:
        ShortPasswordError: fewer than 8 characters.
        CommonPasswordError: easy to guess, or longer than 200 characters.
    """
    if len(password) < SHORTEST:
        raise ShortPasswordError(field="password")
    if len(password) > LONGEST or len(set(password.lower())) < FEWEST_SIGNS:
        raise CommonPasswordError(field="password")
    rest = _without(password, user_name)
    if _is_common(rest) or (len(password) < PHRASE and len(rest) < len(password)):
        raise CommonPasswordError(field="password")


def _is_common(password: str) -> bool:
    """Tell whether nothing but common words, numbers and signs is in it: "P@ssw0rt2026!" is "passwort"."""
    plain = password.lower()
    inner = re.sub(r"^[^a-z@$]+|[^a-z]+$", "", plain)  # digits around a word are digits, those inside stand for letters
    forms = (re.sub(r"[^a-z]", "", plain), re.sub(r"[^a-z]", "", inner.translate(_LOOKS_LIKE)))
    return any(form in _common() or _is_repeated(form) for form in forms)


def _is_repeated(text: str) -> bool:
    return len(text) < 4 or any(text == word * (len(text) // len(word)) for word in _common())  # noqa: PLR2004 - "abc1"


def _without(password: str, user_name: str) -> str:
    return re.sub(re.escape(user_name), "", password, flags=re.IGNORECASE) if len(user_name) > 3 else password  # noqa: PLR2004


@cache
def _common() -> frozenset[str]:
    text = (files("shop_hub.people") / "common_passwords.txt").read_text("ascii")
    return frozenset(word for word in text.split() if word)
