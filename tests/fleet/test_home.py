"""Home Assistant: what it is told of the devices at real brokers, and what it may wish for."""

import contextlib
import json
import time
from dataclasses import dataclass, field

import pytest
from jinja2 import Environment
from sqlalchemy import select

from devices.broker.accounts import Account, Role
from devices.protocol import topics
from devices.protocol.bus import Incoming
from devices.protocol.description import Description, NodeDescription, PropertyDescription
from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.core.settings import HomeAssistant, Settings
from shop_hub.fleet import discovery, partitions, provisioning, wishes
from shop_hub.fleet import home as fleet_home
from shop_hub.fleet.models import Device, DeviceKind, DeviceProperty, Link
from shop_hub.fleet.worker import Worker
from tests.fleet.conftest import KINDS_OF_BROKER
from tests.fleet.kit import (
    ATM,
    PRINTER,
    SITE,
    STATION,
    Scripted,
    TestHub,
    accounts,
    connect,
    eventually,
    hub_settings,
    register,
)

CONFIG = f"homeassistant/device/{SITE}_{STATION}/config"
WISH = f"{SITE}/5/hub/remote/command/set"
SENSOR_KEYS = {"platform", "name", "unique_id", "state_topic", "value_template", "device_class"}


@pytest.fixture
def broker(stage, tmp_path):
    """As usual, with an account for Home Assistant."""
    home = Account("ha", "ha-secret", Role.HOME, (SITE,))
    running = KINDS_OF_BROKER[stage[1]](tmp_path / "broker", [*accounts(), home])
    running.start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(fleet_home, "_LOOK_S", 0.3)


@dataclass
class HomeSide:
    """Home Assistant, as far as it matters: it keeps what it hears, and says that it has started."""

    bus: object
    heard: list = field(default_factory=list)

    def start(self, *filters: str) -> "HomeSide":
        for one in filters:
            self.bus.subscribe(one, self.heard.append)
        self.bus.start()
        assert self.bus.wait_connected(5)
        return self

    def last(self, topic: str) -> bytes | None:
        found = [message.payload for message in self.heard if message.topic == topic]
        return found[-1] if found else None

    def config(self, topic: str = CONFIG) -> dict:
        return json.loads(self.last(topic) or b"{}")

    def wish(self, *, retain: bool = False, **changes) -> None:
        fields = {"v": 1, "nonce": f"nonce-{time.monotonic_ns()}", "at_ms": now_ms(), "device": PRINTER}
        self.raw(json.dumps({**fields, "op": "test-page", **changes}).encode(), retain=retain)

    def raw(self, payload: bytes, *, retain: bool = False) -> None:
        self.bus.publish(WISH, payload, retain=retain)


def now_ms() -> int:
    return int(clock.now().timestamp() * 1000)


@pytest.fixture
def home(broker):
    side = HomeSide(connect(broker, "ha", "ha-secret", client_id="ha")).start(
        "homeassistant/device/+/config", "homeassistant/shop_hub/+/service"
    )
    yield side
    side.bus.stop()


def begin(village, **settings) -> Worker:
    """Start a worker that knows Home Assistant, and the station."""
    known = hub_settings(village.broker, village.folder)
    with_home = Settings(data=known.data, mqtt=known.mqtt, home_assistant=HomeAssistant(**settings))
    worker = Worker(TestHub(with_home, village.database), village.dispatcher)
    village.workers.append(worker)
    worker.start()
    village.device.start()
    eventually(lambda: village.link() is Link.READY)
    return worker


def describe(village, nodes) -> None:
    """Have the station tell what it consists of."""
    description = Description(name="Station", kind="locker", maker="kerong", firmware="shop-hub 1", nodes=nodes)
    topic = topics.description_topic(SITE, STATION)
    village.device.bus.publish(topic, description.stamped().encode(), qos=1, retain=True)


def compartment() -> NodeDescription:
    words = PropertyDescription(datatype="enum")
    return NodeDescription(name="1", type="compartment", properties={"door": words, "lock": words, "occupied": words})


