"""Processes die, the village lives: nothing sold twice, nothing lost, back by itself."""

import http.client
import os
import signal
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import Village, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A village of its own, since these tests are rough."""
    place = Village(tmp_path_factory.mktemp("fragile"))
    place.start()
    yield place
    place.stop()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def buy_until_answered(place: Village, body: dict, key: str) -> dict:
    """Send a purchase as a till does: again with the same key until the hub answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            status, answer = place.call("POST", "/sales", body, key=key)
        except (OSError, http.client.HTTPException):  # killed before or in the middle of its answer
            assert time.monotonic() < deadline
            time.sleep(0.1)
            continue
        assert status == 201, answer
        return answer


@pytest.mark.parametrize("name", ["broker", "simulators", "hub"])
def test_a_killed_process_comes_back_on_the_same_ports(fragile: Village, name: str) -> None:
    before = fragile.about
    os.kill(before["pids"][name], signal.SIGKILL)
    wait_until(lambda: fragile.about["pids"][name] != before["pids"][name])
    wait_until(fragile.is_whole, within_s=60)
    after = fragile.about
    assert {key: after[key] for key in ("kiosk", "api", "simulators")} == {
        key: before[key] for key in ("kiosk", "api", "simulators")
    }
    assert after["broker"] == before["broker"]


def test_sales_go_on_over_kills_and_each_key_counts_once(fragile: Village) -> None:
    member = fragile.about["members"][1]
    gtin = fragile.gtin("bread")
    _, before = fragile.call("GET", f"/stock/{gtin}")
    keys = [str(uuid.uuid4()) for _ in range(12)]
    body = {"lines": [{"gtin": gtin}], "member_card": member["card"], "pin": member["pin"]}
    answers: dict[str, dict] = {}

    def shop() -> None:
        for key in keys:
            answers[key] = buy_until_answered(fragile, body, key)

    shopper = threading.Thread(target=shop)
    shopper.start()
    for number in (3, 8):
        wait_until(lambda number=number: len(answers) >= number or not shopper.is_alive(), within_s=60)
        os.kill(fragile.about["pids"]["hub"], signal.SIGKILL)
        wait_until(lambda number=number: len(answers) > number or not shopper.is_alive(), within_s=60)
    shopper.join(60)
    assert len(answers) == len(keys)
    wait_until(fragile.is_whole, within_s=60)
    repeated = {key: fragile.call("POST", "/sales", body, key=key)[1] for key in keys}
    assert repeated == answers
    _, after = fragile.call("GET", f"/stock/{gtin}")
    assert after["on_hand"] == before["on_hand"] - len(keys)
    numbers = sorted(answer["sequence"] for answer in answers.values())
    assert numbers == list(range(numbers[0], numbers[0] + len(keys)))
    assert fragile.verify() == "Everything adds up."


def test_the_village_ends_with_its_supervisor_and_starts_again_with_its_data(fragile: Village) -> None:
    before = fragile.about
    children = list(before["pids"].values())
    hub_children = subprocess.run(
        ["pgrep", "-P", str(before["pids"]["hub"])], capture_output=True, text=True, check=True
    ).stdout.split()
    fragile.kill()
    wait_until(lambda: not any(is_running(pid) for pid in [*children, *map(int, hub_children)]))
    fragile.start()
    after = fragile.about
    assert (after["members"], after["tokens"]) == (before["members"], before["tokens"])
    wait_until(fragile.is_whole, within_s=60)
    assert fragile.verify() == "Everything adds up."


def test_a_village_that_is_ended_in_good_order_says_goodbye_and_comes_back(fragile: Village) -> None:
    assert fragile.stop() == 0
    database = sqlite3.connect(f"{(fragile.data / 'hub.sqlite3').as_uri()}?mode=ro", uri=True)
    released = database.execute("SELECT is_released FROM hub_lease").fetchall()
    database.close()
    fragile.start()
    assert released == [(1,)]


def test_a_second_village_on_the_same_port_is_refused_with_a_sentence(fragile: Village, tmp_path: Path) -> None:
    second = Village(tmp_path)
    second.port = fragile.port
    with pytest.raises(AssertionError, match=f"Port {fragile.port} is in use"):
        second.start()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    place = Village(tmp_path)
    place.data.mkdir()
    (place.data / "thesis.txt").write_text("ten years of work")
    with pytest.raises(AssertionError, match="holds other things"):
        place.start("--fresh")
    assert (place.data / "thesis.txt").read_text() == "ten years of work"
