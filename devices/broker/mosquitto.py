"""mosquitto: the production broker of one village; here as a child process for tests and as generator of its files."""

import base64
import hashlib
import os
import secrets
import shutil

from devices.broker.accounts import Account, rights
from devices.broker.child import BrokerError, ChildBroker, write_secret

_ITERATIONS = 101
_SALT_BYTES = 12


class MosquittoBroker(ChildBroker):
    """Settings as in devices.md section 7: without them it forgets, throttles or delays."""

    def argv(self) -> list[str]:
        """Return the command line."""
        return [find_mosquitto(), "-c", str(self.folder / "mosquitto.conf")]

    def _write(self) -> None:
        write_secret(self.folder / "passwd", "".join(_password_line(account) for account in self._accounts))
        write_secret(self.folder / "acl", "\n".join(acl(account) for account in self._accounts))
        write_secret(self.folder / "mosquitto.conf", self._config())

    def _config(self) -> str:
        lines = [
            f"listener {self.port} {self.host}",
            "allow_anonymous false",
            f"password_file {self.folder / 'passwd'}",
            f"acl_file {self.folder / 'acl'}",
            "use_username_as_clientid true",
            "set_tcp_nodelay true",
            "max_queued_messages 200000",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_interval 1",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # else it becomes the user mosquitto, who cannot read this folder
        return "\n".join(lines) + "\n"


def find_mosquitto() -> str:
    """Return the path of the program.

    Raises:
        BrokerError: it is not installed.
    """
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        raise BrokerError("mosquitto is not installed: apt install mosquitto")
    return found


def acl(account: Account) -> str:
    """Return an account's block of the ACL file."""
    allowed = rights(account)
    lines = [f"user {account.user}"]
    lines += [f"topic write {mqtt_filter}" for mqtt_filter in allowed.write]
    lines += [f"topic read {mqtt_filter}" for mqtt_filter in allowed.read]
    return "\n".join(lines) + "\n"


def _password_line(account: Account) -> str:
    """Return a line of the password file: PBKDF2 with SHA-512, mosquitto's format 7."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", account.password.encode(), salt, _ITERATIONS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{account.user}:$7${_ITERATIONS}${'$'.join(encoded)}\n"
