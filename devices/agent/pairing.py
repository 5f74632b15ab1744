"""How a real device gets its keys: it trades a one-time code of the office for them and keeps them in a file."""

import contextlib
import json
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices.agent.agent import AgentConfig

KEYS_FILE = "device.json"
_JOURNAL = "journal"
CA_FILE = "ca.crt"
_TIMEOUT_S = 10.0
_LARGEST_ANSWER = 65_536


class PairingError(Exception):
    """No keys were got; the text says what to do."""


class _Answer(BaseModel):
    """Fields that a newer hub adds are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class BrokerPlace(_Answer):
    """How to reach the broker; `ca` is the certificate to trust alone, empty for the system's authorities."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    tls: bool
    ca: str = ""


class Paired(_Answer):
    """What the hub gives for a code."""

    site: str = Field(min_length=1)
    device: str = Field(min_length=1)
    kind: str
    name: str
    map: int = 0
    kiosk: str = ""
    user: str
    password: str = Field(min_length=1)
    key: str = Field(pattern=r"^([0-9a-f]{2}){16,}$")
    broker: BrokerPlace


@dataclass(frozen=True, slots=True)
class Code:
    """A code and the hub that gave it: typed, or both at once from the picture."""

    code: str
    hub: str

    @classmethod
    def read(cls, text: str, hub: str = "") -> "Code":
        """Return what was typed or scanned.

        Raises:
            PairingError: no hub is named.
        """
        address, _, code = text.strip().rpartition("#")
        found = (hub or address).rstrip("/")
        if not urlsplit(found).hostname:
            raise PairingError("Name the hub: --hub https://shop.example")
        return cls(code, found)


def pair(code: Code, folder: Path, *, insecure: bool = False, ca_file: str = "") -> Paired:
    """Trade a code for keys and keep them in `folder`, for this user only.

    The folder is tried before the code is used up. What a device had before is replaced only by a whole new file. The
    memory of another device that was paired here is put aside: its door map would open the wrong doors.

    Args:
        insecure: send the code and take the keys without TLS, on a wire that nobody else reads.
        ca_file: trust only this authority for the hub's certificate.

    Raises:
        PairingError: the hub was not reached or refused, or the keys cannot be kept.
    """
    if not insecure and not _is_safe(code.hub):
        raise PairingError("Without https anybody on the network can read the keys. Use https, or --insecure.")
    partial = folder / f".{KEYS_FILE}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        paired = _ask(code, ca_file)
        _keep(folder, partial, paired)
    except OSError as error:
        raise PairingError(f"The keys cannot be kept in {folder}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return paired


def load(folder: Path) -> AgentConfig:
    """Return the configuration of the agent that was paired in `folder`.

    Raises:
        PairingError: nothing usable is there.
    """
    try:
        paired = Paired.model_validate_json((folder / KEYS_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise PairingError(f"No keys in {folder}. Pair the device first.") from error
    return AgentConfig(
        site=paired.site,
        device=paired.device,
        name=paired.name,
        key=bytes.fromhex(paired.key),
        host=paired.broker.host,
        port=paired.broker.port,
        user=paired.user,
        password=paired.password,
        journal=folder / _JOURNAL,
        tls=paired.broker.tls,
        ca_file=str(folder / CA_FILE) if paired.broker.ca else "",
        map_revision=paired.map,
        kiosk=paired.kiosk,
    )


def _ask(code: Code, ca_file: str) -> Paired:
    request = urllib.request.Request(  # noqa: S310 - http and https only, see _is_safe
        f"{code.hub}/api/v1/devices/pair",
        data=json.dumps({"code": code.code}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    trust = ssl.create_default_context(cafile=ca_file or None)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=trust) as answer:  # noqa: S310 - as above
            return Paired.model_validate_json(answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise PairingError(_refusal(error.status or 0)) from error
    except ValidationError as error:
        raise PairingError("What answers there is no hub of this version.") from error
    except OSError as error:
        raise PairingError(f"The hub at {code.hub} was not reached: {error}") from error


def _refusal(status: int) -> str:
    refusals = {
        422: "This code is not right, was used, or is too old. Get a new one in the office.",
        429: "Too many wrong codes came from here. Wait a quarter of an hour.",
    }
    return refusals.get(status, f"The hub refused with status {status}.")


def _put_aside(folder: Path, paired: Paired) -> None:
    """Move a journal away unless it is known to be this device's own; the main file first, for it is what counts."""
    try:
        before = Paired.model_validate_json((folder / KEYS_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        before = None
    if before is not None and (before.site, before.device) == (paired.site, paired.device):
        return
    journals = sorted(folder.glob(f"{_JOURNAL}*"))
    if journals:
        aside = Path(tempfile.mkdtemp(prefix="former-", dir=folder))
        for path in journals:
            path.replace(aside / path.name)


def _keep(folder: Path, partial: Path, paired: Paired) -> None:
    _put_aside(folder, paired)
    if paired.broker.ca:
        (folder / CA_FILE).write_text(paired.broker.ca, encoding="ascii")
    with partial.open("w", encoding="utf-8") as file:
        file.write(paired.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / KEYS_FILE)


def _is_safe(hub: str) -> bool:
    parts = urlsplit(hub)
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"
