"""Each kind of machine, its faults included, over the contract."""

import os
import pty
import time

import pytest

from devices.agent.device import NoAnswerError
from devices.atm.driver import AtmReading, CashUnit
from devices.atm.status import model
from devices.protocol import topics
from devices.protocol.description import Description
from devices.protocol.messages import ClockHint, ResultState
from devices.scanner.codes import LONGEST, Code, CodeReader
from devices.scanner.driver_tty import TtyScanner
from tests.devices.kit import SITE, eventually

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)
BOX = "box-03"


def verdict(result):
    return result.state, result.code, result.tries


def alerts(hub, device, name):
    found = hub.payloads(topics.alert_topic(SITE, device, name))
    return found[-1].decode() if found else ""


# Locker


def test_a_station_describes_all_its_compartments(hub, villages):
    villages.start("station")
    eventually(lambda: hub.payloads(topics.description_topic(SITE, "station")))
    found = Description.decode(hub.payloads(topics.description_topic(SITE, "station"))[-1])
    boxes = [node for node in found.nodes if node.startswith("box-")]
    assert (found.kind, len(boxes)) == ("locker", 24)
    assert [node for node in boxes if "temperature" in found.nodes[node].properties] == ["box-17"]
    eventually(lambda: hub.value("station", "box-17", "temperature") == 4000)


def test_a_jammed_door_is_a_failure_with_one_pulse(hub, villages):
    village = villages.start("station")
    village.control("station", "fault", {"node": BOX, "name": "jam"})
    command = hub.order("station", BOX, "open")
    assert verdict(hub.result(command.id)) == (ResultState.FAILED, "jam", 1)
    eventually(lambda: [(e.type, e.cause) for e in hub.events("station")] == [("jam", command.id)])
    assert hub.value("station", BOX, "lock") == "jam"
    village.control("station", "repair", {"node": BOX})
    again = hub.order("station", BOX, "open")
    assert hub.result(again.id).state is ResultState.DONE
    eventually(lambda: hub.value("station", BOX, "lock") == "unlocked")


def test_a_missing_reply_with_a_door_that_opened_is_done(hub, villages):
    village = villages.start("station")
    village.control("station", "fault", {"node": BOX, "name": "no_reply"})
    result = hub.result(hub.order("station", BOX, "open").id)
    assert verdict(result) == (ResultState.DONE, "", 1)
    assert result.data == {"answered": False}
    assert village.twin("station").pulses == [BOX]


def test_a_missing_reply_with_a_door_that_stayed_shut_is_unknown(hub, villages):
    village = villages.start("station")
    for name in ("no_reply", "jam"):
        village.control("station", "fault", {"node": BOX, "name": name})
    assert verdict(hub.result(hub.order("station", BOX, "open").id)) == (ResultState.UNKNOWN, "no_answer", 1)
    assert village.twin("station").pulses == [BOX]


def test_a_stuck_sensor_never_claims_an_opening(hub, villages):
    village = villages.start("station")
    village.control("station", "fault", {"node": BOX, "name": "sensor_stuck"})
    assert verdict(hub.result(hub.order("station", BOX, "open").id)) == (ResultState.FAILED, "jam", 1)
    assert "opened" not in hub.types("station")


def test_a_slow_door_that_opens_after_the_verdict_is_still_the_commands_doing(hub, villages):
    village = villages.start("station")
    village.control("station", "fault", {"node": BOX, "name": "slow", "value": 3500})
    command = hub.order("station", BOX, "open")
    assert hub.result(command.id).code == "jam"
    eventually(lambda: hub.types("station") == ["jam", "opened"])
    assert hub.events("station")[1].cause == command.id


def test_a_bouncing_door_opens_once(hub, villages):
    village = villages.start("station")
    village.control("station", "fault", {"node": BOX, "name": "bounce"})
    hub.result(hub.order("station", BOX, "open").id)
    village.control("station", "close_door", {"node": BOX})
    eventually(lambda: "closed" in hub.types("station"))
    assert hub.types("station") == ["opened", "closed"]


