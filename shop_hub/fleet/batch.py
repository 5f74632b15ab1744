"""One transaction's worth of messages, and what must be done once it is committed."""

import logging
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from devices.protocol.messages import Event, MessageError, Result
from devices.protocol.topics import TopicKind
from shop_hub.core import events
from shop_hub.fleet.inbox import Received
from shop_hub.fleet.letters import Letters
from shop_hub.fleet.means import Means
from shop_hub.fleet.models import Device, DeviceProperty, Link
from shop_hub.fleet.registry import DeviceInfo

log = logging.getLogger(__name__)

Place = tuple[str, int, int]
Places = dict[int, dict[tuple[str, str], Place]]
"""(epoch, boot, seq) of each stored state by device, node and name; kept from batch to batch."""
_KEYS = ("device_id", "node", "name")
_PLACES = select(
    DeviceProperty.device_id,
    DeviceProperty.node,
    DeviceProperty.name,
    DeviceProperty.epoch,
    DeviceProperty.boot,
    DeviceProperty.seq,
)


class Batch:
    """Collects writes of states, so that many become one statement."""

    def __init__(
        self,
        session: Session,
        means: Means,
        letters: Letters,
        devices: dict[int, Device],
        places: Places,
    ) -> None:
        self.session, self.letters = session, letters
        self.dispatcher, self.links = means.setup.dispatcher, means.links
        self.devices = devices
        self.over: set[tuple[str, int]] = set()
        """Commands with a final answer, and who gave it."""
        self.numbered: set[int] = set()
        """Devices that wait to hear up to where they may forget."""
        self.new_lives: set[int] = set()
        self.link_changes: dict[int, Link] = {}
        self._places = places
        self._pending: dict[tuple[int, str, str], dict[str, Any]] = {}
        self._told: set[int] = set()

    def place_of(self, device_id: int, node: str, name: str) -> Place | None:
        """Return (epoch, boot, seq) of a stored state."""
        if device_id not in self._places:
            self._recall()
        return self._places[device_id].get((node, name))

    def _recall(self) -> None:
        """Look up the states of all devices of this batch that are not known yet, in one statement."""
        fresh = self.devices.keys() - self._places.keys()
        self._places.update({device_id: {} for device_id in fresh})
        with self.session.no_autoflush:
            for row in self.session.execute(_PLACES.where(DeviceProperty.device_id.in_(fresh))):
                self._places[row.device_id][row.node, row.name] = (row.epoch, row.boot, row.seq)

    def write_state(self, device: Device, row: dict[str, Any]) -> None:
        """Store a state with the next flush; the newest of a batch wins."""
        place = (row["epoch"], row["boot"], row["seq"])
        self._places[device.id][row["node"], row["name"]] = place
        self._pending[device.id, row["node"], row["name"]] = row

    def tell(self, device: Device) -> None:
        """Let open screens know that this device changed; once per batch."""
        if device.id not in self._told:
            self._told.add(device.id)
            events.publish(self.session, "device", device.site_id, device=device.id)

    def flush(self) -> None:
        """Write the collected states."""
        if not self._pending:
            return
        rows, self._pending = list(self._pending.values()), {}
        dialect = sqlite if self.session.info["database"].is_sqlite else postgresql
        insert = dialect.insert(DeviceProperty)
        changed = {
            column.name: insert.excluded[column.name]
            for column in DeviceProperty.__table__.columns
            if column.name not in _KEYS
        }
        self.session.execute(insert.on_conflict_do_update(index_elements=_KEYS, set_=changed), rows)

    def bury(self, item: Received, info: DeviceInfo | None, reason: str) -> None:
        """Keep a message that a feature could not use; its number counts as committed."""
        self.letters.keep(self.session, item.message, info, reason)
        device = self.devices.get(info.id) if info is not None else None
        if device is None or item.topic is None:
            return
        place, node = _number_of(item)
        if place is not None and place[0] == device.epoch and place[2] == device.seq + 1:
            device.seq = place[2]
            self.numbered.add(device.id)
        self._suspect(device, node or item.topic.node)

    def _suspect(self, device: Device, node: str) -> None:
        """Tell the feature; if it fails at this too, the letter must be kept all the same."""
        try:
            with self.session.begin_nested():
                self.dispatcher.suspect(self.session, device, node)
        except Exception:
            log.exception("a node could not be made suspect", extra={"device": device.id, "node": node})


def _number_of(item: Received) -> tuple[Place | None, str]:
    """Return the number of an event or result, and the node it is about."""
    try:
        if item.topic is not None and item.topic.kind is TopicKind.EVENT:
            event = Event.decode(item.message.payload)
            return (event.epoch, event.boot, event.seq), event.node
        if item.topic is not None and item.topic.kind is TopicKind.RESULT:
            result = Result.decode(item.message.payload)
            return (result.epoch, result.boot, result.seq), item.topic.node
    except MessageError:
        return None, ""
    return None, ""
