"""A village's own certificate authority, by the program `openssl`: a broker in a shop has no name on the internet."""

import ipaddress
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devices.broker.directory import BrokerError

CA = "ca.crt"
CA_KEY = "authority/ca.key"
"""Stays where it was made, away from the broker: who has it can pose as any broker."""
BROKER = "broker.crt"
BROKER_KEY = "broker.key"
_CA_DAYS = 7300
_BROKER_DAYS = 1825
"""Devices check the broker's certificate only against the authority, so a new one needs no visit to any of them."""
_AUTHORITY = ("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign")
_SERVER = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=serverAuth,clientAuth",
)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make(folder: Path, names: Sequence[str]) -> None:
    """Make a certificate for the broker's `names` (host names and addresses); the authority is made only once.

    Raises:
        BrokerError: there is no openssl, or it refuses the names.
    """
    (folder / CA_KEY).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / CA_KEY).exists():
        _request(folder, (CA, CA_KEY), ["-subj", "/CN=shop-hub devices", "-days", str(_CA_DAYS)], _AUTHORITY)
    issued = [
        "-CA",
        str(folder / CA),
        "-CAkey",
        str(folder / CA_KEY),
        "-days",
        str(_BROKER_DAYS),
        "-subj",
        "/CN=broker",
    ]
    alternatives = "subjectAltName=" + ",".join(_alternative(name) for name in names)
    _request(folder, (BROKER, BROKER_KEY), issued, [*_SERVER, alternatives])


def _request(folder: Path, files: tuple[str, str], options: Sequence[str], extensions: Sequence[str]) -> None:
    """Make a certificate and its key, which only this user can read from its first byte on."""
    crt, key = (folder / name for name in files)
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    command = ["openssl", "req", "-x509", *_EC_KEY, "-keyout", str(key), "-out", str(crt), *options]
    for extension in extensions:
        command += ["-addext", extension]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BrokerError("openssl is not installed: apt install openssl") from error
    except subprocess.CalledProcessError as error:
        raise BrokerError(error.stderr.strip()) from error


def _alternative(name: str) -> str:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if not _HOST.fullmatch(name):
            raise BrokerError(f"{name!r} is neither a host name nor an address") from None
        return f"DNS:{name}"
    if "%" in name:  # a zone may be any text, and means nothing to others
        raise BrokerError(f"{name!r} is an address of one link only")
    return f"IP:{address}"