def test_a_door_nobody_asked_for_is_forced(hub, villages):
    village = villages.start("station")
    eventually(lambda: hub.value("station", BOX, "door") == "closed")
    village.control("station", "open_door", {"node": BOX})
    eventually(lambda: [(e.type, e.cause) for e in hub.events("station")] == [("forced", "")])


def test_a_door_that_is_open_already_is_not_pulsed(hub, villages):
    village = villages.start("station")
    hub.result(hub.order("station", BOX, "open").id)
    result = hub.result(hub.order("station", BOX, "open").id)
    assert verdict(result) == (ResultState.DONE, "", 0)
    assert result.data == {"already_open": True}
    assert village.twin("station").pulses == [BOX]


def test_two_doors_on_one_pulse_stop_the_station_until_a_person_looked(hub, villages):
    village = villages.start("station")
    village.control("station", "fault", {"node": BOX, "name": "double", "value": "box-11"})
    hub.result(hub.order("station", BOX, "open").id)
    eventually(lambda: alerts(hub, "station", "two-doors") == "box-11 opened together with box-03")
    assert sorted((e.node, e.type) for e in hub.events("station")) == [("box-03", "opened"), ("box-11", "forced")]
    assert hub.result(hub.order("station", "box-01", "open").id).code == "stopped"
    village.control("station", "switch_off", {})
    hub.leases.clear()
    village.control("station", "switch_on", {})
    assert hub.result(hub.order("station", "box-01", "open").id).code == "stopped"
    village.control("station", "allow_again", {})
    assert hub.result(hub.order("station", "box-01", "open").id).state is ResultState.DONE
    eventually(lambda: alerts(hub, "station", "two-doors") == "")


def test_a_lost_board_makes_its_doors_unknown_and_leaves_the_others_alone(hub, villages):
    village = villages.start("station")
    village.control("station", "board", {"board": "board-2", "dead": True})
    eventually(lambda: hub.value("station", "board-2", "state") == "lost")
    eventually(lambda: hub.value("station", "box-09", "door") == "unknown")
    assert hub.value("station", "box-08", "door") == "closed"
    assert verdict(hub.result(hub.order("station", "box-09", "open").id)) == (ResultState.FAILED, "no_answer", 0)
    assert hub.result(hub.order("station", "box-01", "open").id).state is ResultState.DONE
    village.control("station", "board", {"board": "board-2", "dead": False})
    eventually(lambda: hub.value("station", "box-09", "door") == "closed")
    assert hub.types("station", "box-09") == []
    assert hub.types("station", "board-2") == ["board-lost"]


def test_a_simulated_person_uses_every_door_that_opens(hub, villages):
    village = villages.start("station", auto_close_s=0.3, station={"occupied": [BOX]})
    eventually(lambda: hub.value("station", BOX, "occupied") is True)
    for node, occupied in ((BOX, False), ("box-04", True)):
        hub.result(hub.order("station", node, "open").id)
        eventually(lambda node=node: "closed" in hub.types("station", node))
        assert hub.events("station")[-1].data["occupied"] is occupied
    assert village.control("station", "look", {})[BOX]["occupied"] is False


def test_a_door_left_open_by_a_crash_is_shut_by_the_simulated_person(hub, villages):
    village = villages.start("station")
    hub.result(hub.order("station", BOX, "open").id)
    villages.stop(village)
    hub.seen.clear()
    villages.start("station", auto_close_s=0.3)
    eventually(lambda: hub.value("station", BOX, "door") == "open")
    eventually(lambda: hub.value("station", BOX, "door") == "closed")
    assert hub.value("station", BOX, "occupied") is True


# Vending machine


def vend(hub, slot, order="order-1"):
    return hub.result(hub.order("vending", "unit", "vend", slot=slot, order=order).id)


def test_a_piece_drops_and_is_counted(hub, villages):
    village = villages.start("vending")
    assert verdict(vend(hub, "slot-07")) == (ResultState.DONE, "", 1)
    eventually(lambda: hub.value("vending", "slot-07", "stock") == 5)
    event = hub.events("vending")[0]
    assert (event.type, event.node, event.data) == ("vended", "slot-07", {"order": "order-1", "stock": 5})
    assert village.twin("vending").turns == ["slot-07"]
    villages.stop(village)
    hub.seen.clear()
    villages.start("vending")
    eventually(lambda: hub.value("vending", "slot-07", "stock") == 5)


