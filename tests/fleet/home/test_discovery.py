"""Home Assistant: what it is told of the devices at real brokers, and what it may wish for."""

import contextlib
import json
import time

import pytest

from shop_hub.core import clock
from shop_hub.fleet import discovery, partitions, provisioning
from shop_hub.fleet import home as fleet_home
from shop_hub.fleet.models import Device, DeviceKind, DeviceProperty, Link
from tests.fleet.home.side import CONFIG, ENVIRONMENT, SENSOR_KEYS, WISH, HomeSide, alone, begin, compartment, describe
from tests.fleet.kit import (
    ATM,
    PRINTER,
    SITE,
    STATION,
    Scripted,
    connect,
    eventually,
    register,
)

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