# Discovery


def test_a_station_appears_with_its_doors_and_nothing_that_could_be_operated(idle_village, home):
    begin(idle_village, discovery="on")
    describe(idle_village, {"box-01": compartment()})

    eventually(lambda: "box-01_lock" in home.config().get("components", {}), 20)
    found = home.config()
    assert found["device"] == {
        "identifiers": [f"{SITE}_{STATION}"],
        "name": STATION,
        "manufacturer": "kerong",
        "sw_version": "shop-hub 1",
        "model": "locker",
    }
    assert found["origin"] == {"name": "shop_hub"}
    assert [one["topic"] for one in found["availability"]] == [f"{SITE}/5/{STATION}/$state"]
    door = found["components"]["box-01_door"]
    assert set(door) == SENSOR_KEYS
    assert (door["platform"], door["device_class"]) == ("binary_sensor", "door")
    assert door["unique_id"] == f"{SITE}_{STATION}_box-01_door"
    assert set(found["components"]) == {"box-01_door", "box-01_lock"}
    assert "command" not in json.dumps(found)


def test_it_reads_the_states_straight_from_the_device(idle_village, home):
    begin(idle_village, discovery="on")
    describe(idle_village, {"box-01": compartment()})
    eventually(lambda: "box-01_door" in home.config().get("components", {}), 20)
    door = home.config()["components"]["box-01_door"]

    reader = HomeSide(connect(idle_village.broker, "ha", "ha-secret", client_id="ha-2"))
    home.bus.stop()  # mosquitto lets one connection in for each account
    reader.start(door["state_topic"], home.config()["availability"][0]["topic"])
    idle_village.device.set("box-01", "door", "open")

    eventually(lambda: reader.last(door["state_topic"]))
    assert rendered(door["value_template"], reader.last(door["state_topic"])) == "ON"
    state = reader.last(f"{SITE}/5/{STATION}/$state")
    assert rendered(home.config()["availability"][0]["value_template"], state) == "online"
    reader.bus.stop()


def test_it_is_told_again_when_it_starts(idle_village, home):
    begin(idle_village, discovery="on")
    eventually(lambda: home.last(CONFIG))
    home.heard.clear()

    home.bus.publish("homeassistant/status", b"online")

    eventually(lambda: home.last(CONFIG))


def test_doors_do_not_suffer_from_what_goes_wrong_here(idle_village, home, monkeypatch, caplog):
    def fail(*_arguments, **_more):
        raise RuntimeError("a description nobody thought of")

    monkeypatch.setattr(discovery, "config", fail)
    begin(idle_village, discovery="on")
    eventually(lambda: "Home Assistant could not be told" in caplog.text)

    idle_village.order()

    eventually(lambda: idle_village.outcomes == [("box-01", "done")])
    assert home.last(CONFIG) is None


def test_a_device_taken_out_of_service_disappears(idle_village, home):
    begin(idle_village, discovery="on")
    eventually(lambda: home.last(CONFIG))

    with idle_village.database.transaction() as session:
        device = session.get_one(Device, idle_village.row.id)
        provisioning.revoke(session, device, actor="test", reason="stolen")

    eventually(lambda: home.last(CONFIG) == b"", 20)


def test_a_compartment_that_is_gone_is_taken_back(idle_village, home):
    begin(idle_village, discovery="on")
    describe(idle_village, {"box-01": compartment(), "box-02": compartment()})
    eventually(lambda: "box-02_door" in home.config().get("components", {}), 20)

    describe(idle_village, {"box-01": compartment()})

    eventually(lambda: home.config()["components"]["box-02_door"] == {"platform": "binary_sensor"}, 20)
    assert "state_topic" in home.config()["components"]["box-01_door"]


