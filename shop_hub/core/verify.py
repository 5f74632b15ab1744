"""`shop-hub verify`: every feature recomputes what it keeps and says what differs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Deviation:
    """Something that should be equal and is not."""

    check: str
    thing: str
    expected: str
    found: str


Check = Callable[[Session], Iterable[Deviation]]


def run(session: Session, checks: Iterable[Check]) -> list[Deviation]:
    """Run all checks and return every deviation; empty means all is well."""
    return [deviation for check in checks for deviation in check(session)]
