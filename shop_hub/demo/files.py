"""The files by which the demo's processes know each other; without any import of the hub."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from devices.broker.child import free_port

MARKER = "this-is-a-demo-village"
SETTINGS = "hub.toml"
STATE = "demo.json"
PORTS = "ports.json"
PORT_NAMES = ("broker", "simulators", "terminal", "scanner")
BROKER = "broker"
SIMULATORS = "simulators.json"
DOOR_WINDOWS = [{"weekday": day, "from_minute": 300, "to_minute": 1320} for day in range(7)]


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file as a whole; only its owner may read it."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False))
    with partial.open() as file:
        os.fsync(file.fileno())
    partial.rename(path)


def read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def take_ports(data: Path) -> dict[str, int]:
    """Return the village's ports on loopback, the same as last time where nobody else has taken them meanwhile."""
    path = data / PORTS
    known: dict[str, int] = read(path) if path.exists() else {}
    ports = {name: known[name] if _is_free(known.get(name, 0)) else free_port() for name in PORT_NAMES}
    write(path, ports)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return port != 0


def write_settings(data: Path, ports: dict[str, int]) -> None:
    """Write the hub's settings file."""
    sections: dict[str, dict[str, Any]] = {
        "": {"data": str(data), "production": False},
        "http": {"port": ports["hub"]},
        "mqtt": {"port": ports["broker"], "accounts": "nats", "accounts_folder": str(data / BROKER)},
        "mail": {"sender": "dorfladen@kranichbrueck.example", "folder": str(data / "mail")},
        "kiosk": {"auto_pair_loopback": True},
        "demo": {"simulators_port": ports["simulators"]},
    }
    text = ""
    for section, values in sections.items():
        text += f"\n[{section}]\n" if section else ""
        text += "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    path = data / SETTINGS
    path.touch(mode=0o600)
    path.write_text(text)


def write_simulators(data: Path, state: dict[str, Any], ports: dict[str, int]) -> Path:
    """Write the simulators' configuration (devices/simulators/config.py); return its path."""
    more: dict[str, dict[str, Any]] = {
        "locker": {"occupied": state["occupied"]},
        "door": {"windows": DOOR_WINDOWS},
        "terminal": {"port": ports["terminal"]},
        "scanner": {"port": ports["scanner"]},
        "printer": {"folder": str(data / "printed")},
    }
    config = {
        "site": state["site"],
        "broker": {"port": ports["broker"]},
        "folder": str(data / "machines"),
        "devices": [{**device, **more.get(device["kind"], {})} for device in state["devices"]],
        "control_port": ports["simulators"],
    }
    path = data / SIMULATORS
    write(path, config)
    return path
