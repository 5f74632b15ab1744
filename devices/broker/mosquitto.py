"""mosquitto: the production broker of one village; here as a child process for tests and as generator of its files."""

import base64
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from devices.broker.accounts import Account, rights
from devices.broker.child import ChildBroker
from devices.broker.directory import BrokerError, Directory, FileDirectory, write_secret
from devices.broker.mosquitto_config import Layout, config

ITERATIONS = 101
"""Few, as the passwords are 256 random bits: nobody guesses them, however fast."""
_SALT_BYTES = 12


class MosquittoFiles(FileDirectory):
    """Password file and ACL; mosquitto reads them again at SIGHUP and puts out whom they no longer let in."""

    @property
    def watched(self) -> Path:
        """The password file: it comes second, so that nobody signs in before the rights are there."""
        return self.folder / "passwd"

    def texts(self, accounts: Sequence[Account]) -> dict[str, str]:
        """Return ACL and password file."""
        return {
            "acl": "\n".join(acl(account) for account in accounts),
            "passwd": "".join(password_line(account) for account in accounts),
        }


class MosquittoBroker(ChildBroker):
    """Accounts in files."""

    def argv(self) -> list[str]:
        """Return the command line."""
        return [find_mosquitto(), "-c", str(self.folder / "mosquitto.conf")]

    @property
    def directory(self) -> Directory:
        """Where its accounts stand."""
        return MosquittoFiles(self.folder)

    def _write(self) -> None:
        write_secret(self.folder / "mosquitto.conf", config(self.layout()))
        self._write_accounts()

    def _write_accounts(self) -> None:
        MosquittoFiles(self.folder).begin(self._accounts)

    def layout(self) -> Layout:
        """Return where everything lies."""
        # Started by root it becomes the user mosquitto, who cannot read this folder
        user = "root" if os.geteuid() == 0 else ""
        return Layout(self.folder, self.folder, local_port=self.port, user=user)


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


def password_line(account: Account) -> str:
    """Return a line of the password file: PBKDF2 with SHA-512, mosquitto's format 7."""
    salt, digest = salted(account)
    return f"{account.user}:$7${ITERATIONS}${salt}${digest}\n"


def salted(account: Account) -> tuple[str, str]:
    """Return salt and digest of a password in base64. The salt follows from it: the same list is the same text."""
    salt = hashlib.sha512(f"{account.user}\0{account.password}".encode()).digest()[:_SALT_BYTES]
    digest = hashlib.pbkdf2_hmac("sha512", account.password.encode(), salt, ITERATIONS)
    return base64.b64encode(salt).decode(), base64.b64encode(digest).decode()