def test_nothing_is_told_unless_somebody_wants_it_and_all_is_taken_back_when_nobody_does(idle_village, home):
    begin(idle_village)
    idle_village.worker.stop()
    assert home.heard == []

    idle_village.device = Scripted(idle_village.broker, STATION)
    begin(idle_village, discovery="on")
    eventually(lambda: home.last(CONFIG))
    idle_village.worker.stop()
    idle_village.device.stop()

    idle_village.device = Scripted(idle_village.broker, STATION)
    begin(idle_village, discovery="withdrawn")
    eventually(lambda: home.last(CONFIG) == b"")


def test_of_a_cash_machine_only_the_public_state_is_told(idle_village, home, database, site):
    register(database, site, ATM)
    machine = Scripted(idle_village.broker, ATM)
    begin(idle_village, discovery="on")
    topic, public = f"homeassistant/device/{SITE}_{ATM}/config", f"homeassistant/shop_hub/{SITE}_{ATM}/service"
    eventually(lambda: home.last(topic))

    machine.start()
    machine.set("atm", "status", {"service": "supervisor", "device": "online", "cash": {"withdrawal": "low"}})

    eventually(lambda: home.last(public) == b"maintenance", 20)
    components = home.config(topic)["components"]
    assert set(components) == {"service"}
    assert components["service"]["state_topic"] == public
    assert components["service"]["options"] == ["inService", "outOfService", "maintenance", "unknown"]
    assert f"{SITE}/5/{ATM}/atm" not in json.dumps(home.config(topic))
    machine.state("disconnected")
    eventually(lambda: home.last(public) == b"unknown", 20)
    machine.stop()


ENVIRONMENT = Environment()  # noqa: S701 - no page is made of it


def rendered(template: str, payload: bytes) -> str:
    """Return what Home Assistant makes of a payload: `value`, and `value_json` if it is JSON."""
    words = {"value": payload.decode()}
    with contextlib.suppress(ValueError):
        words["value_json"] = json.loads(payload)
    return ENVIRONMENT.from_string(template).render(words)


@pytest.mark.parametrize(
    ("place", "value", "shown"),
    [
        (("compartment", "door"), "open", "ON"),
        (("compartment", "door"), "closed", "OFF"),
        (("compartment", "door"), "unknown", "None"),
        (("compartment", "lock"), "jam", "ON"),
        (("compartment", "lock"), "locked", "OFF"),
        (("board", "state"), "lost", "ON"),
        (("entrance", "lock"), "free", "ON"),
        (("entrance", "lock"), "locked", "OFF"),
        (("climate", "temperature"), 5250, "5.25"),
        (("climate", "temperature"), 0, "0.0"),
        (("machine", "temperature"), None, "None"),
    ],
)
def test_values_are_read_as_they_are_meant_and_what_is_not_known_is_unknown(place, value, shown):
    payload = json.dumps({"v": 1, "seq": 1} | ({} if value is None else {"value": value})).encode()

    assert rendered(discovery.ENTITIES[place].template, payload) == shown
    assert rendered(discovery.ENTITIES[place].template, b"") == "None"


def test_names_of_two_villages_never_meet():
    assert discovery.config_topic("a-b", "c") != discovery.config_topic("a", "b-c")


def test_a_wall_of_compartments_fits_into_one_message():
    nodes = {f"box-{number:03d}": compartment().model_dump() for number in range(999)}
    station = Device(slug="station", kind=DeviceKind.LOCKER, name="Station", description={"nodes": nodes})

    found = discovery.config(SITE, station, may_wish=False, gone={})

    assert len(json.dumps(found, ensure_ascii=False).encode()) < 65_536
    assert len(found["components"]) > 150


def big(**description) -> Device:
    return Device(slug="station", kind=DeviceKind.LOCKER, name="Station", description=description)


def test_no_description_makes_a_message_that_the_broker_refuses():
    nodes = {f"box-{number:03d}": compartment().model_dump() for number in range(999)}
    gone = {f"{'x' * 57}-{number:06d}_temperature": "binary_sensor" for number in range(9999)}

    found = discovery.config(SITE, big(maker="m" * 60_000, firmware="f" * 9000, nodes=nodes), may_wish=False, gone=gone)

    assert len(json.dumps(found, ensure_ascii=False).encode()) <= discovery.MOST_BYTES
    lost = [name for name, component in found["components"].items() if set(component) == {"platform"}]
    assert lost == list(gone)[-discovery.MOST_GONE :]
    assert len(found["components"]) > 150


