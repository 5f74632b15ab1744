"""The folder and the ports of a village: one supervisor each, and no quarrel with others about a port."""

import socket
from pathlib import Path

import pytest

from shop_hub.core.errors import OperatingError
from shop_hub.demo import files, main
from tests.servers import free_port


def start(data: Path, *, fresh: bool = False, json_file: Path | None = None) -> int:
    return main.run(data, port=free_port(), busy=False, fresh=fresh, json_file=json_file)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_running_village_is_left_alone(tmp_path: Path, *, fresh: bool) -> None:
    running = main._lock(tmp_path / "village")
    (tmp_path / "village" / files.STATE).write_text("{}")
    with pytest.raises(OperatingError, match="is running already"):
        start(tmp_path / "village", fresh=fresh)
    assert (tmp_path / "village" / files.STATE).read_text() == "{}"
    running.close()
    main._lock(tmp_path / "village").close()


def test_places_that_cannot_be_used_are_named_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatingError, match=r"The folder .*/file/village cannot be used"):
        start(tmp_path / "file" / "village")
    with pytest.raises(OperatingError, match="There is no folder"):
        start(tmp_path / "village", json_file=tmp_path / "nowhere" / "demo.json")
    assert not (tmp_path / "village").exists()


def test_ports_stay_the_same_unless_somebody_took_one(tmp_path: Path) -> None:
    first = files.take_ports(tmp_path)
    assert files.take_ports(tmp_path) == first
    with socket.create_server(("127.0.0.1", first["broker"])):
        second = files.take_ports(tmp_path)
    assert second.pop("broker") != first.pop("broker")
    assert second == first
