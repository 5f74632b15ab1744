"""What the tests of devices share: a hub that speaks the contract by hand, accounts, configurations."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devices.broker.accounts import Account, Role
from devices.broker.child import ChildBroker
from devices.protocol import ids, mac, topics
from devices.protocol.bus import Bus, BusConfig, Incoming
from devices.protocol.messages import Ack, Command, Event, Lease, PropertyValue, Query, Result
from devices.simulators.config import SimulatorConfig

SITE = "dorf"
KEY = "5a" * 32
OWN = f"{SITE}/5/station"
OTHER = f"{SITE}/5/vending"
HELPERS = ("speaker", "hearer", "newcomer", "polite", "rude", *(f"many-{number}" for number in range(50)))
KINDS = {
    "station": "locker",
    "vending": "vending",
    "atm": "atm",
    "entrance": "door",
    "fridge-1": "thermometer",
    "terminal": "terminal",
    "printer": "printer",
    "scanner": "scanner",
}


def eventually(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until a condition holds; fail if it never does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def verdict(result):
    return result.state, result.code, result.tries


def alerts(hub, device, name):
    found = hub.payloads(topics.alert_topic(SITE, device, name))
    return found[-1].decode() if found else ""


def pulses(village):
    return village.twin("station").pulses


@dataclass
class HandHub:
    """Speaks the hub's side, message by message, and keeps everything it hears."""

    bus: Bus
    seen: list[Incoming] = field(default_factory=list)
    leases: dict[str, Lease] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, message: Incoming) -> None:
        with self.lock:
            self.seen.append(message)
            topic = topics.parse(message.topic)
            if topic is not None and topic.kind is topics.TopicKind.LEASE and message.payload:
                self.leases[topic.device] = Lease.decode(message.payload)

    def command(self, device: str, op: str, /, **changes: Any) -> Command:
        """Return a command as the hub would make it now."""
        fields = {
            "id": ids.new_ulid(),
            "op": op,
            "lease": self.leases[device].lease,
            "ttl_ms": 2000,
            "map": 0,
            "gen": 1,
            "by": "test",
        }
        return Command.model_validate(fields | changes)

    def send(self, device: str, node: str, command: Command, *, key: str = KEY, retain: bool = False) -> Command:
        topic = topics.command_set_topic(SITE, device, node)
        signed = mac.sign(bytes.fromhex(key), topic, command)
        self.bus.publish(topic, signed, retain=retain)
        return signed

    def order(self, device: str, node: str, op: str, **args: Any) -> Command:
        """Send a fresh command and return it."""
        self.wait_lease(device)
        return self.send(device, node, self.command(device, op, args=args))

    def wait_lease(self, device: str) -> None:
        eventually(lambda: device in self.leases)

    def payloads(self, topic: str) -> list[bytes]:
        with self.lock:
            return [message.payload for message in self.seen if message.topic == topic]

    def results(self, command_id: str) -> list[Result]:
        found = []
        with self.lock:
            for message in self.seen:
                if message.topic.endswith("/result"):
                    result = Result.decode(message.payload)
                    if result.id == command_id:
                        found.append(result)
        return found

    def result(self, command_id: str, timeout_s: float = 10.0) -> Result:
        eventually(lambda: self.results(command_id), timeout_s)
        return self.results(command_id)[0]

    def accepts(self, device: str, node: str, command_id: str) -> int:
        topic = topics.command_topic(SITE, device, node)
        return sum(json.loads(payload)["id"] == command_id for payload in self.payloads(topic))

    def events(self, device: str) -> list[Event]:
        """Return the events once each, in order."""
        by_id = {}
        for payload in self.payloads(topics.event_topic(SITE, device)):
            event = Event.decode(payload)
            by_id[event.event] = event
        return sorted(by_id.values(), key=lambda event: (event.epoch, event.seq))

    def types(self, device: str, node: str = "") -> list[str]:
        return [event.type for event in self.events(device) if node in ("", event.node)]

    def value(self, device: str, node: str, name: str) -> object:
        found = self.payloads(topics.property_topic(SITE, device, node, name))
        return PropertyValue.decode(found[-1]).value if found else None

    def state(self, device: str) -> str:
        found = self.payloads(topics.state_topic(SITE, device))
        return found[-1].decode() if found else ""

    def ack(self, device: str) -> None:
        lease = self.leases[device]
        highest = max([event.seq for event in self.events(device)] + [r.seq for r in self.all_results(device)])
        self.bus.publish(topics.ack_set_topic(SITE, device), Ack(epoch=lease.epoch, boot=lease.boot, seq=highest))

    def all_results(self, device: str) -> list[Result]:
        with self.lock:
            messages = [m for m in self.seen if m.topic.startswith(f"{SITE}/5/{device}/")]
        return [Result.decode(m.payload) for m in messages if m.topic.endswith("/result")]

    def query(self, device: str, query: Query) -> None:
        self.bus.publish(topics.query_set_topic(SITE, device), query)


