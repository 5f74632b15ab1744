"""The control port: one JSON object per line in, one out, on loopback only.

`{"device": "station", "do": "close_door", "node": "box-03"}` answers `{"ok": true, "value": null}` or
`{"ok": false, "error": "…"}`. `{"do": "verbs"}` lists what can be done, `{"do": "faults"}` what can break and what is
broken. A person can use it with netcat, or with devices/simulators/tell.py.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Protocol, cast

from devices.simulators.world import ControlError

if TYPE_CHECKING:  # the client alone stays small without pydantic
    from pydantic import JsonValue

log = logging.getLogger(__name__)

_LONGEST_LINE = 65_536


class Controlled(Protocol):
    """Machines that people, tests and faults may do something to."""

    def control(self, device: str, verb: str, arguments: dict[str, JsonValue]) -> JsonValue:
        """Do one thing at one device.

        Raises:
            ControlError: no such device or verb, wrong arguments, or not possible now.
        """

    def verbs(self) -> dict[str, JsonValue]:
        """Return what can be done at each device."""

    def faults(self) -> dict[str, JsonValue]:
        """Return what can break at each device, and what is broken."""


class ControlPort:
    """Serves a village's control port until `close`."""

    def __init__(self, village: Controlled, port: int = 0) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    while line := self.rfile.readline(_LONGEST_LINE):
                        self.wfile.write(_answer(village, line))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class ControlClient:
    """Talks to a control port from another process (tests, the busy villagers)."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._sock = socket.create_connection((host, port), timeout=10)
        self._file = self._sock.makefile("rb")
        self._lock = threading.Lock()

    def do(self, device: str, verb: str, **arguments: JsonValue) -> JsonValue:
        """Do one thing at one device and return what it answers.

        Raises:
            ControlError: not possible; the text says why.
            OSError: the simulators are gone.
        """
        request = {"device": device, "do": verb} | arguments
        with self._lock:
            self._sock.sendall(json.dumps(request).encode() + b"\n")
            line = self._file.readline()
        if not line:
            raise ConnectionResetError("the simulators are gone")
        answer = json.loads(line)
        if not answer["ok"]:
            raise ControlError(answer["error"])
        return cast("JsonValue", answer["value"])

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._sock.close()


def _answer(village: Controlled, line: bytes) -> bytes:
    try:
        value = _do(village, json.loads(line))
    except (ControlError, ValueError) as error:
        return json.dumps({"ok": False, "error": str(error)}).encode() + b"\n"
    except Exception as error:
        log.exception("a control verb failed")
        return json.dumps({"ok": False, "error": repr(error)}).encode() + b"\n"
    return json.dumps({"ok": True, "value": value}).encode() + b"\n"


def _do(village: Controlled, request: JsonValue) -> JsonValue:
    if not isinstance(request, dict):
        raise ControlError("one JSON object per line")
    arguments = dict(request)
    verb = arguments.pop("do", None)
    device = arguments.pop("device", "")
    if not device and not arguments and verb in ("verbs", "faults"):
        return cast("JsonValue", village.verbs() if verb == "verbs" else village.faults())
    if not isinstance(verb, str) or not isinstance(device, str) or not device:
        raise ControlError('give "device" and "do"')
    return village.control(device, verb, arguments)
