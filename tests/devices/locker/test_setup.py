"""Setting a station up over the contract: find boards, open each door once, write the door map."""

import pytest

from devices.protocol import topics
from devices.protocol.description import Description
from devices.protocol.messages import ResultState
from tests.devices.kit import SITE, eventually

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)
STATION, NODE, BOX = "station", "setup", "box-03"


@pytest.fixture
def small(villages):
    """Four doors on two boards, built in another order than the door map of the configuration says."""
    boxes = [{"node": f"box-{n:02d}", "board": f"board-{(n - 1) // 2 + 1}"} for n in range(1, 5)]
    return villages.start(STATION, station={"compartments": boxes, "answer_s": 0.1, "open_within_s": 1.0})


def step(hub, op, **args):
    return hub.result(hub.order(STATION, NODE, op, **args).id)


def outcome(result):
    return result.state, result.code, result.tries


def alert(hub, name):
    found = hub.payloads(topics.alert_topic(SITE, STATION, name))
    return found[-1].decode() if found else ""


def describe(hub):
    return Description.decode(hub.payloads(topics.description_topic(SITE, STATION))[-1])


def test_no_lock_is_fired_by_its_wire_unless_the_station_is_being_set_up(hub, small):
    assert outcome(step(hub, "test", board="board-1", channel=1)) == (ResultState.REJECTED, "stopped", 0)
    assert outcome(step(hub, "map", revision=2, doors={"board-1": [1]})) == (ResultState.REJECTED, "stopped", 0)
    assert step(hub, "scan").state is ResultState.DONE
    assert step(hub, "end").state is ResultState.DONE
    assert step(hub, "test", board="board-1", channel=1).code == "stopped"
    assert small.twin(STATION).pulses == []


def test_a_scan_names_the_boards_and_keeps_the_compartments_shut(hub, small):
    result = step(hub, "scan")
    assert result.data == {
        "boards": [
            {"board": "board-1", "channels": 16, "finding": "ok"},
            {"board": "board-2", "channels": 16, "finding": "ok"},
        ]
    }
    eventually(lambda: hub.value(STATION, NODE, "mode") is True)
    assert outcome(hub.result(hub.order(STATION, BOX, "open").id)) == (ResultState.REJECTED, "busy", 0)
    step(hub, "end")
    eventually(lambda: hub.value(STATION, NODE, "mode") is False)
    assert hub.result(hub.order(STATION, BOX, "open").id).state is ResultState.DONE
    assert small.twin(STATION).pulses == [BOX]


def test_a_test_fires_one_lock_and_tells_which_door_the_contacts_saw(hub, small):
    step(hub, "scan")
    result = step(hub, "test", board="board-2", channel=1)
    assert outcome(result) == (ResultState.DONE, "", 1)
    assert result.data == {"opened": [["board-2", 1]], "answered": True}
    assert small.twin(STATION).pulses == [BOX]
    assert outcome(step(hub, "test", board="board-2", channel=1)) == (ResultState.FAILED, "door_open", 0)
    eventually(lambda: hub.types(STATION, BOX) == ["opened"])


def test_a_door_that_stays_shut_and_a_channel_without_a_door(hub, small):
    step(hub, "scan")
    small.control(STATION, "fault", {"node": BOX, "name": "jam"})
    assert outcome(step(hub, "test", board="board-2", channel=1)) == (ResultState.FAILED, "not_opened", 1)
    assert step(hub, "test", board="board-2", channel=9).code == "door_open"
    assert step(hub, "test", board="board-2", channel=17).code == "not_found"
    assert step(hub, "test", board="board-3", channel=1).code == "not_found"
    assert step(hub, "test", board="door-1", channel=1).code == "not_found"
    assert step(hub, "test", board="board-2").code == "bad_arguments"
    assert step(hub, "explode").code == "not_found"
    assert small.twin(STATION).pulses == [BOX]


def test_two_doors_stop_the_tests_until_the_boards_were_looked_for_again(hub, small):
    step(hub, "scan")
    small.control(STATION, "fault", {"node": BOX, "name": "double", "value": "box-01"})
    result = step(hub, "test", board="board-2", channel=1)
    assert (result.code, sorted(result.data["opened"])) == ("two_doors", [["board-1", 1], ["board-2", 1]])
    assert step(hub, "test", board="board-1", channel=2).code == "stopped"
    assert step(hub, "map", revision=5, doors={"board-1": [1]}).code == "stopped"
    eventually(lambda: "opened together" in alert(hub, "two-doors"))
    small.control(STATION, "repair", {"node": BOX})
    step(hub, "scan")
    assert step(hub, "test", board="board-1", channel=2).state is ResultState.DONE


