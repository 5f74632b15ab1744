"""Sources of a cash machine's state: XFS4IoT over WebSocket and an operator's HTTP address, each against its twin.

The WebSocket twin takes frames apart by hand and writes literal JSON: it shares no codec with the driver.
"""

import socket
import time
from dataclasses import replace

import pytest

from devices.agent.device import NoAnswerError
from devices.atm import status
from devices.atm.driver import AtmReading, CashUnit
from devices.atm.driver_http import HttpConfig, HttpSource
from devices.atm.driver_xfs4iot import Xfs4IotConfig, Xfs4IotSource
from devices.protocol.limits import MAX_PAYLOAD_BYTES
from devices.protocol.messages import PropertyValue
from devices.simulators.atm import SimulatedAtm
from devices.simulators.operator_api import OperatorApi
from devices.simulators.world import ControlError
from devices.simulators.xfs4iot import Xfs4IotService

SOON = {"timeout_s": 0.5}


@pytest.fixture
def machine():
    return SimulatedAtm()


@pytest.fixture
def service(machine):
    made = Xfs4IotService(machine)
    yield made
    made.close()


@pytest.fixture
def xfs(service):
    source = Xfs4IotSource(Xfs4IotConfig(service.url, **SOON))
    yield source
    source.close()


@pytest.fixture
def api(machine):
    made = OperatorApi(machine, token="geheim")
    yield made
    made.close()


@pytest.fixture
def http(api, tmp_path):
    token = tmp_path / "token"
    token.write_text("geheim\n")
    return HttpSource(HttpConfig(api.url, token_file=str(token), **SOON))


def model(reading):
    return status.model(reading, source="test", stale_after_s=60)


@pytest.mark.parametrize("letter", ["é", "\U0001f4b6", "\x01", '"'])
def test_a_model_fits_into_a_message_whatever_the_operator_writes(letter):
    unit = CashUnit(id=letter * 40, currency="EUR", denomination_bucket=letter * 40, replenishment="ok")
    empty = replace(unit, replenishment="empty")
    reading = AtmReading("online", reason=letter * 200, units=(*[unit] * 19, empty))
    found = model(reading)
    assert found["cash"]["withdrawal"] == "low"
    assert found["units"]
    value = found | {"since": 10**13, "observed_at": 10**13}
    message = PropertyValue(epoch="0123456789abcdef", boot=10**6, seq=10**9, value=value, at_ms=10**13)
    assert len(message.encode()) <= MAX_PAYLOAD_BYTES


def test_all_units_of_an_ordinary_machine_are_told():
    unit = CashUnit(id="cassette-1", currency="EUR", denomination_bucket="small", replenishment="ok")
    assert len(model(AtmReading("online", units=(unit,) * 20))["units"]) == 20


def public(reading):
    found = model(reading)
    return found["service"], found["cash"]["withdrawal"]


def test_a_reading_by_xfs4iot_is_the_machine_s_state(machine, xfs, service):
    found = xfs.read()
    assert found == replace(machine.reading, units=found.units)
    assert [unit.id for unit in found.units] == ["cassette-1", "cassette-2", "reject"]
    assert [unit.is_dispensable for unit in found.units] == [True, True, False]
    assert service.asked == ["Common.Status", "Storage.GetStorage"]


def test_a_machine_out_of_order_says_why_in_the_standard_s_words(machine, xfs):
    assert xfs.read().reason == ""
    machine.device("hardwareError")
    machine.dispenser("stop")
    assert xfs.read().reason == "hardwareError, dispenser stop"


def test_no_count_leaves_the_driver(xfs):
    assert "1713" not in repr(xfs.read())
    assert "1713" not in repr(model(xfs.read()))


@pytest.mark.parametrize("source", ["xfs", "http"])
@pytest.mark.parametrize(
    ("verb", "arguments", "expected"),
    [
        ("level", {"unit": "cassette-1", "level": "low"}, ("inService", "low")),
        ("device", {"status": "hardwareError"}, ("outOfService", "ok")),
        ("device", {"status": "fraudAttempt"}, ("outOfService", "ok")),
        ("maintenance", {"on": True}, ("supervisor", "ok")),
        ("dispenser", {"status": "stop"}, ("outOfService", "inoperative")),
        ("dispenser", {"status": "unknown"}, ("inService", "unknown")),
    ],
)
def test_each_source_tells_the_same_of_the_same_machine(request, source, verb, arguments, expected):
    found = request.getfixturevalue(source)
    request.getfixturevalue("machine").verbs()[verb](**arguments)
    assert public(found.read()) == expected


