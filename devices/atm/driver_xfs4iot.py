"""Reads a cash machine by XFS4IoT (CEN CWA 16926), JSON over WebSocket: the only commands sent ask for a state.

A machine has a service per part, at `ws(s)://host:{80|443|5846-5856}/xfs4iot/v1.0/<service>`. Of the answers only what
the model of money-and-machines.md needs is read; counts of notes are never looked at, so they cannot leak.
"""

import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from devices.agent.device import NoAnswerError
from devices.atm.driver import AtmReading, CashUnit, DeviceStatus, Replenishment, StorageStatus, UnitsStatus, VendorMode

_LARGEST = 262_144
_MOST_MESSAGES = 100
_MOST_UNITS = 20
_SMALL_NOTE = 20
_OLD_WORDS: dict[str, UnitsStatus] = {
    "cashUnitState": "attention",
    "cashUnitStop": "stop",
    "cashUnitUnknown": "unknown",
}
"""Words of the first edition for the states of all units together."""
P = TypeVar("P", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Header(_Part):
    type: Literal["command", "acknowledge", "event", "completion", "unsolicited"]
    name: str = Field(max_length=100)
    requestId: int | None = None  # noqa: N815 - the standard's word, as below
    completionCode: str | None = None  # noqa: N815


class _Envelope(_Part):
    header: _Header


class _Common(_Part):
    device: DeviceStatus
    exchange: str = "inactive"


class _CashManagement(_Part):
    dispenser: str | None = None
    acceptor: str | None = None


class _VendorModeStatus(_Part):
    service: VendorMode = "inactive"


class _Status(_Part):
    common: _Common
    cashManagement: _CashManagement | None = None  # noqa: N815
    vendorMode: _VendorModeStatus | None = None  # noqa: N815


class _Kinds(_Part):
    cashOut: bool = False  # noqa: N815
    reject: bool = False


class _Configuration(_Part):
    currency: str = Field(default="", max_length=3)
    value: float = 0
    types: _Kinds = _Kinds()


class _CashStatus(_Part):
    replenishmentStatus: Replenishment | None = None  # noqa: N815


class _Cash(_Part):
    configuration: _Configuration = _Configuration()
    status: _CashStatus = _CashStatus()


class _StorageUnit(_Part):
    id: str | None = Field(default=None, max_length=40)
    status: StorageStatus | None = None
    cash: _Cash | None = None


class _Storage(_Part):
    storage: dict[str, _StorageUnit] = Field(max_length=100)


class _StatusCompletion(_Part):
    payload: _Status


class _StorageCompletion(_Part):
    payload: _Storage


@dataclass(frozen=True, slots=True)
class Xfs4IotConfig:
    """Where the services are; without a vendor mode service the cash service's own word counts."""

    cash_url: str
    vendor_mode_url: str = ""
    ca_file: str = ""
    timeout_s: float = 3.0
    """For connecting, and for each answer."""


class Xfs4IotSource:
    """Keeps the contract `AtmSource`. Connections stay open between readings."""

    name = "xfs4iot"

    def __init__(self, config: Xfs4IotConfig) -> None:
        self._config = config
        self._connections: dict[str, ClientConnection] = {}
        self._open = ExitStack()
        self._request_ids = itertools.count(1)

    def read(self) -> AtmReading:
        """Ask for status and storage.

        Raises:
            NoAnswerError: not reachable, no answer in time, or one that makes no sense.
        """
        try:
            return self._read()
        except (OSError, WebSocketException, ValidationError, EOFError, ValueError) as error:
            self.close()
            raise NoAnswerError from error

    def close(self) -> None:
        """Hang up."""
        self._connections = {}
        with suppress(OSError, WebSocketException):
            self._open.close()

    def _read(self) -> AtmReading:
        status = self._ask(self._config.cash_url, "Common.Status", _StatusCompletion).payload
        storage = self._ask(self._config.cash_url, "Storage.GetStorage", _StorageCompletion).payload
        vendor_mode = status.vendorMode or _VendorModeStatus()
        if self._config.vendor_mode_url:
            found = self._ask(self._config.vendor_mode_url, "Common.Status", _StatusCompletion).payload
            vendor_mode = found.vendorMode or vendor_mode
        management = status.cashManagement or _CashManagement()
        dispenser = _units_status(management.dispenser) or "unknown"
        return AtmReading(
            device=status.common.device,
            vendor_mode=vendor_mode.service,
            is_exchanging=status.common.exchange == "active",
            dispenser=dispenser,
            reason=_reason(status.common.device, dispenser),
            acceptor=_units_status(management.acceptor),
            units=tuple(_units(storage)),
        )

    def _ask(self, url: str, name: str, kind: type[P]) -> P:
        request_id = next(self._request_ids)
        milliseconds = round(self._config.timeout_s * 1000)
        connection = self._connections.get(url) or self._connect(url)
        connection.send(_command(name, request_id, milliseconds))
        return kind.model_validate_json(self._answer(connection, name, request_id))

    def _answer(self, connection: ClientConnection, name: str, request_id: int) -> str:
        """Wait for the completion of a request; what else comes (acknowledge, events) is passed over.

        Raises:
            TimeoutError: it did not come in time, or the service talks without end.
            ValueError: the service could not do it.
        """
        deadline = time.monotonic() + self._config.timeout_s
        for _ in range(_MOST_MESSAGES):
            text = connection.recv(timeout=max(0.0, deadline - time.monotonic()), decode=True)
            header = _Envelope.model_validate_json(text).header
            if (header.type, header.name, header.requestId) == ("completion", name, request_id):
                if header.completionCode != "success":
                    raise ValueError(header.completionCode)
                return text
        raise TimeoutError

    def _connect(self, url: str) -> ClientConnection:
        to, is_secure = urlsplit(url), url.startswith("wss:")
        address = (to.hostname or "", to.port or (443 if is_secure else 80))
        way = connect(
            url,
            sock=socket.create_connection(address, self._config.timeout_s),  # one of our own is never redirected
            ssl=ssl.create_default_context(cafile=self._config.ca_file or None) if is_secure else None,
            open_timeout=self._config.timeout_s,
            close_timeout=0.5,
            ping_interval=None,
            max_size=_LARGEST,
            compression=None,
            proxy=None,
        )
        connection = self._connections[url] = self._open.enter_context(way)
        return connection


def _command(name: str, request_id: int, timeout_ms: int) -> str:
    """Return a command without payload; only these two names are ever asked."""
    if name not in ("Common.Status", "Storage.GetStorage"):
        raise ValueError(name)
    return (
        f'{{"header":{{"type":"command","name":"{name}","requestId":{request_id},"version":"2.0","timeout":{timeout_ms}}}'
        ',"payload":{}}'
    )


def _units_status(word: str | None) -> UnitsStatus | None:
    """Return the state of all units together, from old and new words; anything else is unknown."""
    match _OLD_WORDS.get(word or "", word):
        case "ok" | "attention" | "stop" | "unknown" as known:
            return known
        case None:
            return None
        case _:
            return "unknown"


def _reason(device: DeviceStatus, dispenser: UnitsStatus) -> str:
    """Return what the machine complains about, in the standard's words; for operators only."""
    words = [] if device in ("online", "deviceBusy") else [str(device)]
    return ", ".join([*words, "dispenser stop"] if dispenser == "stop" else words)


def _units(storage: _Storage) -> Iterator[CashUnit]:
    """Yield the units that tell their state; one that does not is left out, never taken for full."""
    for name, unit in itertools.islice(storage.storage.items(), _MOST_UNITS):
        replenishment = unit.cash.status.replenishmentStatus if unit.cash else None
        if unit.cash is None or unit.status is None or replenishment is None:
            continue
        configuration = unit.cash.configuration
        yield CashUnit(
            id=(unit.id or name)[:40],
            currency=configuration.currency or "EUR",
            denomination_bucket=_bucket(configuration.value),
            replenishment=replenishment,
            status=unit.status,
            is_dispensable=configuration.types.cashOut and not configuration.types.reject,
        )


def _bucket(value: float) -> str:
    """Return a range of notes: the exact value would say more about the filling than operators need."""
    if value <= 0:
        return "mixed"
    return "small" if value <= _SMALL_NOTE else "large"
