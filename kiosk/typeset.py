"""How words break in narrow places. Chromium hyphenates no German by itself, soft hyphens it obeys (kiosk.md 3.1)."""

import re

from flask.blueprints import BlueprintSetupState

from kiosk.blueprint import blueprint

SOFT_HYPHEN = "\u00ad"
NO_BREAK_SPACE = "\u00a0"
LONG_LETTERS = 11
"""A word of so many letters may not fit into a card of the vending machine at normal size."""

_LONG_WORD = re.compile(rf"[^\W\d_]{{{LONG_LETTERS},}}")
_VOWELS = "aeiouyäöü"
# A syllable begins with the last consonant before a vowel; letters that are spoken as one sound or begin words together
# stay together (Amtliches Regelwerk der deutschen Rechtschreibung, paragraphs 107 to 109).
_ONSET = re.compile(
    rf"(?<=[{_VOWELS}ß-]|[b-df-hj-np-tvwxz])"
    rf"(?=(?:sch[lmnrw]?|ch|ck|ph|th|qu|s[pt]r|(?<=[rlnmt])sp|[bdfgkpt]r|[bfgkp]l|[b-df-hj-np-tvwxzß])[{_VOWELS}])",
    re.IGNORECASE,
)
_LEAST = 2
_AMOUNT = re.compile(r"(?<=\d) (?=(?:g|kg|mg|l|ml|cl|m|cm|mm|W|V|Stück|Blatt|Rollen|Beutel|Paar)\b)")


def flowing(text: str) -> str:
    """Return a name that breaks where a reader expects it: soft hyphens in long words, none between number and unit."""
    return _LONG_WORD.sub(_hyphenated, _AMOUNT.sub(NO_BREAK_SPACE, text))


def _hyphenated(found: re.Match[str]) -> str:
    word, parts, start = found.group(), [], 0
    for place in (match.start() for match in _ONSET.finditer(word)):
        is_inside_sound = word[place - 1 : place + 1].lower() in {"ch", "ck", "ph", "th", "sc", "qu"}
        if place - start >= _LEAST and len(word) - place >= _LEAST and not is_inside_sound:
            parts.append(word[start:place])
            start = place
    return SOFT_HYPHEN.join([*parts, word[start:]])


@blueprint.record_once
def _offer(state: BlueprintSetupState) -> None:
    state.app.jinja_env.filters["flowing"] = flowing