def test_a_jam_fails_and_blocks_the_slot_until_it_is_refilled(hub, villages):
    village = villages.start("vending")
    village.control("vending", "jam", {"node": "slot-07"})
    assert verdict(vend(hub, "slot-07")) == (ResultState.FAILED, "jam", 1)
    eventually(lambda: hub.value("vending", "slot-07", "state") == "jam")
    assert verdict(vend(hub, "slot-07")) == (ResultState.REJECTED, "jam", 0)
    assert village.twin("vending").turns == ["slot-07"]
    village.control("vending", "refill", {"node": "slot-07", "stock": 8})
    eventually(lambda: hub.value("vending", "slot-07", "state") == "ok")
    eventually(lambda: hub.types("vending") == ["jam", "refilled", "audit"])
    assert hub.events("vending")[1].data == {"stock": 8, "expected": 6}
    assert vend(hub, "slot-07").state is ResultState.DONE


def test_an_empty_slot_turns_no_motor(hub, villages):
    village = villages.start("vending")
    village.control("vending", "refill", {"node": "slot-01", "stock": 1})
    assert vend(hub, "slot-01").state is ResultState.DONE
    assert verdict(vend(hub, "slot-01")) == (ResultState.REJECTED, "empty", 0)
    eventually(lambda: hub.value("vending", "slot-01", "state") == "empty")
    assert village.twin("vending").turns == ["slot-01"]


def test_a_machine_that_falls_silent_leaves_unknown(hub, villages):
    village = villages.start("vending")
    village.control("vending", "silent", {"on": True})
    assert verdict(vend(hub, "slot-02")) == (ResultState.UNKNOWN, "no_answer", 1)
    assert village.twin("vending").turns == ["slot-02"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"slot": "slot-99", "order": "x"}, "not_found"),
        ({"slot": 7, "order": "x"}, "bad_arguments"),
        ({"slot": "slot-01"}, "bad_arguments"),
        ({"slot": "slot-01", "order": "x", "price": 1}, "bad_arguments"),
    ],
)
def test_bad_vends_turn_no_motor(hub, villages, args, code):
    village = villages.start("vending")
    hub.wait_lease("vending")
    command = hub.send("vending", "unit", hub.command("vending", "vend", args=args))
    assert hub.result(command.id).code == code
    assert village.twin("vending").turns == []


# Entrance


def test_the_entrance_lets_one_person_in(hub, villages):
    village = villages.start("entrance", auto_close_s=0.2)
    command = hub.order("entrance", "door", "unlock", hold_s=3)
    assert verdict(hub.result(command.id)) == (ResultState.DONE, "", 1)
    eventually(lambda: hub.types("entrance") == ["entry"])
    assert hub.events("entrance")[0].cause == command.id
    eventually(lambda: hub.value("entrance", "door", "door") == "closed")
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")
    assert village.twin("entrance").releases == 1


def test_leaving_is_free_and_breaking_in_is_told(hub, villages):
    village = villages.start("entrance")
    village.control("entrance", "leave", {})
    eventually(lambda: hub.types("entrance") == ["exit"])
    village.control("entrance", "close_door", {})
    village.agent("entrance").device._may_open_until_ms = 0
    village.control("entrance", "force", {})
    eventually(lambda: hub.types("entrance") == ["exit", "forced"])


def test_a_door_held_open_is_told(hub, villages):
    village = villages.start("entrance", entrance={"held_open_s": 0.3})
    village.control("entrance", "leave", {})
    eventually(lambda: hub.types("entrance") == ["exit", "held-open"])


