"""Plain texts of villagers: cleaned, numbers hidden, with a title. No HTML, no links, no tricks with direction."""

import re
import unicodedata

MOST_KIOSK = 280
MOST_OFFICE = 2000
MOST_TITLE = 80
SHORT_TITLE = 36
LONGEST_RAW = 10_000
MOST_LINES = 12
HIDDEN = "•••••"

# Bidi embeddings, overrides, isolates and marks turn text around ("exe.gpj"); zero-width signs hide in words.
_INVISIBLE = re.compile("[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]{2})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]+"
)
_MAIL = re.compile(r"[\w.+-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_KEPT = re.compile(
    r"(?<!\d)(?:"
    r"\d{1,2}\.\s?\d{1,2}\.(?:\s?(?:19|20)?\d\d(?!\d))?"  # 1.5. and 01.05.2026
    r"|(?:19|20)\d\d-\d\d-\d\d"  # 2026-05-01
    r"|\d{1,2}[:.]\d\d(?=\s*(?:Uhr|bis|\u2013|-|h\b))"  # 19.30 Uhr, 8:00-10:00
    r"|[1-9]\d{0,2}(?:\.\d{3})+(?!\d)"  # 1.200.000
    r")"
)
_NUMBER = re.compile(r"(?<![\d,.])(?:\+|\(?0)?\d(?:[\s/().-]{0,3}\d){5,}(?!\d)")
_FEWEST_DIGITS = 6


def clean(text: str) -> str:
    """Return plain text: composed letters, no control, direction or zero-width signs, single blanks, few lines."""
    text = unicodedata.normalize("NFC", text[:LONGEST_RAW].replace("\r\n", "\n").replace("\r", "\n"))
    text = _STACKED.sub(r"\1", _INVISIBLE.sub("", text))
    text = "".join(sign for sign in text if sign == "\n" or unicodedata.category(sign) not in {"Cc", "Cs", "Co", "Cn"})
    lines = [" ".join(line.split()) for line in text.split("\n")]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    return "\n".join(kept[:MOST_LINES]).strip()


def clean_line(text: str) -> str:
    """Return plain text on one line."""
    return " ".join(clean(text).split())


def hide_contacts(text: str) -> str:
    """Replace telephone numbers and mail addresses by dots; dates, times, prices and postcodes stay."""
    kept: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\0{chr(0xE000 + len(kept))}"

    def hide(match: re.Match[str]) -> str:
        return HIDDEN if sum(sign.isdigit() for sign in match.group()) >= _FEWEST_DIGITS else match.group()

    text = _NUMBER.sub(hide, _KEPT.sub(put_aside, _MAIL.sub(HIDDEN, text)))
    return re.sub("\0(.)", lambda match: kept[ord(match.group(1)) - 0xE001], text)


def title_of(text: str) -> str:
    """Return the first sentence or line as a title, cut at a word where it is longer than 36 letters."""
    first = re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0].rstrip(".")
    if len(first) <= SHORT_TITLE:
        return first
    head, _, _ = first[: SHORT_TITLE - 1].rpartition(" ")
    return f"{head or first[: SHORT_TITLE - 1]} …"