@dataclass
class Ears:
    """A broker's connection that keeps what is published."""

    connected: bool = True
    told: list = field(default_factory=list)
    handlers: dict = field(default_factory=dict)

    def subscribe(self, topic, handler, **_more) -> None:
        self.handlers[topic] = handler

    def publish(self, topic, payload, **_more) -> None:
        self.told.append((topic, payload))

    def ack(self, _message) -> None:
        pass


def alone(database, partition=partitions.ALL, **settings) -> tuple[fleet_home.Home, Ears]:
    """Return the hub's side without a broker; it looks at each turn."""
    bus = Ears()
    return fleet_home.Home(database, partition, bus, HomeAssistant(**settings)), bus


@pytest.fixture
def at_each_turn(monkeypatch):
    monkeypatch.setattr(fleet_home, "_LOOK_S", 0)


@pytest.mark.usefixtures("at_each_turn")
def test_changing_names_of_nodes_do_not_grow_in_memory_or_in_the_message(database, site):
    row = register(database, site, STATION)
    home, bus = alone(database, discovery="on")
    for number in range(12):
        with database.transaction() as session:
            nodes = {f"box-{number}-{box}": compartment().model_dump() for box in range(10)}
            session.get_one(Device, row.id).description = {"nodes": nodes}
        home.turn()
    assert len(bus.told) == 12
    assert len(json.loads(bus.told[-1][1])["components"]) == 20 + discovery.MOST_GONE
    home.turn()
    assert len(bus.told) == 12


@pytest.mark.usefixtures("at_each_turn")
def test_what_is_too_large_is_never_sent_and_the_rest_is(database, site, monkeypatch, caplog):
    register(database, site, STATION)
    register(database, site, PRINTER)
    config = discovery.config

    def much(site, device, **more):
        return config(site, device, **more) | ({"x": "x" * 70_000} if device.slug == STATION else {})

    monkeypatch.setattr(discovery, "config", much)
    home, bus = alone(database, discovery="on")
    home.turn()
    home.turn()
    assert [topic for topic, _ in bus.told] == [discovery.config_topic(SITE, PRINTER)]
    assert caplog.text.count("too large for Home Assistant") == 1


@pytest.mark.usefixtures("at_each_turn")
def test_the_state_of_a_cash_machine_expires_unless_the_hub_tells_it_again(database, site, monkeypatch):
    row = register(database, site, ATM)
    with database.transaction() as session:
        more = {"epoch": "a" * 16, "boot": 1, "seq": 1}
        value = {"service": "inService"}
        place = {"site_id": site.id, "device_id": row.id, "node": "atm", "name": "status"}
        session.add(DeviceProperty(**place, value=value, at=clock.now(), **more))
        session.get_one(Device, row.id).link = Link.READY
    home, bus = alone(database, discovery="on")
    home.turn()
    (component,) = json.loads(dict(bus.told)[discovery.config_topic(SITE, ATM)])["components"].values()
    assert component["expire_after"] == 90
    public = (discovery.service_topic(SITE, ATM), b"inService")
    assert bus.told.count(public) == 1
    home.turn()
    assert bus.told.count(public) == 1
    later = time.monotonic() + discovery.REPEAT_S + 1
    monkeypatch.setattr(fleet_home.time, "monotonic", lambda: later)
    home.turn()
    assert bus.told[2:] == [public]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("discovery_", "hears"), [("on", True), ("withdrawn", False), ("off", False)])
def test_wishes_are_heard_only_while_the_devices_are_shown(database, discovery_, hears):
    home, bus = alone(database, discovery=discovery_, wishes=True)
    home.turn()
    assert (WISH in bus.handlers) is hears