def accounts() -> list[Account]:
    """Return hub, monitor and one account per device."""
    fixed = [
        Account("hub", "hub-secret", Role.HUB, (SITE,)),
        Account("monitor", "monitor-secret", Role.MONITOR, (SITE,)),
        Account("ha", "ha-secret", Role.HOME, (SITE,)),
    ]
    # mosquitto makes the user name the client id: every connection of a test needs a user of its own
    helpers = [Account(name, f"{name}-secret", Role.HUB, (SITE,)) for name in HELPERS]
    return fixed + helpers + [Account.for_device(SITE, device, f"{device}-secret") for device in KINDS]


def connect(broker: ChildBroker, user: str, password: str, *, client_id: str = "") -> Bus:
    """Return a bus that is being connected; it goes on when it may not hear something, as many tests try just that."""
    name = client_id or f"{user}-{ids.new_ulid()}"
    return Bus(BusConfig(broker.host, broker.port, name, user, password, needs_all=False))


def config(
    broker: ChildBroker,
    folder: Path,
    names: tuple[str, ...],
    *,
    port: int = 0,
    auto_close_s: float = 0.0,
    options: dict[str, dict[str, object]] | None = None,
) -> SimulatorConfig:
    """Return the configuration of a village with these devices."""
    quick: dict[str, dict[str, object]] = {
        "locker": {"pulse_s": 0.01},
        "vending": {"motor_s": 0.01},
        "terminal": {"card_after_s": 0.05, "process_s": 0.01},
        "thermometer": {"interval_s": 0.1},
        "atm": {"poll_s": 0.1},
        "printer": {"kiosk": "kiosk-1", "folder": folder / "slips"},
        "scanner": {"kiosk": "kiosk-1"},
    }
    entries = [
        {"id": name, "kind": KINDS[name], "password": f"{name}-secret", "key": KEY}
        | quick.get(KINDS[name], {})
        | (options or {}).get(name.replace("-", "_"), {})
        for name in names
    ]
    return SimulatorConfig.model_validate(
        {
            "site": SITE,
            "broker": {"port": port or broker.port},
            "folder": folder / "simulators",
            "auto_close_s": auto_close_s,
            "devices": entries,
        }
    )


class Listener:
    """One user who subscribes to something and keeps what comes."""

    def __init__(self, broker: ChildBroker, user: str, password: str, topic_filter: str) -> None:
        self.heard: list[Incoming] = []
        self.bus = connect(broker, user, password)
        for one in topic_filter.split(" "):
            self.bus.subscribe(one, self.heard.append)
        self.bus.start()
        assert self.bus.wait_connected(5)

    def topics(self) -> set[str]:
        return {message.topic for message in self.heard}


Listen = Callable[[str, str, str], Listener]


def station(listen: Listen, topic_filter: str = f"{OWN}/+/command/set") -> Listener:
    return listen("dorf_station", "station-secret", topic_filter)


def hub_tree(listen: Listen) -> Listener:
    return listen("hub", "hub-secret", f"{SITE}/5/#")


def settle(speaker: Listener, witness: Listener) -> None:
    """Wait until a message sent after the others has arrived."""
    eventually(lambda: speaker.bus.publish(f"{OWN}/marker/end", b"1", qos=1) or f"{OWN}/marker/end" in witness.topics())
    time.sleep(0.2)
