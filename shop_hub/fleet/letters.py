"""Dead letters: messages that could not be used. Written sparingly: a flood of garbage must not fill the disk."""

import logging
import time
from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from devices.protocol.bus import Incoming
from shop_hub.core import clock, events
from shop_hub.core.sites import Site
from shop_hub.fleet.models import DeadLetter, DeviceKind
from shop_hub.fleet.registry import DeviceInfo

log = logging.getLogger(__name__)

MOST_PER_WINDOW = 30
_WINDOW_S = 60.0
_LONGEST_TOPIC = 200
_LONGEST_PAYLOAD = 1_000


class Letters:
    """Counts dead letters per device (or per foreign topic head) and keeps the first thirty of a minute."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._since = time.monotonic()
        self.total = 0

    def keep(self, session: Session, message: Incoming, info: DeviceInfo | None, reason: str) -> None:
        """Write a message down, unless its source has sent too many lately.

        Of a scanner, and of an unknown device, which may be one, only the size is kept: cards and codes are private.
        """
        source = f"device {info.id}" if info else "/".join(message.topic.split("/")[:3])[:_LONGEST_TOPIC]
        if not self._has_room(source):
            return
        is_private = info is None or info.kind is DeviceKind.SCANNER
        size = f"({len(message.payload)} bytes)"
        text = size if is_private else message.payload[:_LONGEST_PAYLOAD].decode(errors="replace")
        place = (info.site_id, info.id) if info is not None else (_site_of(session, message.topic), None)
        self.write(session, place, message.topic[:_LONGEST_TOPIC], reason, text)

    def write(
        self, session: Session, place: tuple[int | None, int | None], topic: str, reason: str, text: str = ""
    ) -> None:
        """Write one letter; `place` is (site id, device id)."""
        site_id, device_id = place
        letter = DeadLetter(
            site_id=site_id,
            device_id=device_id,
            topic=_storable(topic),
            reason=_storable(reason)[:_LONGEST_TOPIC],
            payload=_storable(text)[:_LONGEST_PAYLOAD],
            at=clock.now(),
        )
        session.add(letter)
        if site_id is not None:
            events.publish(session, "device", site_id, device=device_id)

    def _has_room(self, source: str) -> bool:
        self.total += 1
        now = time.monotonic()
        if now - self._since > _WINDOW_S:
            self._since, self._counts = now, defaultdict(int)
        if len(self._counts) >= MOST_PER_WINDOW and source not in self._counts:
            source = "others"
        self._counts[source] += 1
        if self._counts[source] == MOST_PER_WINDOW + 1:
            log.warning("too many unusable messages; the rest of this minute is not kept", extra={"source": source})
        return self._counts[source] <= MOST_PER_WINDOW


def _site_of(session: Session, topic: str) -> int | None:
    """Return the site that a topic names, whose people alone then see the letter."""
    return session.scalar(select(Site.id).where(Site.slug == _storable(topic.partition("/")[0])))


def _storable(text: str) -> str:
    """Return text that PostgreSQL takes: no NUL."""
    return text.replace("\0", "\ufffd")
