"""Machines that tell or print and move nothing: cash machine, thermometer, printer, scanner."""

import os
import pty

import pytest

from devices.agent.device import NoAnswerError
from devices.atm.driver import AtmReading, CashUnit
from devices.atm.status import model
from devices.protocol import topics
from devices.protocol.description import Description
from devices.protocol.messages import ResultState
from devices.scanner.codes import LONGEST, Code, CodeReader
from devices.scanner.driver_tty import TtyScanner
from tests.devices.kit import SITE, alerts, eventually, verdict

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)


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
