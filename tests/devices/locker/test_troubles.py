"""Troubles of a whole station over the contract: what is told, what is raised and cleared, what is not claimed."""

import pytest

from devices.locker import doors
from devices.protocol import topics
from devices.protocol.messages import ResultState
from tests.devices.kit import SITE, eventually

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)
STATION, BOX = "station", "box-03"
QUICK = {"open_within_s": 1.0}


def alert(hub, name):
    found = hub.payloads(topics.alert_topic(SITE, STATION, name))
    return found[-1].decode() if found else ""


def told(hub):
    return [(event.node, event.type) for event in hub.events(STATION)]


def open_box(hub, node=BOX):
    return hub.result(hub.order(STATION, node, "open").id)


def closed(hub):
    eventually(lambda: hub.value(STATION, BOX, "door") == "closed")


def test_a_door_left_open_is_told_once_and_cleared_when_it_is_shut(hub, villages, monkeypatch):
    monkeypatch.setattr(doors, "LEFT_OPEN_MS", 200)
    village = villages.start(STATION, station=QUICK)
    open_box(hub)
    eventually(lambda: "more than a minute" in alert(hub, f"left-open-{BOX}"))
    village.control(STATION, "close_door", {"node": BOX})
    eventually(lambda: alert(hub, f"left-open-{BOX}") == "" and "closed" in hub.types(STATION))
    assert hub.types(STATION) == ["opened", "left-open", "closed"]


def test_a_jam_stays_raised_until_the_door_opens(hub, villages):
    village = villages.start(STATION, station=QUICK)
    village.control(STATION, "fault", {"node": BOX, "name": "jam"})
    assert open_box(hub).code == "jam"
    eventually(lambda: "did not open" in alert(hub, f"jam-{BOX}"))
    village.control(STATION, "repair", {"node": BOX})
    open_box(hub)
    eventually(lambda: alert(hub, f"jam-{BOX}") == "")


def test_goods_that_go_through_a_closed_door_unmask_a_stuck_contact(hub, villages, monkeypatch):
    monkeypatch.setattr(doors, "STEADY_MS", 150)
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "fault", {"node": BOX, "name": "sensor_stuck"})
    assert open_box(hub).code == "jam"
    village.control(STATION, "put_parcel", {"node": BOX})
    eventually(lambda: (BOX, "sensor-stuck") in told(hub))
    eventually(lambda: "said closed" in alert(hub, f"sensor-{BOX}"))
    assert hub.events(STATION)[-1].data == {"occupied": True}


def test_a_silent_board_is_raised_and_cleared(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "board", {"board": "board-1", "dead": True})
    eventually(lambda: "does not answer" in alert(hub, "lost-board-1"))
    eventually(lambda: hub.value(STATION, BOX, "door") == "unknown")
    village.control(STATION, "board", {"board": "board-1", "dead": False})
    eventually(lambda: alert(hub, "lost-board-1") == "" and hub.value(STATION, "board-1", "state") == "ok")
    closed(hub)
    assert told(hub) == [("board-1", "board-lost")]


def test_noise_is_a_lost_board_and_no_door_is_claimed(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "board_fault", {"board": "board-1", "name": "garbage"})
    eventually(lambda: hub.value(STATION, BOX, "door") == "unknown")
    village.control(STATION, "repair_board", {"board": "board-1"})
    closed(hub)


def test_answers_that_come_late_are_no_answers_and_move_no_door(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "board_fault", {"board": "board-1", "name": "late", "value": 400})
    eventually(lambda: hub.value(STATION, BOX, "door") == "unknown")
    village.control(STATION, "repair_board", {"board": "board-1"})
    closed(hub)
    assert told(hub) == [("board-1", "board-lost")]


def test_two_boards_at_one_address_are_lost_as_soon_as_they_differ(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "board_fault", {"board": "board-2", "name": "twin", "value": "board-1"})
    eventually(lambda: hub.value(STATION, "board-2", "state") == "lost")
    village.control(STATION, "open_door", {"node": BOX})
    eventually(lambda: hub.value(STATION, BOX, "door") in ("open", "unknown"))
    eventually(lambda: hub.value(STATION, "board-1", "state") == "lost")


def test_a_board_that_restarts_in_the_middle_of_a_pulse_is_settled_by_the_sensor(hub, villages):
    village = villages.start(STATION)
    closed(hub)
    village.control(STATION, "fault", {"node": BOX, "name": "brownout"})
    result = open_box(hub)
    assert (result.state, result.data) == (ResultState.DONE, {"answered": False})
    assert village.twin(STATION).pulses == [BOX]
    village.control(STATION, "repair", {"node": BOX})
    assert (BOX, "opened") in told(hub)


def test_a_board_that_never_comes_back_after_a_pulse_is_a_matter_of_power(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "fault", {"node": BOX, "name": "brownout"})
    command = hub.order(STATION, BOX, "open")
    eventually(lambda: village.twin(STATION).pulses)
    village.control(STATION, "board", {"board": "board-1", "dead": True})
    assert (hub.result(command.id).state, hub.result(command.id).code) == (ResultState.UNKNOWN, "no_answer")
    eventually(lambda: "power supply" in alert(hub, "power-board-1"))
    village.control(STATION, "repair_board", {"board": "board-1"})
    village.control(STATION, "repair", {"node": BOX})
    eventually(lambda: (BOX, "opened") in told(hub))
    assert [event.cause for event in hub.events(STATION) if event.node == BOX] == [command.id]
    assert open_box(hub, "box-04").state is ResultState.DONE
    eventually(lambda: alert(hub, "power-board-1") == "")


def test_a_door_opened_behind_a_silent_board_was_forced(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "board", {"board": "board-1", "dead": True})
    eventually(lambda: hub.value(STATION, BOX, "door") == "unknown")
    village.control(STATION, "open_door", {"node": BOX})
    village.control(STATION, "board", {"board": "board-1", "dead": False})
    eventually(lambda: (BOX, "forced") in told(hub))


def test_an_alert_of_the_last_run_is_cleared_by_the_next(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "board", {"board": "board-1", "dead": True})
    eventually(lambda: alert(hub, "lost-board-1"))
    village.control(STATION, "switch_off", {})
    village.control(STATION, "board", {"board": "board-1", "dead": False})
    village.control(STATION, "switch_on", {})
    eventually(lambda: alert(hub, "lost-board-1") == "")


def test_two_commands_at_once_are_two_pulses_one_after_the_other(hub, villages):
    village = villages.start(STATION, station=QUICK | {"pulse_s": 0.15})
    closed(hub)
    nodes = ["box-01", "box-09", "box-17", "box-02"]
    hub.wait_lease(STATION)
    orders = [hub.order(STATION, node, "open") for node in nodes]
    assert {hub.result(order.id).state for order in orders} == {ResultState.DONE}
    assert sorted(village.twin(STATION).pulses) == sorted(nodes)
    assert village.twin(STATION).overlaps == 0


def test_a_cable_that_is_pulled_and_plugged_in(hub, villages):
    village = villages.start(STATION, station=QUICK)
    closed(hub)
    village.control(STATION, "unplug", {})
    eventually(lambda: hub.value(STATION, BOX, "door") == "unknown")
    closed(hub)
    assert open_box(hub).state is ResultState.DONE