def test_what_only_a_person_saw_stops_the_station_too(hub, small):
    step(hub, "scan")
    assert step(hub, "halt", board="board-1", channel=1).state is ResultState.DONE
    assert step(hub, "test", board="board-1", channel=1).code == "stopped"
    step(hub, "end")
    assert hub.result(hub.order(STATION, BOX, "open").id).code == "stopped"
    assert small.twin(STATION).pulses == []


def test_two_boards_at_one_address_are_found_and_never_fired(hub, small):
    for node in ("box-01", "box-04"):
        small.control(STATION, "open_door", {"node": node})
    small.control(STATION, "board_fault", {"board": "board-2", "name": "twin", "value": "board-1"})
    assert step(hub, "scan").data["boards"] == [{"board": "board-1", "channels": 16, "finding": "garbled"}]
    assert step(hub, "test", board="board-1", channel=2).code == "stopped"
    assert step(hub, "map", revision=2, doors={"board-1": [1]}).code == "stopped"
    eventually(lambda: "two boards at the address of board-1" in alert(hub, "two-doors"))
    step(hub, "end")
    assert hub.result(hub.order(STATION, BOX, "open").id).code == "stopped"
    assert small.twin(STATION).pulses == []
    small.control(STATION, "repair_board", {"board": "board-2"})
    step(hub, "scan")
    assert step(hub, "map", revision=2, doors={"board-1": [1, 2], "board-2": [3, 4]}).state is ResultState.DONE
    eventually(lambda: alert(hub, "two-doors") == "")


def test_a_new_map_counts_at_once_and_after_a_restart(hub, small):
    step(hub, "scan")
    result = step(hub, "map", revision=7, doors={"board-1": [4, 3], "board-2": [0, 1]})
    assert outcome(result) == (ResultState.DONE, "", 0)
    eventually(lambda: describe(hub).map == 7)
    assert sorted(node for node in describe(hub).nodes if node.startswith("box")) == ["box-01", "box-03", "box-04"]
    eventually(lambda: hub.value(STATION, NODE, "map") == 7)
    for restarts in (False, True):
        if restarts:
            small.control(STATION, "switch_off", {})
            hub.leases.clear()
            small.control(STATION, "switch_on", {})
        hub.wait_lease(STATION)
        old = hub.send(STATION, BOX, hub.command(STATION, "open"))
        assert outcome(hub.result(old.id)) == (ResultState.REJECTED, "map_changed", 0)
        new = hub.send(STATION, BOX, hub.command(STATION, "open", map=7))
        assert hub.result(new.id).state is ResultState.DONE
        small.control(STATION, "close_door", {"node": "box-02"})
        eventually(lambda n=restarts: hub.types(STATION, BOX).count("closed") == n + 1)
    assert small.twin(STATION).pulses == ["box-02", "box-02"]
    assert hub.payloads(topics.property_topic(SITE, STATION, "box-02", "door"))[-1] == b""
    hub.seen[:] = [message for message in hub.seen if "/box-02/" not in message.topic]  # it was described before


def test_a_map_that_cannot_be_is_refused_and_changes_nothing(hub, small):
    step(hub, "scan")
    for doors in (
        {"board-1": [1, 1]},
        {"board-99": [1]},
        {"x": [1]},
        {"board-1": [1], "board-01": [2]},
        {"board-1": [-1]},
        {"board-1": list(range(1, 18))},
    ):
        assert outcome(step(hub, "map", revision=7, doors=doors)) == (ResultState.FAILED, "bad_arguments", 0)
    assert describe(hub).map == 0
    assert small.twin(STATION).pulses == []


def test_setting_up_ends_with_a_restart(hub, small):
    step(hub, "scan")
    small.control(STATION, "switch_off", {})
    hub.leases.clear()
    small.control(STATION, "switch_on", {})
    assert step(hub, "test", board="board-1", channel=1).code == "stopped"


def test_a_wrong_map_at_the_hub_does_not_keep_a_technician_from_mending_it(hub, small):
    assert small
    hub.wait_lease(STATION)
    sent = hub.send(STATION, NODE, hub.command(STATION, "scan", map=99))
    assert hub.result(sent.id).state is ResultState.DONE
