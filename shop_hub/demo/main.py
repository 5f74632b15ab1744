"""`shop-hub demo`: makes the village at the first start, then keeps its processes running."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from devices.broker.nats import NatsBroker
from shop_hub.core.errors import OperatingError
from shop_hub.demo import files
from shop_hub.demo.supervisor import Child, Supervisor

READY_WITHIN_S = 60.0


def run(data: Path, *, port: int, busy: bool, fresh: bool, json_file: Path | None) -> int:
    """Start the village and keep it running until SIGINT or SIGTERM; return the exit status.

    Raises:
        OperatingError: port or folder cannot be used.
    """
    _check(data, port)
    if json_file:
        if not json_file.absolute().parent.is_dir():
            raise OperatingError(f"There is no folder {json_file.absolute().parent} for the file with the addresses.")
        json_file.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    supervisor = Supervisor()
    try:
        demo = _Demo(data, *_prepare(data, port, fresh=fresh))
        _start(supervisor, demo, busy=busy)
        _wait_until_ready(supervisor, demo)
        _keep_file(supervisor, demo, json_file)
        _welcome(demo)
        supervisor.watch()
    except KeyboardInterrupt:
        pass
    except (TimeoutError, subprocess.CalledProcessError):
        print(f"The village did not come up; see the logs in {data / 'logs'}.", file=sys.stderr)
        return 1
    finally:
        supervisor.stop()
    return 0


@dataclass(frozen=True)
class _Demo:
    data: Path
    state: dict[str, Any]
    ports: dict[str, int]
    lock: IO[str]
    """Held open: two supervisors must not run one village."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.ports['hub']}"


def _check(data: Path, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise OperatingError(
                f"Port {port} is in use. Choose another one: shop-hub demo --port {port + 1}"
            ) from None
    if data.exists() and any(data.iterdir()) and not (data / files.MARKER).exists():
        raise OperatingError(f"{data} holds other things. Choose another folder with --data.")


def _prepare(data: Path, port: int, *, fresh: bool) -> tuple[dict[str, Any], dict[str, int], IO[str]]:
    """Return state, ports and lock of the village; make it first if there is none or only a part of one."""
    lock = _lock(data)
    if fresh or not (data / files.STATE).exists():
        shutil.rmtree(data, ignore_errors=True)
        lock.close()
        lock = _lock(data)
        lock.write("A demo village of shop_hub. It may be deleted at any time.\n")
        lock.flush()
        subprocess.run(_python("shop_hub.demo.village", str(data)), check=True)
    state = files.read(data / files.STATE)
    ports = {"hub": port, **files.take_ports(data)}
    files.write_settings(data, ports)
    return state, ports, lock


def _lock(data: Path) -> IO[str]:
    """Take a village for this process; who dies gives it back."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / files.MARKER).open("a")
    except OSError as error:
        raise OperatingError(f"The folder {data} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise OperatingError(f"The village in {data} is running already. Choose another folder with --data.") from error
    return lock


def _start(supervisor: Supervisor, demo: _Demo, *, busy: bool) -> None:
    data, logs = demo.data, demo.data / "logs"
    environment = {**os.environ, "SHOP_HUB_CONFIG": str(data / files.SETTINGS), "PYTHONUNBUFFERED": "1"}
    broker = NatsBroker(data / files.BROKER, port=demo.ports["broker"])
    broker.prepare()
    accounts = broker.directory.watched
    supervisor.start(Child("broker", broker.argv(), logs / "broker.log", broker.environment(), accounts))
    supervisor.start(Child("hub", _python("shop_hub.cli", "run"), logs / "hub.log", environment))
    config = files.write_simulators(data, demo.state, demo.ports)
    command = _python("devices.simulators", "--config", str(config))
    supervisor.start(Child("simulators", command, logs / "simulators.log", environment))
    if busy:
        command = _python("shop_hub.demo.busy", str(data), demo.base, str(demo.ports["simulators"]))
        supervisor.start(Child("people", command, logs / "people.log", environment))


def _wait_until_ready(supervisor: Supervisor, demo: _Demo) -> None:
    _say("Starting …")
    _until(supervisor, lambda: _text(f"{demo.base}/healthz") != "")
    wanted = f'shop_hub_devices{{link="ready"}} {float(len(demo.state["devices"]))}'
    _until(supervisor, lambda: wanted in _text(f"{demo.base}/metrics"))


def _until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        supervisor.restart_dead()
        supervisor.reload_changed()
        time.sleep(0.1)


def _text(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return str(answer.read().decode())
    except OSError:
        return ""


def _welcome(demo: _Demo) -> None:
    base, state, data = demo.base, demo.state, demo.data
    member, courier = state["members"][0], state["couriers"][0]
    staff = [f"  {row['role']:<15}{row['user']:<10}password: {row['password']}" for row in state["logins"]]
    orders = f"127.0.0.1:{demo.ports['simulators']}"
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
        f"All cards and badges: {data / files.STATE}",
        f"Mails: {data / 'mail'}   Printed slips: {data / 'printed'}   Logs: {data / 'logs'}",
        f"The machines take orders on {orders}, one JSON object a line: " + '{"device": "station", "do": "look"}',
        "End with Ctrl+C.",
        "",
    ]
    _say("\n".join(lines))


def _keep_file(supervisor: Supervisor, demo: _Demo, path: Path | None) -> None:
    if path is None:
        return

    def write() -> None:
        files.write(path, _for_scripts(demo, supervisor.pids))

    supervisor.on_change = write
    write()


def _for_scripts(demo: _Demo, pids: dict[str, int]) -> dict[str, Any]:
    state, ports = demo.state, demo.ports
    broker = {"host": "127.0.0.1", "port": ports["broker"], "site": state["site"], "user": "monitor"}
    return {
        "kiosk": f"{demo.base}/kiosk/",
        "backoffice": f"{demo.base}/office/",
        "courier": f"{demo.base}/courier/",
        "api": f"{demo.base}/api/v1",
        "broker": {**broker, "password": state["monitor_password"]},
        **{name: state[name] for name in ("logins", "members", "couriers", "tokens")},
        "simulators": {"host": "127.0.0.1", "port": ports["simulators"]},
        "scanner": {"host": "127.0.0.1", "port": ports["scanner"]},
        "pids": pids,
        "data": str(demo.data),
    }


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _say(text: str) -> None:
    print(text, flush=True)
