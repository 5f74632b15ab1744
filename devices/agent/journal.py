"""What a device must not forget: verdicts, messages the hub has not committed yet, and a few notes.

One SQLite file per device (WAL, synchronous FULL): every write is on disk before the caller goes on. Used by one
thread, the desk. Both tables are pruned by count, never by date, for the clock may be wrong.
"""

import json
import logging
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from devices.protocol.ids import new_epoch
from devices.protocol.messages import Result

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS life (epoch TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    gen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS command (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, node TEXT NOT NULL,
    op TEXT NOT NULL, verdict TEXT);
CREATE TABLE IF NOT EXISTS message (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, node TEXT NOT NULL,
    body TEXT NOT NULL, acked INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS message_open ON message (seq) WHERE acked = 0;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_PRUNE_EVERY = 200
_STEP = 1000
"""Boots are counted in steps of chance: one that a bad card has forgotten must not come again with the same number,
or its states would pass for those of the other."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the journal knows of a command: `result` is None while it is being executed."""

    node: str
    op: str
    result: Result | None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """An event or result as it was issued; `body` is its JSON."""

    seq: int
    kind: str
    node: str
    body: str


class Journal:
    """The durable memory of one device.

    A file that cannot be read is put aside and a new one begun: the new `epoch` tells the hub that what was open is
    unknown.
    """

    def __init__(self, path: Path, *, keep_commands: int = 10_000, keep_messages: int = 20_000) -> None:
        self._keep_commands, self._keep_messages = keep_commands, keep_messages
        self._writes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError:
            log.exception("the journal cannot be read; it is put aside and a new one begun")
            path.replace(path.with_suffix(f".broken-{new_epoch()}"))
            self._db = _open(path)
        life = self._db.execute("SELECT epoch, boot, seq, gen FROM life").fetchone()
        self.epoch = str(life[0])
        self.boot, self.seq, self.gen = (int(number) for number in life[1:])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def begin_life(self) -> None:
        """Begin a new life, because this memory turned out to be older than what the hub has heard.

        Commands stay known, so that none is carried out again; messages of the old life are given up, since their
        numbers are taken.
        """
        epoch = new_epoch()
        with self._writing():
            self._db.execute("UPDATE life SET epoch = ?, boot = 1, seq = 0", (epoch,))
            self._db.execute("DELETE FROM message")
        self.epoch, self.boot = epoch, 1

    def raise_generation(self, gen: int) -> None:
        """Remember the hub's newer generation."""
        with self._writing():
            self._db.execute("UPDATE life SET gen = ?", (gen,))
        self.gen = gen

    def find(self, command_id: str) -> Verdict | None:
        """Return what is known of a command, or None if its id was never seen."""
        row = self._db.execute("SELECT node, op, verdict FROM command WHERE id = ?", (command_id,)).fetchone()
        if row is None:
            return None
        return Verdict(row[0], row[1], None if row[2] is None else Result.model_validate_json(row[2]))

    def begin(self, command_id: str, node: str, op: str) -> None:
        """Write that this command is being executed."""
        with self._writing():
            self._db.execute(
                "INSERT INTO command (id, node, op) VALUES (?, ?, ?)",
                (command_id, node, op),
            )

    def finish(self, result: Result, node: str, op: str) -> None:
        """Write the final verdict of a command and queue it for the hub; `result.seq` must come from `next_seq`."""
        body = result.model_dump_json()
        with self._writing():
            self._db.execute(
                "INSERT INTO command (id, node, op, verdict) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET verdict = excluded.verdict WHERE verdict IS NULL",
                (result.id, node, op, body),
            )
            self._issue(result.seq, "result", node, body)

    def unfinished(self) -> list[tuple[str, str, str]]:
        """Return (id, node, op) of the commands without verdict, oldest first."""
        return list(self._db.execute("SELECT id, node, op FROM command WHERE verdict IS NULL ORDER BY n"))

    def next_seq(self) -> int:
        """Return the number of the next event or result; it counts from the moment it is written."""
        return self.seq + 1

    def add_event(self, seq: int, node: str, body: str) -> None:
        """Write an event and queue it for the hub."""
        with self._writing():
            self._issue(seq, "event", node, body)

    def messages_after(self, seq: int, limit: int) -> list[StoredMessage]:
        """Return up to `limit` messages with a higher number, in order."""
        rows = self._db.execute(
            "SELECT seq, kind, node, body FROM message WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        )
        return [StoredMessage(*row) for row in rows]

    def oldest_open(self) -> int | None:
        """Return the lowest number the hub has not acknowledged, or None."""
        row = self._db.execute("SELECT min(seq) FROM message WHERE acked = 0").fetchone()
        return None if row[0] is None else int(row[0])

    def acknowledge(self, seq: int) -> None:
        """Note that the hub has committed everything up to `seq`."""
        with self._writing():
            self._db.execute("UPDATE message SET acked = 1 WHERE acked = 0 AND seq <= ?", (seq,))

    def note(self, name: str) -> JsonValue:
        """Return a note, or None."""
        row = self._db.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def write_note(self, name: str, value: JsonValue) -> None:
        """Write or replace a note; None removes it."""
        with self._writing():
            if value is None:
                self._db.execute("DELETE FROM note WHERE name = ?", (name,))
            else:
                self._db.execute(
                    "INSERT INTO note (name, value) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (name, json.dumps(value)),
                )

    def _issue(self, seq: int, kind: str, node: str, body: str) -> None:
        self._db.execute("INSERT INTO message (seq, kind, node, body) VALUES (?, ?, ?, ?)", (seq, kind, node, body))
        self._db.execute("UPDATE life SET seq = ?", (seq,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; the number in memory follows only what reached the disk."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writes += 1
            if self._writes % _PRUNE_EVERY == 0:
                self._prune()
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self.seq = self._db.execute("SELECT seq FROM life").fetchone()[0]

    def _prune(self) -> None:
        self._db.execute(
            "DELETE FROM command WHERE verdict IS NOT NULL AND n <= (SELECT max(n) FROM command) - ?",
            (self._keep_commands,),
        )
        self._db.execute("DELETE FROM message WHERE seq <= (SELECT max(seq) FROM message) - ?", (self._keep_messages,))


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA cache_size=-256")
        # a short log is written over in place, which is quicker to force to disk than one that grows
        db.execute("PRAGMA wal_autocheckpoint=200")
        db.executescript(_SCHEMA)
        db.execute("BEGIN IMMEDIATE")
        if db.execute("SELECT count(*) FROM life").fetchone()[0] == 0:
            db.execute("INSERT INTO life VALUES (?, 0, 0, 0)", (new_epoch(),))
        db.execute("UPDATE life SET boot = CASE boot WHEN 0 THEN 1 ELSE boot + ? END", (secrets.randbelow(_STEP) + 1,))
        db.execute("COMMIT")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
