"""A serial scanner behind a network converter: whoever connects gets the bytes of what is scanned."""

import contextlib
import socket
import threading

from pydantic import JsonValue

from devices.simulators.world import ControlError, Verb


class SimulatedScanner:
    """Listens on a loopback port; one client, the newest."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._accept, name="scanner-port", daemon=True)
        self._thread.start()

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done with the scanner."""
        return {"scan": self.scan, "unplug": self.unplug}

    def look(self) -> JsonValue:
        """Return whether someone listens."""
        return {"port": self.port, "connected": self._client is not None}

    def scan(self, data: str, prefix: str = "") -> None:
        """Hold a code before the scanner; `prefix` is an AIM identifier such as `]E0`.

        Raises:
            ControlError: nobody is connected.
        """
        if self._client is None:
            raise ControlError("the scanner is not connected")
        try:
            self._client.sendall(f"{prefix}{data}\r".encode())
        except OSError as error:
            self._client = None
            raise ControlError("the scanner is not connected") from error

    def unplug(self) -> None:
        """Pull the cable; the agent connects again."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def close(self) -> None:
        """Stop listening."""
        self.unplug()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(timeout=2)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.unplug()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client = client