def test_the_mode_is_kept_over_a_restart(hub, villages):
    village = villages.start("entrance")
    assert hub.result(hub.order("entrance", "door", "mode", mode="free").id).state is ResultState.DONE
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    village.control("entrance", "enter", {})
    eventually(lambda: hub.types("entrance") == ["entry"])
    villages.stop(village)
    hub.seen.clear()
    villages.start("entrance")
    eventually(lambda: hub.value("entrance", "door", "mode") == "free")
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")


ALWAYS = [{"weekday": day, "from_minute": 0, "to_minute": 1440} for day in range(7)]


def test_without_the_hub_the_stored_opening_rule_decides(hub, villages):
    village = villages.start("entrance", entrance={"windows": ALWAYS})
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    hub.bus.publish(topics.clock_topic(SITE), ClockHint(now_ms=1_800_000_000_000))
    eventually(lambda: village.agent("entrance").hub_heard_ms is not None)
    village.agent("entrance").device._apply_rule()
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")


def keep_rule(hub, **rule):
    assert hub.result(hub.order("entrance", "door", "rule", **rule).id).state is ResultState.DONE
    eventually(lambda: hub.value("entrance", "door", "rule") == rule)


def test_the_hub_s_rule_is_kept_over_a_restart_and_counts_without_the_hub(hub, villages):
    now_s = int(time.time())
    village = villages.start("entrance")
    keep_rule(hub, windows=[[now_s - 60, now_s + 3600]], until=now_s + 7200)
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    villages.stop(village)
    hub.seen.clear()
    villages.start("entrance")
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    keep_rule(hub, windows=[], until=now_s + 7200)
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")


def test_the_hub_s_rule_goes_before_the_device_s_own_until_it_ends(hub, villages):
    now_s = int(time.time())
    villages.start("entrance", entrance={"windows": ALWAYS})
    keep_rule(hub, windows=[], until=now_s + 7200)
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")
    keep_rule(hub, windows=[], until=now_s - 1)
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")


@pytest.mark.parametrize("mode", ["locked", "auto"])
def test_nobody_is_ever_locked_in(hub, villages, mode):
    village = villages.start("entrance")
    assert hub.result(hub.order("entrance", "door", "mode", mode=mode).id).state is ResultState.DONE
    keep_rule(hub, windows=[], until=0)
    village.control("entrance", "leave", {})
    eventually(lambda: hub.value("entrance", "door", "door") == "open")
    assert hub.types("entrance") == ["exit"]


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("rule", {}),
        ("rule", {"windows": [[1]], "until": 5}),
        ("rule", {"windows": [[1, 2]] * 71, "until": 5}),
        ("rule", {"windows": [], "until": -1}),
        ("rule", {"windows": [], "until": "soon"}),
        ("unlock", {"hold_s": 0}),
        ("unlock", {"hold_s": 61}),
        ("unlock", {"hold_s": True}),
        ("unlock", {}),
        ("mode", {"mode": "party"}),
        ("mode", {}),
    ],
)
def test_bad_orders_to_the_entrance_are_refused(hub, villages, op, args):
    village = villages.start("entrance")
    hub.wait_lease("entrance")
    command = hub.send("entrance", "door", hub.command("entrance", op, args=args))
    assert hub.result(command.id).code == "bad_arguments"
    assert village.twin("entrance").releases == 0


# Cash machine


def status(hub):
    return hub.value("atm", "atm", "status") or {}


def test_the_cash_machine_follows_its_source_and_takes_no_commands(hub, villages):
    village = villages.start("atm")
    eventually(lambda: status(hub).get("service") == "inService")
    assert status(hub)["cash"] == {"withdrawal": "ok", "deposit": "unknown"}
    assert status(hub)["observed_at"] >= status(hub)["since"]
    village.control("atm", "level", {"unit": "cassette-1", "level": "low"})
    eventually(lambda: status(hub)["cash"]["withdrawal"] == "low")
    village.control("atm", "maintenance", {"on": True})
    eventually(lambda: status(hub)["service"] == "supervisor")
    village.control("atm", "maintenance", {"on": False})
    village.control("atm", "device", {"status": "hardwareError", "reason": "dispenser"})
    eventually(lambda: status(hub)["service"] == "outOfService")
    village.control("atm", "silent", {"on": True})
    eventually(lambda: status(hub)["service"] == "unknown")
    assert "atm" not in hub.leases
    assert set(hub.types("atm")) == {"status-changed"}


