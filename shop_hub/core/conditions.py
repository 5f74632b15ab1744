"""What needs a person soon, as features see it at this moment. The feature `alarms` turns it into messages.

A condition is no message: it holds or it does not, however often it is looked at, so nothing is told twice and nothing
is lost when the hub was away for a while. Each feature offers its own in a module `alarms`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session


class Severity(StrEnum):
    """How soon somebody must look, from the least on."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return its place, from 0."""
        return list(Severity).index(self)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that is not as it should be.

    Args:
        key: what it is about, the same as long as it lasts, e.g. "climate:3:outside".
        text: gettext msgid, marked with `N_`; `params` fill it, and name no villager.
        advice: gettext msgid of what to do.
        endpoint: page of the backoffice that shows it.
    """

    key: str
    severity: Severity
    text: str
    since: datetime
    params: Mapping[str, str | int] = field(default_factory=dict)
    advice: str = ""
    endpoint: str = ""


Source = Callable[[Session, int], Iterable[Condition]]
"""Returns what holds at a site now."""
