"""The whole village as real processes: broker, hub and machines, started by the command of the README."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.simulators.control import ControlClient
from shop_hub.core.hashing import SecretHasher
from tests.browser.conftest import browser_type_launch_args, screenshot
from tests.servers import free_port

__all__ = ["browser_type_launch_args", "screenshot"]

STARTS_WITHIN_S = 120.0


class Village:
    """A running village."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "village"
        self.file = folder / "village.json"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "demo.log"

    def start(self, *arguments: str) -> None:
        self.file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "shop_hub.cli", "demo", "--data", str(self.data), "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, "--json", str(self.file), *arguments], stdout=log, stderr=log)
        process = self._process
        wait_until(lambda: self.file.exists() or process.poll() is not None, within_s=STARTS_WITHIN_S)
        assert process.poll() is None, self._log.read_text()

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(20)

    def kill(self) -> None:
        """End the supervisor as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def about(self) -> dict[str, Any]:
        return json.loads(self.file.read_text())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def machines(self) -> ControlClient:
        return ControlClient(self.about["simulators"]["port"])

    def call(self, method: str, path: str, body: object = None, *, token: str = "till", key: str | None = None):
        """Call the API; return status and answer."""
        headers = {"Authorization": f"Bearer {self.about['tokens'][token]}"}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method, headers=headers, data=data)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def gtin(self, group: str) -> str:
        """Return the code of the cheapest article of a group."""
        _, found = self.call("GET", f"/products?limit=100&group={group}")
        return min(found["items"], key=lambda product: product["price_cents"])["gtin"]

    def devices(self) -> dict[str, float]:
        """Return how many devices are in which link state."""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        found = [line.partition("link=")[2].partition("}") for line in lines if line.startswith("shop_hub_devices{")]
        return {link.strip('"'): float(count) for link, _, count in found}

    def is_whole(self) -> bool:
        """Tell whether all machines can be ordered."""
        return self.devices() == {"ready": 9.0}

    def verify(self) -> str:
        """Run `shop-hub verify` beside the running hub and return what it says."""
        environment = {**os.environ, "SHOP_HUB_CONFIG": str(self.data / "hub.toml")}
        command = [sys.executable, "-m", "shop_hub.cli", "verify"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def wait_until(condition: Callable[[], object], *, within_s: float = 20.0, what: Callable[[], object] = str) -> None:
    """Wait for something that other processes do; the limit only ends a broken run."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A village for all journeys."""
    place = Village(tmp_path_factory.mktemp("village"))
    place.start()
    yield place
    place.stop()


@pytest.fixture(scope="session")
def base_url(village: Village) -> str:
    return village.url


@pytest.fixture(scope="session")
def browser_context_args(base_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "viewport": {"width": 1080, "height": 1920},
        "locale": "de-DE",
        "timezone_id": "Europe/Berlin",
        "has_touch": True,
        "reduced_motion": "reduce",
    }


@pytest.fixture
def hasher(village: Village) -> SecretHasher:
    """The village's own hasher."""
    return SecretHasher(bytes.fromhex((village.data / "secret").read_text()))