@pytest.mark.usefixtures("site")
def test_a_region_tells_nothing_and_hears_nothing(database):
    home, bus = alone(database, partitions.Partition(0, 1, collects=True), discovery="on", wishes=True)
    home.turn()
    assert (bus.handlers, bus.told) == ({}, [])


# Wishes


@pytest.fixture
def printer(idle_village, site):
    """A hub that lets Home Assistant wish, and a printer that prints whatever it is told."""
    register(idle_village.database, site, PRINTER)
    device = Scripted(idle_village.broker, PRINTER)
    begin(idle_village, discovery="on", wishes=True)
    device.start()
    eventually(lambda: links(idle_village).get(PRINTER) is Link.READY)
    yield device
    device.stop()


def links(village) -> dict[str, Link]:
    with village.database.reading() as session:
        return dict(tuple(row) for row in session.execute(select(Device.slug, Device.link)))


def noted(database) -> list[tuple[str, str]]:
    """Return what the audit chain says of wishes: whether they were granted, and why not."""
    with database.reading() as session:
        mine = select(AuditEntry).where(AuditEntry.actor == wishes.ACTOR).order_by(AuditEntry.id)
        return [(entry.action, entry.detail["reason"]) for entry in session.scalars(mine)]


def test_a_test_page_may_be_wished_at_a_button(idle_village, printer, home):
    topic = f"homeassistant/device/{SITE}_{PRINTER}/config"
    eventually(lambda: "test-page" in home.config(topic).get("components", {}), 20)
    button = home.config(topic)["components"]["test-page"]
    assert (button["platform"], button["command_topic"]) == ("button", WISH)
    pressed = ENVIRONMENT.from_string(button["command_template"]).render(now=clock.now)

    home.raw(pressed.encode())

    eventually(lambda: printer.commands)
    assert printer.commands[0][0].args == {"document": {"title": "Test", "lines": [PRINTER]}}
    eventually(lambda: noted(idle_village.database) == [("wish-granted", "")])


def test_a_retained_or_repeated_wish_prints_nothing(idle_village, printer, home):
    eventually(lambda: home.last(f"homeassistant/device/{SITE}_{PRINTER}/config"), 20)
    home.wish(nonce="nonce-one")
    eventually(lambda: len(printer.commands) == 1)

    home.wish(nonce="nonce-one")
    eventually(lambda: len(noted(idle_village.database)) == 2)
    home.wish(nonce="nonce-two", retain=True)
    eventually(lambda: len(noted(idle_village.database)) == 3)  # live, it is one like any other
    idle_village.worker.stop()
    begun = len(printer.commands)
    idle_village.device.stop()
    idle_village.device = Scripted(idle_village.broker, STATION)
    begin(idle_village, discovery="on", wishes=True)

    eventually(lambda: ("wish-refused", "retained") in noted(idle_village.database), 20)
    assert ("wish-refused", "replayed") in noted(idle_village.database)
    assert len(printer.commands) == begun
    home.raw(b"", retain=True)


def test_where_nobody_may_wish_nothing_is_heard(idle_village, home):
    begin(idle_village, discovery="on")
    eventually(lambda: home.last(CONFIG))

    home.wish()
    home.wish(device=STATION, op="open")
    time.sleep(1)

    assert noted(idle_village.database) == []
    assert idle_village.device.commands == []


@dataclass
class Judge:
    """Wishes of one village, without a broker."""

    database: object
    site_id: int
    now_ms: int = 1_800_000_000_000
    judge: wishes.Wishes = field(default_factory=lambda: wishes.Wishes(1_800_000_000_000))
    count: int = 0

    def __call__(self, payload: bytes | None = None, *, retained: bool = False, **changes) -> str:
        self.count += 1
        nonce = f"nonce-number-{self.count}"
        fields = {"v": 1, "nonce": nonce, "at_ms": self.now_ms, "device": PRINTER, "op": "test-page"}
        content = json.dumps({**fields, **changes}).encode() if payload is None else payload
        message = Incoming(WISH, content, 0, retained, duplicate=False, mid=0, connection=1)
        return self.judge.judge(self.database, wishes.Heard(self.site_id, message), self.now_ms)


