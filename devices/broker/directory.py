"""A broker's list of accounts, as somebody who adds and removes accounts sees it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from devices.broker.accounts import Account

_PATH = re.compile(r"[A-Za-z0-9/._-]+")


class BrokerError(Exception):
    """The broker could not be started or told; the text says why."""


def require_plain(*paths: Path) -> None:
    """Refuse paths that would mean more than themselves in the files of mosquitto, nats-server, systemd or a shell.

    Raises:
        BrokerError: there is another character than letters, digits, dot, hyphen and underscore in a name.
    """
    for path in paths:
        if not _PATH.fullmatch(str(path)):
            raise BrokerError(f"{str(path)!r}: only letters A to Z, digits, dots, hyphens and underscores, please.")


class Directory(ABC):
    """Whoever is not in the list any more, or has another password there, is out at once, live sessions too."""

    @abstractmethod
    def put(self, accounts: Sequence[Account]) -> None:
        """Make these the accounts of the broker; the same list again changes nothing.

        Raises:
            BrokerError: it was not told.
            OSError: its files cannot be written.
        """


class FileDirectory(Directory):
    """A list in files of `folder`. Who runs the broker has it read them again when one of `watched` was replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    @abstractmethod
    def watched(self) -> Path:
        """The file that is replaced last."""

    @abstractmethod
    def texts(self, accounts: Sequence[Account]) -> dict[str, str]:
        """Return the files by name, in the order in which they are replaced."""

    def put(self, accounts: Sequence[Account]) -> None:
        """Replace the files that differ, each as a whole, readable by this user only."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, text in self.texts(accounts).items():
            path = self.folder / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_secret(path, text)

    def begin(self, accounts: Sequence[Account] | None) -> None:
        """Make these the accounts at a start of the broker; with None what is there stays."""
        if accounts is not None or not self.watched.exists():
            self.put(accounts or ())


def write_secret(path: Path, text: str) -> None:
    """Write a file that only this user can read; whoever reads it sees the old one or the new one, never a part."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
