"""Reads a cash machine from its operator's HTTPS address: one JSON object in the words of XFS4IoT, strictly checked.

    {"version": 1, "observedAt": 1782900000000, "device": "online", "vendorMode": "inactive", "exchange": "inactive",
     "dispenser": "ok", "acceptor": null, "reason": "",
     "units": [{"id": "1", "currency": "EUR", "denominationBucket": "small", "replenishmentStatus": "low"}]}

Everything is bounded: size, time as a whole, age. No redirect is followed, no proxy of the environment used, and a
token goes nowhere but to the address that was set.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices.agent.device import NoAnswerError
from devices.atm.driver import AtmReading, CashUnit, DeviceStatus, Replenishment, StorageStatus, UnitsStatus, VendorMode

_LARGEST = 65_536
_MOST_UNITS = 20
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_CLOCKS_DIFFER_S = 60


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Unit(_Strict):
    id: str = Field(min_length=1, max_length=40)
    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    denominationBucket: str = Field(default="mixed", max_length=40)  # noqa: N815 - JSON words, as below
    replenishmentStatus: Replenishment  # noqa: N815
    status: StorageStatus = "ok"
    isDispensable: bool = True  # noqa: N815


class _Body(_Strict):
    version: Literal[1]
    observedAt: int = Field(ge=0)  # noqa: N815
    device: DeviceStatus
    vendorMode: VendorMode = "inactive"  # noqa: N815
    exchange: Literal["active", "inactive"] = "inactive"
    dispenser: UnitsStatus = "unknown"
    acceptor: UnitsStatus | None = None
    reason: str = Field(default="", max_length=200)
    units: list[_Unit] = Field(default=[], max_length=_MOST_UNITS)


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Where the operator tells the state. `token_file` holds a bearer token, readable by the agent's user only."""

    url: str
    token_file: str = ""
    ca_file: str = ""
    timeout_s: float = 5.0
    """For the whole exchange."""
    max_age_s: int = 60
    """What was observed longer ago is no answer."""


class HttpSource:
    """Keeps the contract `AtmSource`.

    Raises:
        ValueError: no https address; http is only for this machine itself.
    """

    name = "operator-api"

    def __init__(self, config: HttpConfig, *, wall_s: Callable[[], float] = time.time) -> None:
        self._config, self._wall_s = config, wall_s
        self._to = urlsplit(config.url)
        is_local = self._to.scheme == "http" and self._to.hostname in _LOOPBACK
        if not self._to.hostname or not (self._to.scheme == "https" or is_local):
            raise ValueError("the operator's address must begin with https://")

    def read(self) -> AtmReading:
        """Fetch the state.

        Raises:
            NoAnswerError: not reachable, too slow, too large, too old, or not exactly what was agreed.
        """
        try:
            body = _Body.model_validate_json(self._fetch())
        except (OSError, http.client.HTTPException, ValidationError, ValueError) as error:
            raise NoAnswerError from error
        age_s = self._wall_s() - body.observedAt / 1000
        if not -_CLOCKS_DIFFER_S <= age_s <= self._config.max_age_s:
            raise NoAnswerError
        return AtmReading(
            device=body.device,
            vendor_mode=body.vendorMode,
            is_exchanging=body.exchange == "active",
            dispenser=body.dispenser,
            acceptor=body.acceptor,
            reason=body.reason,
            units=tuple(_unit(unit) for unit in body.units),
        )

    def close(self) -> None:
        """Do nothing: each reading is a connection of its own."""

    def _fetch(self) -> bytes:
        connection = self._connection()
        connection.connect()
        # A server that sends a byte a second never runs into the socket's own timeout.
        watchdog = threading.Timer(self._config.timeout_s, _hang_up, (connection.sock,))
        watchdog.start()
        try:
            path = (self._to.path or "/") + (f"?{self._to.query}" if self._to.query else "")
            connection.request("GET", path, headers=self._headers())
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK or answer.headers.get_content_type() != "application/json":
                raise ValueError(answer.status)
            content = answer.read(_LARGEST + 1)
        finally:
            watchdog.cancel()
            connection.close()
        if len(content) > _LARGEST:
            raise ValueError("too large")
        return content

    def _connection(self) -> http.client.HTTPConnection:
        host, timeout_s = str(self._to.hostname), self._config.timeout_s
        if self._to.scheme == "http":
            return http.client.HTTPConnection(host, self._to.port, timeout=timeout_s)
        context = ssl.create_default_context(cafile=self._config.ca_file or None)
        return http.client.HTTPSConnection(host, self._to.port, timeout=timeout_s, context=context)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "shop-hub"}
        if self._config.token_file:
            token = Path(self._config.token_file).read_text(encoding="ascii").strip()
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _unit(unit: _Unit) -> CashUnit:
    return CashUnit(
        id=unit.id,
        currency=unit.currency,
        denomination_bucket=unit.denominationBucket,
        replenishment=unit.replenishmentStatus,
        status=unit.status,
        is_dispensable=unit.isDispensable,
    )