def test_a_value_that_fits_into_no_message_is_unknown_and_does_not_keep_a_device_from_being_ready(hub, villages):
    village = villages.start("atm")
    eventually(lambda: status(hub).get("service") == "inService")
    agent = village.agent("atm")
    agent.set("atm", "status", {"reason": "x" * 5000})
    eventually(lambda: alerts(hub, "atm", "unsent-property") == "atm/status")
    assert hub.value("atm", "atm", "status") is None
    state = topics.state_topic(SITE, "atm")
    before = len(hub.payloads(state))
    agent.cut()
    eventually(lambda: b"init" in hub.payloads(state)[before:])
    eventually(lambda: hub.payloads(state)[-1] == b"ready")
    village.control("atm", "level", {"unit": "cassette-1", "level": "low"})
    eventually(lambda: alerts(hub, "atm", "unsent-property") == "")


UNIT = CashUnit(id="c1", currency="EUR", denomination_bucket="small", replenishment="ok")
EMPTY = CashUnit(id="c2", currency="EUR", denomination_bucket="large", replenishment="empty")
BROKEN = CashUnit(id="c3", currency="EUR", denomination_bucket="large", replenishment="ok", status="inoperative")


@pytest.mark.parametrize(
    ("reading", "service", "withdrawal"),
    [
        (AtmReading("online", units=(UNIT,)), "inService", "ok"),
        (AtmReading("online", units=(UNIT, EMPTY)), "inService", "low"),
        (AtmReading("online", units=(EMPTY,)), "inService", "empty"),
        (AtmReading("online", units=(BROKEN,)), "inService", "inoperative"),
        (AtmReading("online", dispenser="stop", units=(UNIT,)), "outOfService", "inoperative"),
        (AtmReading("online", dispenser="unknown", units=(UNIT,)), "inService", "unknown"),
        (AtmReading("fraudAttempt", units=(UNIT,)), "outOfService", "ok"),
        (AtmReading("fraudAttempt", vendor_mode="active", units=(UNIT,)), "supervisor", "ok"),
        (AtmReading("online", is_exchanging=True, units=(UNIT,)), "supervisor", "ok"),
        (AtmReading("starting", units=(UNIT,)), "unknown", "ok"),
    ],
)
def test_the_model_is_derived_in_the_stated_order(broker, reading, service, withdrawal):
    assert broker is not None
    found = model(reading, source="simulator", stale_after_s=60)
    assert (found["service"], found["cash"]["withdrawal"]) == (service, withdrawal)


# Thermometer


def test_a_warm_fridge_is_told_after_three_readings_and_again_when_it_is_cold(hub, villages):
    village = villages.start("fridge-1")
    eventually(lambda: hub.value("fridge-1", "probe", "temperature"))
    assert 3_000 < hub.value("fridge-1", "probe", "temperature") < 7_000
    assert hub.value("fridge-1", "probe", "limits") == {"low": 0, "high": 8000}
    village.control("fridge-1", "temperature", {"milli": 12_000})
    eventually(lambda: hub.types("fridge-1") == ["limit-exceeded"])
    village.control("fridge-1", "temperature", {"milli": 4_000})
    eventually(lambda: hub.types("fridge-1") == ["limit-exceeded", "back-to-normal"])


def test_a_silent_probe_is_unknown_not_cold(hub, villages):
    village = villages.start("fridge-1")
    eventually(lambda: hub.value("fridge-1", "probe", "temperature"))
    village.control("fridge-1", "silent", {"on": True})
    eventually(lambda: hub.value("fridge-1", "probe", "temperature") is None)
    eventually(lambda: alerts(hub, "fridge-1", "probe") == "no answer")
    village.control("fridge-1", "silent", {"on": False})
    eventually(lambda: alerts(hub, "fridge-1", "probe") == "")


# Printer