def test_the_connection_is_kept_and_made_anew_when_it_broke(machine, xfs, service):
    xfs.read()
    service.break_service("hang-up")
    with pytest.raises(NoAnswerError):
        xfs.read()
    service.break_service()
    machine.level("cassette-1", "empty")
    assert public(xfs.read()) == ("inService", "low")


def test_events_and_answers_to_others_are_passed_over(machine, xfs, service):
    service.break_service("events")
    assert xfs.read().device == machine.reading.device == "online"


@pytest.mark.parametrize("fault", ["mute", "garbage", "refuse", "hang-up", "foreign", "huge", "redirect"])
def test_a_service_that_misbehaves_is_no_answer(xfs, service, fault):
    service.break_service(fault)
    began = time.monotonic()
    with pytest.raises(NoAnswerError):
        xfs.read()
    assert time.monotonic() - began < 10
    service.break_service()
    assert xfs.read().device == "online"


def test_a_service_that_points_elsewhere_is_not_followed(xfs, service):
    other = Xfs4IotService(SimulatedAtm())
    service.elsewhere = other.url
    service.break_service("redirect")
    with pytest.raises(NoAnswerError):
        xfs.read()
    other.close()
    assert other.asked == []


def test_a_service_that_is_gone_is_no_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoAnswerError):
        Xfs4IotSource(Xfs4IotConfig(f"ws://127.0.0.1:{port}/xfs4iot/v1.0/X", **SOON)).read()


def test_a_vendor_mode_service_of_its_own_counts(machine, service):
    other = SimulatedAtm()
    other.maintenance(on=True)
    vendor = Xfs4IotService(other)
    source = Xfs4IotSource(Xfs4IotConfig(service.url, vendor_mode_url=vendor.url, **SOON))
    assert (machine.reading.vendor_mode, source.read().vendor_mode) == ("inactive", "active")
    source.close()
    vendor.close()


@pytest.mark.parametrize(
    ("word", "known"), [("cashUnitStop", "stop"), ("cashUnitState", "attention"), ("x", "unknown")]
)
def test_words_of_the_first_edition_are_understood(machine, xfs, word, known):
    machine.reading = replace(machine.reading, dispenser=word)
    assert xfs.read().dispenser == known


def test_a_unit_without_a_word_about_itself_is_never_taken_for_full(machine, xfs):
    machine.reading = AtmReading(device="online", dispenser="attention", units=(CashUnit("1", "EUR", "small", None),))
    found = xfs.read()
    assert found.units == ()
    assert public(found) == ("inService", "unknown")


def test_no_such_fault():
    for twin in (Xfs4IotService, OperatorApi):
        made = twin(SimulatedAtm())
        with pytest.raises(ControlError):
            made.verbs()["fault"]("rain")
        assert made.look()["fault"] == ""
        made.close()


def test_a_reading_by_http_is_the_machine_s_state(machine, http):
    assert http.read() == machine.reading


@pytest.mark.parametrize(
    "fault", ["error", "redirect", "drip", "huge", "old", "future", "extra", "wrong-word", "no-json", "text"]
)
def test_an_http_answer_that_is_not_exactly_right_is_no_answer(http, api, fault):
    api.break_service(fault)
    began = time.monotonic()
    with pytest.raises(NoAnswerError):
        http.read()
    assert time.monotonic() - began < 10
    assert api.hits == ["/atm/1"]


def test_without_its_token_the_operator_tells_nothing(api):
    with pytest.raises(NoAnswerError):
        HttpSource(HttpConfig(api.url, **SOON)).read()


@pytest.mark.parametrize("url", ["http://atm.example.org/", "ftp://x/", "https://", "file:///etc/passwd", "x"])
def test_an_address_without_tls_is_refused(url):
    with pytest.raises(ValueError, match="https"):
        HttpSource(HttpConfig(url))
