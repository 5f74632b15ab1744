"""The runtime of one device: connects it to the broker and keeps the contract for it."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue

from devices.agent.clock import WallClock, boot_ms
from devices.agent.commands import CommandRules
from devices.agent.device import Device
from devices.agent.host import Host, Timer
from devices.agent.journal import Journal
from devices.agent.leases import Leases
from devices.agent.outbox import Outbox
from devices.agent.properties import Place, Properties
from devices.agent.version import FIRMWARE
from devices.protocol import topics
from devices.protocol.bus import Bus, BusConfig, Incoming, NotConnectedError
from devices.protocol.description import LONGEST_TEXT, Description
from devices.protocol.ids import client_id
from devices.protocol.limits import CLOCK_INTERVAL_S, LEASE_INTERVAL_S
from devices.protocol.messages import (
    Accepted,
    Ack,
    ClockHint,
    DeviceState,
    Lease,
    Message,
    MessageError,
    PropertyValue,
    Query,
    Result,
)

log = logging.getLogger(__name__)

_RHYTHM_S = 1.0
"""The hub's clock may tell the time so much earlier or later than its interval."""

_M = TypeVar("_M", bound=Message)
_REMIND_S = 5.0
_ALERT_S = 600.0
_LONGEST_ALERT = 200


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Who the device is, how it reaches the broker and where it keeps its journal.

    `key` signs its commands; `map_revision` is the revision of its door map or planogram; `kiosk` names the kiosk a
    scanner or printer belongs to; `interval_ms` is how often a sensor speaks.
    """

    site: str
    device: str
    name: str
    key: bytes
    host: str
    port: int
    password: str
    journal: Path
    user: str = ""
    tls: bool = False
    ca_file: str = ""
    map_revision: int = 0
    kiosk: str = ""
    interval_ms: int = 0
    maker: str = ""


class Agent:
    """Binds a `Device` to the protocol. `set`, `event`, `alert` may be called from any thread."""

    def __init__(self, config: AgentConfig, device: Device, host: Host) -> None:
        self.config, self.device, self.host = config, device, host
        self._silent = False
        self.hub_heard_ms: int | None = None
        """When the hub last told the time (boot clock)."""
        self._journal = Journal(config.journal)
        self._clock = WallClock()
        self._leases = Leases()
        self._outbox = Outbox(self._journal, host, self._send, self._clock)
        self._properties = Properties(self._journal, self._clock, self._send_property)
        self._alerts: dict[str, str] = {}
        self._alert_ends: dict[str, Timer] = {}
        self._stopped = False
        self.map_revision = config.map_revision
        """Revision of the door map or planogram: commands decided on another one are refused."""
        self._rules = CommandRules(
            device=device,
            key=config.key,
            map_revision=lambda: self.map_revision,
            host=host,
            journal=self._journal,
            leases=self._leases,
            outbox=self._outbox,
            answers=self,
        )
        self._bus = Bus(self._bus_config(), loop=host.network, on_connect=lambda: host.post(self._connected))
        self._subscribe()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._bus.connected

    def start(self) -> None:
        """Settle what the last run left open, start the device and connect."""
        self.host.call(self._rules.settle_after_boot)
        self.device.start(self)
        if self.device.actuates:
            self.every(LEASE_INTERVAL_S, self._renew_lease)
        self.every(_REMIND_S, self._remind)
        self._bus.start()

    def stop(self) -> None:
        """Say `disconnected`, end the device and close the journal."""
        self.device.stop()
        self.host.call(self._say_goodbye)
        self._bus.stop()
        self.host.call(self._close)

    def cut(self) -> None:
        """Break the connection as a pulled plug would (for tests); it comes back by itself."""
        self._bus.drop()

    def cut_for_long(self, *, on: bool) -> None:
        """Break the connection until it is mended (for tests and drills)."""
        self._bus.unplug(on=on)

    def be_silent(self, *, on: bool) -> None:
        """Publish nothing while the connection lives, as a hung device would (for tests), or speak again."""
        self._silent = on
        if not on:
            self.host.post(self._connected)

    def every(self, period_s: float, work: Callable[[], object]) -> None:
        """Have the desk do this every `period_s` seconds until the agent is stopped."""
        self.host.every(period_s, work, until=lambda: self._stopped)

    # What devices tell

    def set(self, node: str, name: str, value: JsonValue) -> None:
        """Publish a property, retained, if it changed."""
        self.host.post(lambda: self._set(node, name, value, always=False))

    def refresh(self, node: str, name: str, value: JsonValue) -> None:
        """Publish a property even if it is the same: a sensor's sign of life."""
        self.host.post(lambda: self._set(node, name, value, always=True))

    def event(self, node: str, event_type: str, *, cause: str = "", **data: JsonValue) -> None:
        """Write an event to disk and send it until the hub has committed it."""
        self.host.post(lambda: None if self._stopped else self._outbox.event(node, event_type, cause, data))

    def alert(self, name: str, text: str) -> None:
        """Raise a retained alert; an empty text clears it, ten minutes do too for `refused-command`."""
        self.host.post(lambda: self._alert(name, text))

    def change_map(self, revision: int) -> None:
        """Work with another door map or planogram from now on; what it is must be kept by the device itself."""
        self.host.call(lambda: self._change_map(revision))

    def describe_again(self) -> None:
        """Publish the description, because nodes have come or gone."""
        self.host.post(self._describe)

    def note(self, name: str) -> JsonValue:
        """Return a durable note of this device, or None."""
        found: list[JsonValue] = []
        self.host.call(lambda: found.append(self._journal.note(name)))
        return found[0]

    def write_note(self, name: str, value: JsonValue) -> None:
        """Write a durable note; it is on disk when this returns."""
        written: list[bool] = []

        def write() -> None:
            self._journal.write_note(name, value)
            written.append(True)

        self.host.call(write)
        if not written:
            raise OSError("the journal refused a note")

    def wall_ms(self) -> int | None:
        """Return the wall clock in ms since 1970, or None if it was never set: a hint only."""
        return self._clock.now_ms()

    # What CommandRules answers

    def accepted(self, node: str, message: Accepted) -> None:
        """Publish that a command is being executed."""
        self._publish(topics.command_topic(*self._place, node), message)

    def again(self, node: str, message: Message) -> None:
        """Publish a stored result again, not retained: a newer one may stand there."""
        self._publish(topics.result_topic(*self._place, node), message, qos=1)

    # Connection

    @property
    def _place(self) -> tuple[str, str]:
        return self.config.site, self.config.device

    def _bus_config(self) -> BusConfig:
        config = self.config
        name = topics.user_name(*self._place)
        return BusConfig(
            host=config.host,
            port=config.port,
            client_id=client_id(name, config.password),
            user=config.user or name,
            password=config.password,
            tls=config.tls,
            ca_file=config.ca_file,
            will_topic=topics.state_topic(*self._place),
            will_payload=DeviceState.LOST.encode(),
        )

    def _subscribe(self) -> None:
        self._bus.subscribe(topics.state_topic(*self._place), self._on_own_state)
        self._bus.subscribe(topics.clock_topic(self.config.site), self._on_clock, qos=0)
        self._bus.subscribe(topics.query_set_topic(*self._place), self._on_query, qos=0)
        self._bus.subscribe(topics.ack_set_topic(*self._place), self._on_ack, qos=0)
        if self.device.actuates:
            commands = f"{topics.device_topic(*self._place)}/+/command/set"
            self._bus.subscribe(commands, self._on_command, qos=0)

    def _connected(self) -> None:
        state = topics.state_topic(*self._place)
        self._publish(state, DeviceState.INIT, retain=True)
        self._describe()
        self._properties.tell_all(self.device.describe())
        self._note_unsent()
        for name, text in self._alerts.items():
            self._publish(topics.alert_topic(*self._place, name), text, retain=True)
        self._outbox.connected()
        self._publish(state, DeviceState.READY, retain=True)
        if self.device.actuates:
            self._renew_lease()

    def _change_map(self, revision: int) -> None:
        self.map_revision = revision
        self._describe()
        self._properties.keep(self.device.describe())

    def _describe(self) -> None:
        self._publish(topics.description_topic(*self._place), self._description(), retain=True)

    def _description(self) -> bytes:
        config = self.config
        description = Description(
            name=config.name[:LONGEST_TEXT],
            kind=self.device.kind,
            maker=(config.maker or self.device.driver)[:LONGEST_TEXT],
            firmware=FIRMWARE[:LONGEST_TEXT],
            kiosk=config.kiosk,
            interval_ms=config.interval_ms,
            map=self.map_revision,
            nodes=self.device.describe(),
        )
        return description.stamped().encode()

    def _renew_lease(self) -> None:
        if self._stopped or not self._bus.connected:
            return
        lease = self._leases.renew()
        journal = self._journal
        message = Lease(lease=lease, epoch=journal.epoch, boot=journal.boot, seq=journal.seq)
        self._publish(topics.lease_topic(*self._place), message)

    def _remind(self) -> None:
        if not self._stopped and self._bus.connected:
            self._outbox.remind()

    def _say_goodbye(self) -> None:
        self._publish(topics.state_topic(*self._place), DeviceState.DISCONNECTED, retain=True)
        self._silent = True  # whatever the desk still does: a device that has left must not call itself ready again

    def _close(self) -> None:
        self._stopped = True
        self._rules.close()
        self._journal.close()

    # Messages from the hub: in the network thread, so everything is handed to the desk

    def _on_command(self, message: Incoming) -> None:
        arrived_ms = boot_ms()
        topic = topics.parse(message.topic)
        if topic is not None:
            self.host.post(
                lambda: self._rules.handle(
                    topic.node, message.topic, message.payload, retained=message.retained, arrived_ms=arrived_ms
                )
            )

    def _on_query(self, message: Incoming) -> None:
        query = _decoded(Query, message)
        if query is not None and not message.retained:
            self.host.post(lambda: self._query(query))

    def _on_ack(self, message: Incoming) -> None:
        ack = _decoded(Ack, message)
        if ack is not None and not message.retained:
            self.host.post(lambda: self._acknowledge(ack))

    def _on_clock(self, message: Incoming) -> None:
        hint = _decoded(ClockHint, message)
        if hint is not None and not message.retained:
            if self.device.actuates and self._is_out_of_rhythm():
                self.host.post(self._renew_lease)
            self.hub_heard_ms = boot_ms()
            self._clock.hint(hint.now_ms)

    def _is_out_of_rhythm(self) -> bool:
        """Tell whether the hub may have just come: then a person need not wait for the next lease."""
        since_s = (boot_ms() - (self.hub_heard_ms or 0)) / 1000
        return since_s > _RHYTHM_S and abs(since_s - CLOCK_INTERVAL_S) > _RHYTHM_S

    def _on_own_state(self, message: Incoming) -> None:
        if message.payload == DeviceState.LOST.encode():
            # the will of an older connection of ours came after our greeting (rule 11)
            ready = topics.state_topic(*self._place)
            self.host.post(lambda: self._publish(ready, DeviceState.READY, retain=True))

    def _query(self, query: Query) -> None:
        if query.since_seq is None:
            self._rules.query(query)
        else:
            self._outbox.send_after(query.since_seq if query.epoch == self._journal.epoch else 0)

    def _acknowledge(self, ack: Ack) -> None:
        if ack.epoch != self._journal.epoch:
            return
        if ack.seq > self._journal.seq or ack.boot > self._journal.boot:
            self._begin_life(ack)
        else:
            self._outbox.acknowledged(ack.seq)

    def _begin_life(self, ack: Ack) -> None:
        """Number anew: the hub has heard more of this journal than it holds, so a power cut or an old card undid it."""
        journal = self._journal
        log.error(
            "the hub knows %s messages and %s boots of this journal, which has %s and %s: a new life begins",
            *(ack.seq, ack.boot, journal.seq, journal.boot),
        )
        journal.begin_life()
        self._outbox.begin_again()
        self._connected()

    # Publishing, on the desk

    def _set(self, node: str, name: str, value: JsonValue, *, always: bool) -> None:
        self._properties.set((node, name), value, always=always)
        self._note_unsent()

    def _note_unsent(self) -> None:
        places = ", ".join("/".join(place) for place in sorted(self._properties.unsent))[:_LONGEST_ALERT]
        if places or "unsent-property" in self._alerts:
            self._alert("unsent-property", places)

    def _send_property(self, place: Place, value: PropertyValue | None) -> None:
        self._publish(topics.property_topic(*self._place, *place), b"" if value is None else value, retain=True)

    def _alert(self, name: str, text: str) -> None:
        if self._alerts.get(name) == text:
            return
        self._alerts[name] = text  # an empty one, too: the last run may have left it raised
        ends = self._alert_ends.pop(name, None)
        if ends is not None:
            ends.cancel()
        if name == "refused-command" and text:
            self._alert_ends[name] = self.host.later(_ALERT_S, lambda: self._alert(name, ""))
        self._publish(topics.alert_topic(*self._place, name), text, retain=True)

    def _send(self, node: str, message: Message) -> bool:
        if isinstance(message, Result):
            return self._publish(topics.result_topic(*self._place, node), message, retain=True)
        return self._publish(topics.event_topic(*self._place), message, qos=1)

    def _publish(self, topic: str, payload: bytes | str | Message, *, qos: int = 0, retain: bool = False) -> bool:
        """Publish; retained messages at QoS 1. Tell whether there was a connection."""
        if self._silent:
            return False
        with contextlib.suppress(NotConnectedError):
            self._bus.publish(topic, payload, qos=1 if retain else qos, retain=retain)
            return True
        return False


def _decoded(model: type[_M], message: Incoming) -> _M | None:
    try:
        return model.decode(message.payload)
    except MessageError as error:
        log.warning("%s: %s", message.topic, error)
        return None