@pytest.fixture
def judge(database, site, monkeypatch):
    register(database, site, PRINTER)
    register(database, site, STATION)
    monkeypatch.setattr(wishes.service, "request", lambda *_args, **_more: None)
    return Judge(database, site.id)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"op": "open"}, "not_allowed"),
        ({"op": "unlock", "device": "tuer"}, "not_allowed"),
        ({"op": "test-page", "device": STATION}, "not_allowed"),
        ({"op": "print"}, "not_allowed"),
        ({"device": "nobody"}, "not_allowed"),
        ({"at_ms": 1_800_000_000_000 - 1}, "late"),
        ({"at_ms": 1_800_000_000_000 + 10_001}, "late"),
        ({"at_ms": True}, "malformed"),
        ({"nonce": "short"}, "malformed"),
        ({"nonce": "with space in it"}, "malformed"),
        ({"device": "../hub"}, "malformed"),
        ({"v": 2}, "malformed"),
        ({"more": 1}, "malformed"),
        ({"op": "x" * 41}, "malformed"),
    ],
)
def test_what_may_be_wished_and_what_not(judge, changes, reason):
    assert judge(**changes) == reason
    assert noted(judge.database) == [("wish-refused" if reason else "wish-granted", reason)]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{" * 400, b'{"v":1}' + b" " * 600, b"x" * 100_000])
def test_garbage_is_refused(judge, payload):
    assert judge(payload) == "malformed"


def test_a_wish_that_was_kept_or_is_old_or_was_heard_before_is_refused(judge):
    assert judge(retained=True) == "retained"
    assert judge(nonce="nonce-twice") == ""
    assert judge(nonce="nonce-twice") == "replayed"
    sent = judge.now_ms
    judge.now_ms += 10_001
    assert judge(at_ms=sent) == "late"


def test_paper_is_not_wasted_and_the_books_are_not_flooded(judge):
    assert [judge() for _ in range(7)] == [""] * 5 + ["too_many"] * 2
    for _ in range(100):
        judge(b"garbage")
    assert len(noted(judge.database)) == 5 + wishes.MOST_NOTED
    judge.now_ms += 60_000
    assert judge(device="nobody") == "not_allowed"
    assert len(noted(judge.database)) == 5 + wishes.MOST_NOTED
    assert judge() == ""


@pytest.mark.usefixtures("site")
def test_a_flood_of_wishes_never_keeps_the_hub_from_its_lease(database, monkeypatch):
    home, bus = alone(database, discovery="on", wishes=True)
    home.turn()
    judged = []

    def judge_while_more_come(_wishes, _database, heard, _now):
        judged.append(heard)
        if len(judged) < 100:
            bus.handlers[WISH](heard.message)
        return "late"

    monkeypatch.setattr(wishes.Wishes, "judge", judge_while_more_come)
    for _ in range(30):
        bus.handlers[WISH](Incoming(WISH, b"", 0, retained=False, duplicate=False, mid=0, connection=1))
    home.turn()
    assert len(judged) == 5
    home.turn()
    assert len(judged) == 10


def test_a_flood_is_refused_without_the_database(judge, monkeypatch):
    for _ in range(wishes.MOST_NOTED):
        judge(b"garbage")
    for _ in range(wishes.MOST_TRIED):
        judge()
    monkeypatch.setattr(judge.database, "transaction", None)
    assert judge(b"garbage") == "malformed"
    assert judge(retained=True) == "retained"
    assert judge(at_ms=1) == "late"
    assert judge(op="open") == "not_allowed"
    assert judge() == "too_many"


def test_a_flood_of_nonces_is_forgotten_in_time_and_never_lets_one_be_used_twice(judge, monkeypatch):
    monkeypatch.setattr(wishes, "_MOST_NONCES", 3)
    assert [judge(op="none") for _ in range(4)] == ["not_allowed"] * 3 + ["too_many"]
    judge.now_ms += 20_001
    assert judge(op="none") == "not_allowed"
