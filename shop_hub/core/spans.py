"""How long something was in which state, from the moments at which it changed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

S = TypeVar("S")


def spent(changes: Iterable[tuple[datetime, S]], start: datetime, end: datetime, *, before: S) -> dict[S, timedelta]:
    """Return the time spent in each state between two moments.

    Args:
        changes: (moment, state from then on), oldest first; those before `start` only say what it began with.
        before: the state until the first change.
    """
    found: dict[S, timedelta] = {}
    at, state = start, before
    for moment, following in changes:
        moment = min(max(moment, start), end)  # noqa: PLW2901 - clipped to the period
        found[state] = found.get(state, timedelta(0)) + (moment - at)
        at, state = moment, following
    found[state] = found.get(state, timedelta(0)) + (end - at)
    return found


def permille(part: timedelta, whole: timedelta) -> int:
    """Return a share, rounded; of nothing it is 0."""
    return round(1000 * part / whole) if whole > timedelta(0) else 0
