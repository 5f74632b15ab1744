"""A broker as a child process on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from devices.broker.accounts import Account
from devices.broker.directory import BrokerError, Directory

_STARTS_WITHIN_S = 10.0
_ENDS_WITHIN_S = 1.0
_ASKED_TO_END = 10
"""nats-server loses a signal that comes while it works on two earlier ones."""


def free_port() -> int:
    """Return a loopback port nobody uses right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class ChildBroker(ABC):
    """Writes its configuration into `folder` and runs there. The port stays the same over restarts.

    Without `accounts` somebody else keeps its `directory`, and what is there stays.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, accounts: Sequence[Account] | None = None, *, port: int = 0) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._accounts = accounts
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> Path:
        """Where its words go."""
        return self.folder / "broker.log"

    @abstractmethod
    def argv(self) -> list[str]:
        """Return the command line, for a supervisor of one's own."""

    @property
    @abstractmethod
    def directory(self) -> Directory:
        """Where its accounts stand."""

    @abstractmethod
    def _write(self) -> None:
        """Write the configuration and the first accounts."""

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in."""
        return dict(os.environ)

    def prepare(self) -> None:
        """Write the configuration, readable by this user only: it holds passwords."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write()

    def start(self) -> None:
        """Start it and wait until it takes connections.

        Raises:
            BrokerError: it did not within 10 s.
        """
        self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment()
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the port takes connections.

        Raises:
            BrokerError: not within 10 s.
        """
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                if self._process is not None and self._process.poll() is not None:
                    break
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise BrokerError(f"the broker did not start, see {self.log}")

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would (for tests)."""
        self._end(signal.SIGKILL)

    def set_accounts(self, accounts: Sequence[Account]) -> None:
        """Use these accounts from now on, without a restart; whoever lost a right is disconnected or refused."""
        self._accounts = accounts
        self.directory.put(accounts)
        self._reload()

    def _reload(self) -> None:
        """Have it read its files of accounts again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for _ in range(_ASKED_TO_END):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS_WITHIN_S)
                return
        process.kill()
        process.wait()
