"""An ATM operator's HTTP address on loopback that tells the state of one machine, with the faults of such services."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devices.simulators.atm import SimulatedAtm
from devices.simulators.atm_service import AtmService


class OperatorApi(AtmService):
    """Serves one machine; `token` must come as bearer token, if it is set."""

    faults = ("", "error", "redirect", "drip", "huge", "old", "future", "extra", "wrong-word", "no-json", "text")

    def __init__(self, machine: SimulatedAtm, port: int = 0, *, token: str = "") -> None:
        self.machine, self.token, self.fault = machine, token, ""
        self.hits: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's word
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="operator-api", daemon=True).start()

    @property
    def url(self) -> str:
        """Where the state is told."""
        return f"http://127.0.0.1:{self.port}/atm/1"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request, well or badly."""
        self.hits.append(request.path)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            request.send_error(401)
        elif self.fault == "error" or self.machine.is_silent:
            request.send_error(503)
        elif self.fault == "redirect":
            request.send_response(302)
            request.send_header("Location", "/elsewhere")
            request.end_headers()
        else:
            content = self._content()
            request.send_response(200)
            request.send_header("Content-Type", "text/html" if self.fault == "text" else "application/json")
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            self._write(request, content)

    def _write(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        if self.fault != "drip":
            request.wfile.write(content)
            return
        for byte in content:
            try:
                request.wfile.write(bytes([byte]))
            except OSError:
                return
            time.sleep(0.05)

    def _content(self) -> bytes:
        if self.fault == "no-json":
            return b"[" * 30_000
        body = self._body()
        if self.fault == "huge":
            body["reason"] = "x" * 100_000
        if self.fault == "extra":
            body["notes"] = 1713
        if self.fault == "wrong-word":
            body["device"] = "fine"
        return json.dumps(body).encode()

    def _body(self) -> dict[str, Any]:
        shift_s = {"old": -3600, "future": 3600}.get(self.fault, 0)
        reading = self.machine.reading
        return {
            "version": 1,
            "observedAt": round((time.time() + shift_s) * 1000),
            "device": reading.device,
            "vendorMode": reading.vendor_mode,
            "exchange": "active" if reading.is_exchanging else "inactive",
            "dispenser": reading.dispenser,
            "acceptor": reading.acceptor,
            "reason": reading.reason,
            "units": [
                {
                    "id": unit.id,
                    "currency": unit.currency,
                    "denominationBucket": unit.denomination_bucket,
                    "replenishmentStatus": unit.replenishment,
                    "status": unit.status,
                    "isDispensable": unit.is_dispensable,
                }
                for unit in reading.units
            ],
        }
