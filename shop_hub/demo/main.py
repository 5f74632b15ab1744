"""`shop-hub demo`: makes the village at the first start, then keeps its processes running."""

import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devices.broker.accounts import Account, Role
from devices.broker.child import free_port
from devices.broker.nats import NatsBroker
from shop_hub.demo import village
from shop_hub.demo.supervisor import Child, Supervisor

READY_WITHIN_S = 60.0
STATE = "demo.json"


def run(data: Path, *, port: int, busy: bool, fresh: bool, json_file: Path | None) -> int:
    """Start the village and keep it running until SIGINT or SIGTERM; return the exit status."""
    problem = _problem(data, port)
    if problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command talks to its user
        return 1
    if fresh:
        shutil.rmtree(data, ignore_errors=True)
    state = _state(data)
    state["port"] = port
    village.write_settings(data, state)
    supervisor = Supervisor()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _start(supervisor, data, state, busy=busy)
        _wait_until_ready(supervisor, state)
        _welcome(state, data)
        _keep_file(supervisor, data, state, json_file)
        supervisor.watch()
    except KeyboardInterrupt:
        pass
    except TimeoutError:
        _say(f"The village did not come up; see the logs in {data / 'logs'}.")
        return 1
    finally:
        supervisor.stop()
    return 0


def _problem(data: Path, port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return f"Port {port} is in use. Choose another one: shop-hub demo --port {port + 1}"
    if data.exists() and any(data.iterdir()) and not (data / village.MARKER).exists():
        return f"{data} holds other things. Choose another folder with --data."
    return ""


def _state(data: Path) -> dict[str, Any]:
    """Return what an earlier start wrote, or make the village."""
    path = data / STATE
    if path.exists():
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    (data / village.MARKER).write_text("A demo village of shop_hub. It may be deleted at any time.\n")
    ports = {name: free_port() for name in ("broker", "simulators", "terminal", "scanner")}
    state = {"ports": ports, **village.make(data, _say)}
    partial = path.with_suffix(".part")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(state, indent=1))
    partial.rename(path)
    return state


def _start(supervisor: Supervisor, data: Path, state: dict[str, Any], *, busy: bool) -> None:
    logs = data / "logs"
    environment = {**os.environ, "SHOP_HUB_CONFIG": str(data / village.SETTINGS), "PYTHONUNBUFFERED": "1"}
    broker = NatsBroker(data / "broker", _accounts(state), port=state["ports"]["broker"])
    broker.prepare()
    supervisor.start(Child("broker", broker.argv(), logs / "broker.log", broker.environment()))
    supervisor.start(Child("hub", _python("shop_hub.cli", "run"), logs / "hub.log", environment))
    config = village.write_simulators(data, state)
    command = _python("devices.simulators", "--config", str(config))
    supervisor.start(Child("simulators", command, logs / "simulators.log", environment))
    if busy:
        command = _python("shop_hub.demo.busy", str(data / STATE), _base(state))
        supervisor.start(Child("people", command, logs / "people.log", environment))


def _accounts(state: dict[str, Any]) -> list[Account]:
    site = state["site"]
    devices = [Account.for_device(site, device["id"], device["password"]) for device in state["devices"]]
    hub = Account("hub", state["hub_password"], Role.HUB, (site,))
    return [hub, Account("monitor", state["monitor_password"], Role.MONITOR, (site,)), *devices]


def _wait_until_ready(supervisor: Supervisor, state: dict[str, Any]) -> None:
    _say("Starting …")
    address = f"{_base(state)}/healthz"
    _until(supervisor, lambda: _answers(address))
    metrics = f"{_base(state)}/metrics"
    wanted = f'shop_hub_devices{{link="ready"}} {float(len(state["devices"]))}'
    _until(supervisor, lambda: wanted in _text(metrics))


def _until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        supervisor.restart_dead()
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except OSError:
        return False


def _text(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError):
        return ""


def _welcome(state: dict[str, Any], data: Path) -> None:
    base = _base(state)
    member, courier = state["members"][0], state["couriers"][0]
    staff = [f"  {row['role']:<15}{row['user']:<10}password: {row['password']}" for row in state["logins"]]
    orders = f"127.0.0.1:{state['ports']['simulators']}"
    lines = [
        "",
        f"The village of {state['place']} is open.",
        "",
        f"Kiosk        {base}/kiosk/   (best in a window of 1080 by 1920)",
        f"  member card {member['card']}   PIN {member['pin']}   ({member['name']})",
        f"Backoffice   {base}/office/",
        *staff,
        f"Courier      {base}/courier/   (for a phone)",
        f"  badge {courier['badge']}   PIN {courier['pin']}   ({courier['carrier']})",
        f"API          {base}/api/openapi.json",
        f"  till token {state['tokens']['till']}",
        "",
        f"All cards and badges: {data / STATE}",
        f"Mails: {data / 'mail'}   Printed slips: {data / 'printed'}   Logs: {data / 'logs'}",
        f"The machines take orders on {orders}, one JSON object a line: " + '{"device": "station", "do": "look"}',
        "End with Ctrl+C.",
        "",
    ]
    _say("\n".join(lines))


def _keep_file(supervisor: Supervisor, data: Path, state: dict[str, Any], path: Path | None) -> None:
    if path is None:
        return

    def write() -> None:
        partial = path.with_name(path.name + ".part")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(_for_scripts(state, supervisor.pids, data), indent=1))
        partial.rename(path)

    supervisor.on_change = write
    write()


def _for_scripts(state: dict[str, Any], pids: dict[str, int], data: Path) -> dict[str, Any]:
    base = _base(state)
    site, ports = state["site"], state["ports"]
    broker = {"host": "127.0.0.1", "port": ports["broker"], "site": site, "user": "monitor"}
    return {
        "kiosk": f"{base}/kiosk/",
        "backoffice": f"{base}/office/",
        "courier": f"{base}/courier/",
        "api": f"{base}/api/v1",
        "broker": {**broker, "password": state["monitor_password"]},
        "logins": state["logins"],
        "members": state["members"],
        "couriers": state["couriers"],
        "tokens": state["tokens"],
        "simulators": {"host": "127.0.0.1", "port": ports["simulators"]},
        "scanner": {"host": "127.0.0.1", "port": ports["scanner"]},
        "pids": pids,
        "data": str(data),
    }


def _base(state: dict[str, Any]) -> str:
    return f"http://127.0.0.1:{state['port']}"


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command talks to its user
