"""Parcel stations over real brokers: what their doors do and what they say of it."""

import pytest

from devices.protocol import topics
from devices.protocol.description import Description
from devices.protocol.messages import ResultState
from tests.devices.kit import SITE, alerts, eventually, verdict

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)


BOX = "box-03"


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
