"""The ends of a simulated line: a TCP port like a serial converter's, or a pty like a USB adapter's."""

import contextlib
import os
import pty
import select
import socket
import threading
import tty

from devices.simulators.lockwire import Line

_CHUNK = 4096
_LOOK_S = 0.2


class TcpEnd:
    """Listens on a loopback port; one host at a time, as converters do."""

    def __init__(self, line: Line, port: int = 0) -> None:
        self._line = line
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self._host: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, name="lock-line", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Break the connection; the host may come again."""
        host = self._host
        if host is not None:
            with contextlib.suppress(OSError):
                host.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.unplug()
        self._thread.join(timeout=2)

    def _serve(self) -> None:
        while True:
            try:
                host, _ = self._server.accept()
            except OSError:
                return
            host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._host = host
            with host, contextlib.suppress(OSError):
                while data := host.recv(_CHUNK):
                    self._line.hear(data, self.say)

    def say(self, answer: bytes) -> None:
        """Send bytes to the host that is connected now."""
        host = self._host
        if host is not None:
            with contextlib.suppress(OSError):
                host.sendall(answer)


class PtyEnd:
    """A pseudo terminal; `path` is what a driver opens."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="lock-pty", daemon=True)
        self._thread.start()

    def say(self, answer: bytes) -> None:
        """Send bytes to whoever has opened the terminal."""
        with contextlib.suppress(OSError):
            os.write(self._ours, answer)

    def close(self) -> None:
        """Take the terminal away, as pulling a USB adapter does."""
        self._ended.set()
        self._thread.join(timeout=2)
        os.close(self._theirs)
        os.close(self._ours)

    def _serve(self) -> None:
        while not self._ended.is_set():
            if select.select([self._ours], [], [], _LOOK_S)[0]:
                self._line.hear(os.read(self._ours, _CHUNK), self.say)
