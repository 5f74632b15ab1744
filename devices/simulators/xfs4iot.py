"""A cash machine's XFS4IoT service as a WebSocket server on loopback, with the faults that a bridge may show.

It shares nothing with the driver but the standard: frames are taken apart by hand (RFC 6455), messages are plain JSON.
"""

import base64
import contextlib
import hashlib
import json
import socketserver
import struct
import threading
from typing import Any

from devices.simulators.atm import SimulatedAtm
from devices.simulators.atm_service import AtmService

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_NOTES = {"small": 20, "large": 50}
_COUNT = 1713
"""A count as real services send it. It must never be seen outside this service."""


class Xfs4IotService(AtmService):
    """Serves one machine; `port` 0 = any free one. `fault` says how it misbehaves from now on."""

    faults = ("", "mute", "garbage", "events", "refuse", "hang-up", "foreign", "huge", "redirect")

    def __init__(self, machine: SimulatedAtm, port: int = 0) -> None:
        self.machine = machine
        self.asked: list[str] = []
        """Names of all commands that came, in order."""
        self.fault = ""
        self.elsewhere = "ws://192.0.2.1/xfs4iot/v1.0/X"
        """Where the fault `redirect` points to."""
        service = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError, struct.error):
                    _Talk(service, self).run()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="xfs4iot", daemon=True).start()

    @property
    def url(self) -> str:
        """Where the cash service listens."""
        return f"ws://127.0.0.1:{self.port}/xfs4iot/v1.0/CashDispenser"


class _Talk:
    """One connection."""

    def __init__(self, service: Xfs4IotService, handler: socketserver.StreamRequestHandler) -> None:
        self._service, self._in, self._out = service, handler.rfile, handler.wfile

    def run(self) -> None:
        """Shake hands, then answer until the other side hangs up."""
        headers = {}
        while (line := self._in.readline(4096).decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if self._service.fault == "redirect":
            self._out.write(
                b"HTTP/1.1 302 Found\r\nLocation: ws://192.0.2.1/xfs4iot/v1.0/X\r\nContent-Length: 0\r\n\r\n"
            )
            return
        accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + _MAGIC).digest())  # noqa: S324
        self._out.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        self._out.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        while True:
            kind, content = self._frame()
            if kind == _CLOSE:
                self._send(content, _CLOSE)
                return
            if kind == _PING:
                self._send(content, _PONG)
            elif kind == _TEXT and not self._answer(json.loads(content)):
                return

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:  # noqa: PLR2004 - RFC 6455 section 5.2: two more bytes
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:  # noqa: PLR2004 - eight more bytes
            (length,) = struct.unpack(">Q", self._exactly(8))
        mask = self._exactly(4)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._exactly(length)))

    def _exactly(self, count: int) -> bytes:
        content = self._in.read(count)
        if len(content) < count:
            raise ConnectionResetError
        return content

    def _send(self, content: bytes, kind: int = _TEXT) -> None:
        length = len(content)
        if length < 126:  # noqa: PLR2004 - as in _frame
            size = bytes([length])
        else:
            size = b"\x7e" + struct.pack(">H", length) if length <= 0xFFFF else b"\x7f" + struct.pack(">Q", length)  # noqa: PLR2004
        self._out.write(bytes([0x80 | kind]) + size + content)

    def _say(self, kind: str, name: str, request_id: int | None, **more: Any) -> None:
        header = {"type": kind, "name": name, "version": "2.0", "requestId": request_id}
        header["completionCode"] = more.pop("code", None)
        known = {key: value for key, value in header.items() if value is not None}
        self._send(json.dumps({"header": known, **more}).encode())

    def _answer(self, message: Any) -> bool:
        """Answer a command; return whether the connection stays."""
        name, request_id = message["header"]["name"], message["header"]["requestId"]
        fault = self._service.fault
        self._service.asked.append(name)
        if fault == "hang-up":
            return False
        if fault == "mute" or self._service.machine.is_silent:
            return True
        self._say("acknowledge", name, request_id)
        if fault == "garbage":
            self._send(b'{"header":{"type":"completion"')
        elif fault == "huge":
            self._say("completion", name, request_id, code="success", payload={"x": "x" * 400_000})
        elif fault == "foreign":
            self._say("completion", name, request_id + 1, code="success", payload=self._payload(name))
        elif fault == "refuse":
            self._say("completion", name, request_id, code="hardwareError", payload={})
        else:
            if fault == "events":
                self._say("unsolicited", "Common.StatusChangedEvent", None, payload={"common": {"device": "offline"}})
                self._say("completion", name, request_id + 100, code="success", payload={})
            self._say("completion", name, request_id, code="success", payload=self._payload(name))
        return True

    def _payload(self, name: str) -> dict[str, Any]:
        reading = self._service.machine.reading
        if name == "Storage.GetStorage":
            return {"storage": {f"unit{place}": _unit(unit) for place, unit in enumerate(reading.units, 1)}}
        return {
            "common": {
                "device": reading.device,
                "devicePosition": "inPosition",
                "powerSaveRecoveryTime": 0,
                "antiFraudModule": "ok",
                "exchange": "active" if reading.is_exchanging else "inactive",
            },
            "cashManagement": {"dispenser": reading.dispenser, "acceptor": reading.acceptor},
            "vendorMode": {"device": "online", "service": reading.vendor_mode},
        }


def _unit(unit: Any) -> dict[str, Any]:
    return {
        "id": unit.id,
        "positionName": unit.id,
        "capacity": 2500,
        "status": unit.status,
        "serialNumber": "0815",
        "cash": {
            "configuration": {
                "types": {"cashOut": unit.is_dispensable, "reject": not unit.is_dispensable},
                "currency": unit.currency,
                "value": _NOTES.get(unit.denomination_bucket, 0),
            },
            "status": {
                "index": 1,
                "accuracy": "accurate",
                "initial": {"unrecognized": 0, "cash1": {"fit": _COUNT}},
                "replenishmentStatus": unit.replenishment,
            },
        },
    }