def test_a_slip_is_printed_into_the_folder(hub, villages):
    village = villages.start("printer")
    slip = {"title": "Abholschein", "lines": ["Fach 3", "Größe M"], "qr": "HTTPS://HUB/P#abc"}
    result = hub.result(hub.order("printer", "printer", "print", document=slip).id)
    assert verdict(result) == (ResultState.DONE, "", 1)
    assert village.control("printer", "look", {}) == ["00001-abholschein.txt"]
    text = (villages.folder / "slips" / "00001-abholschein.txt").read_text(encoding="utf-8")
    assert text == "Abholschein\nFach 3\nGröße M\n[QR] HTTPS://HUB/P#abc\n"


def test_a_printer_without_paper_says_so(hub, villages):
    village = villages.start("printer")
    village.control("printer", "paper", {"state": "paper-out"})
    result = hub.result(hub.order("printer", "printer", "print", document={"title": "x"}).id)
    assert verdict(result) == (ResultState.FAILED, "paper_out", 1)
    eventually(lambda: hub.value("printer", "printer", "state") == "paper-out")


@pytest.mark.parametrize("document", [None, "text", {"title": 5}, {"html": "<b>"}, {"lines": [1]}, {"title": "x" * 61}])
def test_a_malformed_slip_is_refused(hub, villages, document):
    village = villages.start("printer")
    result = hub.result(hub.order("printer", "printer", "print", document=document).id)
    assert result.code == "bad_arguments"
    assert village.control("printer", "look", {}) == []


# Scanner


def test_a_scanned_code_becomes_an_event_for_its_kiosk(hub, villages):
    village = villages.start("scanner")
    eventually(lambda: village.control("scanner", "look", {})["connected"])
    eventually(lambda: hub.payloads(topics.description_topic(SITE, "scanner")))
    assert Description.decode(hub.payloads(topics.description_topic(SITE, "scanner"))[-1]).kiosk == "kiosk-1"
    village.control("scanner", "scan", {"data": "4006381333931", "prefix": "]E0"})
    village.control("scanner", "scan", {"data": "HTTPS://HUB/P#abc"})
    eventually(lambda: len(hub.events("scanner")) == 2)
    assert [event.data for event in hub.events("scanner")] == [
        {"symbology": "ean", "data": "4006381333931"},
        {"symbology": "", "data": "HTTPS://HUB/P#abc"},
    ]


def test_an_unplugged_scanner_is_told_and_comes_back(hub, villages):
    village = villages.start("scanner")
    eventually(lambda: village.control("scanner", "look", {})["connected"])
    village.control("scanner", "unplug", {})
    eventually(lambda: alerts(hub, "scanner", "scanner") == "not connected")
    eventually(lambda: alerts(hub, "scanner", "scanner") == "")
    eventually(lambda: village.control("scanner", "look", {})["connected"])
    village.control("scanner", "scan", {"data": "123"})
    eventually(lambda: hub.types("scanner") == ["scanned"])


def test_codes_are_collected_from_pieces(broker):
    assert broker is not None
    reader = CodeReader()
    assert reader.feed(b"]E04006") == []
    assert reader.feed(b"381333931\r\n]Q3HTTPS://X\r") == [Code("ean", "4006381333931"), Code("qr", "HTTPS://X")]
    assert reader.feed(b"\n\r \r") == []
    assert reader.feed(b"\xff\xfe\r") == [Code("", "\ufffd\ufffd")]
    long = reader.feed(b"9" * 10_000 + b"\r123\r")
    assert [(len(code.data), code.is_cut) for code in long] == [(LONGEST, True), (3, False)]


def test_a_scanner_on_a_serial_port_is_read_raw(broker):
    assert broker is not None
    master, slave = pty.openpty()
    scanner = TtyScanner(os.ttyname(slave))
    scanner.open()
    os.write(master, b"4006381333931\r")
    assert CodeReader().feed(scanner.read()) == [Code("", "4006381333931")]
    scanner.close()
    os.close(master)
    os.close(slave)
    with pytest.raises(OSError):  # noqa: PT011 - any failure of the port counts
        scanner.read()
    assert issubclass(NoAnswerError, Exception)
