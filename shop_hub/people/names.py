"""Searching for names: one spelling for all."""

import unicodedata

_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", "ø": "o"})


def search_key(*words: str) -> str:
    """Return the words in lower case, umlauts spelled out, other accents dropped: "Jäger" and "Jaeger" are one."""
    text = unicodedata.normalize("NFC", " ".join(words)).casefold().translate(_SPELLED)
    plain = unicodedata.normalize("NFD", text)
    return " ".join("".join(sign for sign in plain if not unicodedata.combining(sign)).split())
