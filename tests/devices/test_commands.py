"""The contract for commands over both brokers: at most once, never late, one final verdict for each id."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from devices.protocol import ids, mac, topics
from devices.protocol.messages import Command, Query, ResultState
from tests.devices.kit import KEY, SITE, config, eventually, pulses, verdict

BOX = "box-03"


def test_a_command_is_accepted_done_and_seen_by_the_sensor(hub, villages):
    village = villages.start("station")
    command = hub.order("station", BOX, "open")
    assert verdict(hub.result(command.id)) == (ResultState.DONE, "", 1)
    assert hub.accepts("station", BOX, command.id) == 1
    village.control("station", "put_parcel", {"node": BOX})
    village.control("station", "close_door", {"node": BOX})
    eventually(lambda: hub.types("station") == ["opened", "closed"])
    opened, closed = hub.events("station")
    assert opened.cause == closed.cause == command.id
    assert closed.data["occupied"] is True
    assert (hub.value("station", BOX, "door"), hub.value("station", BOX, "occupied")) == ("closed", True)
    assert pulses(village) == [BOX]


def test_the_same_bytes_again_get_the_stored_answer_and_no_second_pulse(hub, villages):
    village = villages.start("station")
    command = hub.order("station", BOX, "open")
    first = hub.result(command.id)
    village.control("station", "close_door", {"node": BOX})
    eventually(lambda: "closed" in hub.types("station"))
    hub.send("station", BOX, command)
    eventually(lambda: len(hub.results(command.id)) == 2)
    assert hub.results(command.id) == [first, first]
    assert pulses(village) == [BOX]


def test_a_repeat_while_executing_is_accepted_again_and_acts_once(hub, villages):
    village = villages.start("station", station={"pulse_s": 0.4})
    hub.wait_lease("station")
    command = hub.command("station", "open")
    for _ in range(3):
        hub.send("station", BOX, command)
    assert hub.result(command.id).state is ResultState.DONE
    assert hub.accepts("station", BOX, command.id) == 3
    assert pulses(village) == [BOX]


def test_a_restart_remembers_the_verdict(hub, villages):
    village = villages.start("station")
    command = hub.order("station", BOX, "open")
    first = hub.result(command.id)
    village.control("station", "close_door", {"node": BOX})
    villages.stop(village)
    hub.leases.clear()
    again = villages.start("station")
    hub.wait_lease("station")
    hub.send("station", BOX, command)
    eventually(lambda: hub.results(command.id).count(first) >= 2)
    assert set(map(verdict, hub.results(command.id))) == {verdict(first)}
    assert pulses(again) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lease": "made-up"}, "stale_lease"),
        ({"map": 18}, "map_changed"),
        ({"op": "shut"}, "not_found"),
        ({"args": {"force": True}}, "bad_arguments"),
    ],
)
def test_what_does_not_fit_is_rejected_for_good(hub, villages, changes, code):
    village = villages.start("station")
    hub.wait_lease("station")
    command = hub.command("station", "open", **changes)
    hub.send("station", BOX, command)
    assert verdict(hub.result(command.id)) == (ResultState.REJECTED, code, 0)
    hub.send("station", BOX, command.model_copy(update={"lease": hub.leases["station"].lease, "map": 0}))
    eventually(lambda: len(hub.results(command.id)) == 2)
    assert hub.results(command.id)[1].code == code
    assert pulses(village) == []


def test_a_lease_is_stale_after_four_seconds(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    old = hub.leases["station"].lease
    command = hub.command("station", "open")
    eventually(lambda: hub.leases["station"].lease != old)
    newer = hub.leases["station"].lease
    hub.send("station", BOX, command)  # the previous lease is still good
    assert hub.result(command.id).state is ResultState.DONE
    late = hub.command("station", "open", lease=old)
    eventually(lambda: hub.leases["station"].lease not in (old, newer))
    hub.send("station", "box-04", late)
    assert verdict(hub.result(late.id)) == (ResultState.REJECTED, "stale_lease", 0)
    assert not hub.result(late.id).accepted
    assert pulses(village) == [BOX]


def test_a_command_that_waited_too_long_for_its_pulse_moves_nothing(hub, villages):
    village = villages.start("station", station={"pulse_s": 1.0})
    first = hub.order("station", BOX, "open")
    eventually(lambda: hub.accepts("station", BOX, first.id))
    second = hub.command("station", "open", ttl_ms=200)
    hub.send("station", "box-04", second)
    assert verdict(hub.result(second.id)) == (ResultState.REJECTED, "expired", 0)
    assert hub.result(second.id).accepted
    assert hub.accepts("station", "box-04", second.id) == 1
    assert hub.result(first.id).state is ResultState.DONE
    assert pulses(village) == [BOX]


def test_a_lower_generation_is_refused_and_a_higher_one_remembered_over_a_restart(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    newer = hub.command("station", "open", gen=5)
    hub.send("station", BOX, newer)
    assert hub.result(newer.id).state is ResultState.DONE
    older = hub.command("station", "open", gen=4)
    hub.send("station", "box-04", older)
    assert hub.result(older.id).code == "old_generation"
    villages.stop(village)
    hub.leases.clear()
    again = villages.start("station")
    hub.wait_lease("station")
    later = hub.command("station", "open", gen=4)
    hub.send("station", "box-04", later)
    assert hub.result(later.id).code == "old_generation"
    assert pulses(again) == []


def test_a_forged_command_is_refused_with_an_alert_and_spoils_no_verdict(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    forged = hub.command("station", "open")
    hub.send("station", BOX, forged, key="00" * 32)
    assert verdict(hub.result(forged.id)) == (ResultState.REJECTED, "bad_mac", 0)
    alert = topics.alert_topic(SITE, "station", "refused-command")
    eventually(lambda: hub.payloads(alert) == [f"{BOX}: bad_mac".encode()])
    good = hub.order("station", "box-04", "open")
    first = hub.result(good.id)
    hub.send("station", "box-04", good, key="00" * 32)
    marker = hub.order("station", "box-05", "open")
    hub.result(marker.id)
    assert hub.results(good.id) == [first]
    assert pulses(village) == ["box-04", "box-05"]


def test_a_command_signed_for_another_door_is_refused(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    command = hub.command("station", "open")
    signed = mac.sign(bytes.fromhex(KEY), topics.command_set_topic(SITE, "station", BOX), command)
    hub.bus.publish(topics.command_set_topic(SITE, "station", "box-04"), signed)
    assert hub.result(command.id).code == "bad_mac"
    assert pulses(village) == []


def test_a_retained_command_moves_nothing(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    command = hub.command("station", "open")
    village.agent("station").cut()
    hub.send("station", BOX, command, retain=True)
    code = hub.result(command.id).code
    assert code in ("retained", "stale_lease")  # the station may come back before the broker has it
    assert pulses(village) == []
    hub.bus.publish(topics.command_set_topic(SITE, "station", BOX), b"", retain=True)


@pytest.mark.parametrize(
    "payload",
    [b"", b"open", b"[]", b"null", b'{"id":5}', b"\xff\xfe", b"[" * 3000, b"{}" * 3000, b'{"id":"' + b"0" * 26 + b'"}'],
)
def test_garbage_moves_nothing_and_the_station_goes_on(hub, villages, payload):
    village = villages.start("station")
    hub.wait_lease("station")
    for topic in ("box-03/command/set", "log/query/set", "log/ack/set", "no-such/command/set"):
        hub.bus.publish(f"{SITE}/5/station/{topic}", payload)
    hub.bus.publish(f"{SITE}/5/hub/clock/now", payload)
    command = hub.order("station", BOX, "open")
    assert hub.result(command.id).state is ResultState.DONE
    assert pulses(village) == [BOX]


def test_a_readable_id_in_a_malformed_command_gets_a_final_refusal(hub, villages):
    villages.start("station")
    hub.wait_lease("station")
    command = hub.command("station", "open")
    topic = topics.command_set_topic(SITE, "station", BOX)
    fields = json.loads(mac.sign(bytes.fromhex(KEY), topic, command).encode())
    hub.bus.publish(topic, json.dumps(fields | {"force": True}))
    assert hub.result(command.id).code == "malformed"
    hub.send("station", BOX, command)
    eventually(lambda: len(hub.results(command.id)) == 2)
    assert hub.results(command.id)[1].code == "malformed"


def test_one_command_per_node_and_one_pulse_per_station(hub, villages):
    village = villages.start("station", station={"pulse_s": 0.3})
    hub.wait_lease("station")
    orders = {node: hub.send("station", node, hub.command("station", "open")) for node in ("box-01", "box-02")}
    rival = hub.send("station", "box-01", hub.command("station", "open"))
    assert verdict(hub.result(rival.id)) == (ResultState.REJECTED, "busy", 0)
    results = [hub.result(order.id) for order in orders.values()]
    assert [result.state for result in results] == [ResultState.DONE] * 2
    assert sorted(pulses(village)) == ["box-01", "box-02"]


def test_an_unknown_node_is_not_found(hub, villages):
    villages.start("station")
    command = hub.order("station", "box-99", "open")
    assert hub.result(command.id).code == "not_found"


# Asking and forgetting


def test_a_known_id_is_answered_and_an_unknown_one_can_never_act_afterwards(hub, villages):
    village = villages.start("station")
    known = hub.order("station", BOX, "open")
    first = hub.result(known.id)
    hub.query("station", Query(id=known.id))
    eventually(lambda: hub.results(known.id) == [first, first])
    late = hub.command("station", "open")
    hub.query("station", Query(id=late.id, node="box-04"))
    assert verdict(hub.result(late.id)) == (ResultState.REJECTED, "unknown_id", 0)
    hub.send("station", "box-04", late)
    eventually(lambda: len(hub.results(late.id)) == 2)
    assert hub.results(late.id)[1].code == "unknown_id"
    assert pulses(village) == [BOX]


# Links and crashes


def test_a_command_sent_while_the_link_is_cut_never_comes_late(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    commands = []
    for number in range(1, 13):
        village.agent("station").cut()
        commands.append(hub.send("station", f"box-{number:02d}", hub.command("station", "open")))
        time.sleep(0.15)
    eventually(lambda: village.agent("station").connected)
    time.sleep(1)
    answered = {c.id for c in commands if hub.results(c.id)}
    assert len(pulses(village)) <= len(answered)
    for number, command in enumerate(commands, start=1):
        states = {result.state for result in hub.results(command.id)}
        assert (f"box-{number:02d}" in pulses(village)) == (ResultState.DONE in states)


class Process:
    """The simulators as a process of their own, to be killed."""

    def __init__(self, broker, folder, **options):
        made = config(broker, folder, ("station",), options=options)
        self.folder = folder
        self.path = folder / "simulators.json"
        made = made.model_copy(update={"ready_file": folder / "ready.json"})
        self.path.write_text(made.model_dump_json())

    def start(self):
        (self.folder / "ready.json").unlink(missing_ok=True)
        self.running = subprocess.Popen([sys.executable, "-m", "devices.simulators", "--config", self.path])
        eventually((self.folder / "ready.json").exists, 20)

    def kill(self):
        os.kill(self.running.pid, signal.SIGKILL)
        self.running.wait(10)


def test_killed_between_pulse_and_result_the_verdict_is_unknown_and_nothing_moves_again(hub, broker, tmp_path):
    process = Process(broker, tmp_path, station={"pulse_s": 5.0})
    process.start()
    try:
        command = hub.order("station", BOX, "open")
        eventually(lambda: hub.accepts("station", BOX, command.id))
        process.kill()
        hub.leases.clear()
        process.start()
        assert verdict(hub.result(command.id)) == (ResultState.UNKNOWN, "interrupted", 1)
        hub.wait_lease("station")
        hub.send("station", BOX, command)
        eventually(lambda: len(hub.results(command.id)) >= 2)
        assert set(map(verdict, hub.results(command.id))) == {(ResultState.UNKNOWN, "interrupted", 1)}
        assert hub.types("station", BOX) == []
        assert hub.value("station", BOX, "door") == "closed"
    finally:
        process.kill()


def test_the_example_of_the_contract_is_a_command():
    payload = (
        b'{"v":1,"id":"01JD9Z0Q6J3M7M2YB4C1T8K5XE","op":"open","lease":"q7Zk","ttl_ms":2000,"map":17,"gen":4,'
        b'"by":"grant:8c1f","args":{},"mac":""}'
    )
    assert Command.decode(payload).encode() == payload
    assert ids.new_ulid() != ids.new_ulid()
