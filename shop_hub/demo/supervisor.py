"""Keeps the processes of a village alive: restarts a dead child within two seconds, ends all with itself."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

POLL_S = 0.1
GRACE_S = 5.0
LONGEST_WAIT_S = 1.5
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Child:
    """A process to keep running; its output goes to `log`."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    reads: Path | None = None
    """A file that it reads again at SIGHUP, which it gets whenever the file was replaced."""


class Supervisor:
    """Starts children in order and watches them."""

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._died_at: dict[str, float] = {}
        self._seen: dict[str, int] = {}
        self._is_stopping = False
        self.on_change: Callable[[], None] = lambda: None
        """Called after a child was started anew."""

    @property
    def pids(self) -> dict[str, int]:
        """Return the process id of each child."""
        return {name: process.pid for name, process in self._processes.items()}

    def start(self, child: Child) -> None:
        """Start a child and watch it from now on."""
        self._children[child.name] = child
        self._spawn(child)

    def watch(self) -> None:
        """Restart what dies, until SIGINT or SIGTERM; then end all."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            while not self._is_stopping:
                self.restart_dead()
                self.reload_changed()
                time.sleep(POLL_S)
        finally:
            self.stop()

    def stop(self) -> None:
        """End all children, the last started first; what does not end within five seconds is killed."""
        self._is_stopping = True
        for process in reversed(list(self._processes.values())):
            process.terminate()
        deadline = time.monotonic() + GRACE_S
        for process in self._processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def restart_dead(self) -> None:
        """Start again what has died; one that dies at once waits a moment between two starts."""
        for name, process in list(self._processes.items()):
            if process.poll() is None:
                continue
            now = time.monotonic()
            died_before = self._died_at.get(name, float("-inf"))
            if now - died_before < LONGEST_WAIT_S:
                continue
            self._died_at[name] = now
            self._spawn(self._children[name])
            self.on_change()

    def reload_changed(self) -> None:
        """Have children read their file again that was replaced since they read it."""
        for name, child in self._children.items():
            stamp = _stamp(child.reads)
            if stamp != self._seen[name]:
                self._seen[name] = stamp
                self._processes[name].send_signal(signal.SIGHUP)

    def _spawn(self, child: Child) -> None:
        self._seen[child.name] = _stamp(child.reads)
        child.log.parent.mkdir(parents=True, exist_ok=True)
        with child.log.open("ab") as log:
            self._processes[child.name] = subprocess.Popen(
                list(child.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(child.environment) or None,
                start_new_session=True,
                preexec_fn=_end_with_supervisor,  # noqa: PLW1509 - no threads run yet in this process
            )

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._is_stopping = True


def _stamp(path: Path | None) -> int:
    """Return a number that is another one after the file was replaced."""
    try:
        return path.stat().st_mtime_ns if path else 0
    except FileNotFoundError:
        return 0


def _end_with_supervisor() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
