"""What a home automation may wish: a fresh, unrepeated message of the broker's account `ha` (devices.md section 2).

The list is as short as it can be: a printer's test page. Doors of parcels and shops, machines and money are never on
it: whoever holds the automation would hold the shop. Each wish is granted or refused in the audit chain.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from devices.protocol.bus import Incoming
from devices.protocol.messages import Count, NodeId
from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.errors import ShopError
from shop_hub.fleet import service
from shop_hub.fleet.discovery import TEST_PAGE
from shop_hub.fleet.models import Device, DeviceKind

ACTOR = "home-assistant"
LONGEST_BYTES = 512
FRESH_MS = 10_000
MOST_TRIED = 5
"""Well-made wishes per minute, all villages of a process together: paper is all that can be wasted."""
MOST_NOTED = 20
"""Refusals per hour in the audit chain: a flood must not fill it."""
_MOST_NONCES = 1_000
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000


class Wish(BaseModel):
    """Exactly these fields. `at_ms` is the sender's clock; the nonce is never used again."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    v: Literal[1]
    nonce: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    at_ms: Count
    device: NodeId
    op: str = Field(max_length=40)


@dataclass(slots=True)
class Heard:
    """A wish as it came, and of which site."""

    site_id: int
    message: Incoming


class Wishes:
    """Owned by one thread. `since_ms` is when this process began to listen: what was sent before may be a repeat."""

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms
        self._nonces: OrderedDict[str, int] = OrderedDict()
        self._tried: deque[int] = deque(maxlen=MOST_TRIED)
        self._noted: deque[int] = deque(maxlen=MOST_NOTED)

    def judge(self, database: Database, heard: Heard, now_ms: int) -> str:
        """Grant a wish or refuse it, and write it down; return why it was refused, or nothing.

        What comes in a flood is refused without the database.
        """
        wish, reason = self._read(heard.message, now_ms)
        if wish is not None and not reason:
            reason = self._limit(wish, now_ms)
        if reason and not _is_room(self._noted, now_ms, _HOUR_MS):
            return reason
        with database.transaction() as session:
            if wish is not None and not reason:
                reason = _grant(session, heard.site_id, wish)
                if reason and not _is_room(self._noted, now_ms, _HOUR_MS):
                    return reason
            about = {"op": wish.op[:40] if wish else "", "device": wish.device if wish else ""}
            action = "wish-refused" if reason else "wish-granted"
            audit.record(session, heard.site_id, ACTOR, action, "hub", reason=reason, **about)
        return reason

    def _read(self, message: Incoming, now_ms: int) -> tuple[Wish | None, str]:
        if message.retained:
            return None, "retained"
        try:
            wish = Wish.model_validate_json(message.payload[: LONGEST_BYTES + 1])
        except ValidationError:
            return None, "malformed"
        if len(message.payload) > LONGEST_BYTES:
            return None, "malformed"
        if abs(now_ms - wish.at_ms) > FRESH_MS or wish.at_ms < self._since_ms:
            return wish, "late"
        return wish, self._remember(wish.nonce, now_ms)

    def _remember(self, nonce: str, now_ms: int) -> str:
        while self._nonces and next(iter(self._nonces.values())) < now_ms - 2 * FRESH_MS:
            self._nonces.popitem(last=False)
        if nonce in self._nonces:
            return "replayed"
        if len(self._nonces) >= _MOST_NONCES:
            return "too_many"
        self._nonces[nonce] = now_ms
        return ""

    def _limit(self, wish: Wish, now_ms: int) -> str:
        if wish.op != TEST_PAGE:
            return "not_allowed"
        return "" if _is_room(self._tried, now_ms, _MINUTE_MS) else "too_many"


def _grant(session: Session, site_id: int, wish: Wish) -> str:
    printer = session.scalar(
        select(Device).where(
            Device.site_id == site_id,
            Device.slug == wish.device,
            Device.kind == DeviceKind.PRINTER,
            Device.is_revoked.is_(False),
        )
    )
    if printer is None:
        return "not_allowed"
    document: dict[str, JsonValue] = {"title": "Test", "lines": [printer.name]}
    try:
        service.request(session, printer.id, "printer", "print", {"document": document}, by=ACTOR)
    except ShopError as error:
        return error.code
    return ""


def _is_room(times: deque[int], now_ms: int, period_ms: int) -> bool:
    """Tell whether one more is allowed in a period, and count it."""
    if len(times) == times.maxlen and now_ms - times[0] < period_ms:
        return False
    times.append(now_ms)
    return True
