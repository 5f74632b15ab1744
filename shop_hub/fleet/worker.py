"""The hub's device side: takes the lease, speaks MQTT, and gives the lease back at the end.

`Worker(hub, dispatcher).start()` returns at once; everything runs in threads of this process. Create and start it
after any fork.
"""

import logging
import threading
import time
from typing import Protocol

from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.hublease import LeaseKeeper
from shop_hub.fleet.ingest import AWAY
from shop_hub.fleet.means import Setup
from shop_hub.fleet.provisioning import device_key
from shop_hub.fleet.registry import Registry
from shop_hub.fleet.signins import SignIns, accounts, directory, hub_password
from shop_hub.fleet.term import Term
from shop_hub.fleet.wake import CHANGED, CHANNEL, counter

log = logging.getLogger(__name__)

_TURN_S = 0.25
_RETRY_S = 1.0
_STUCK_S = 30.0


class Hub(Protocol):
    """What the worker needs of the application."""

    settings: Settings
    database: Database
    hasher: SecretHasher


class Worker:
    """Keeps one term of being the hub going, as long as the lease allows."""

    def __init__(self, hub: Hub, dispatcher: Dispatcher) -> None:
        self._hub = hub
        self._keeper = LeaseKeeper(hub.database)
        self._stopping = threading.Event()
        mqtt = hub.settings.mqtt
        self._setup = Setup(
            database=hub.database,
            dispatcher=dispatcher,
            mqtt=mqtt.model_copy(update={"password": hub_password(hub.hasher, mqtt)}),
            client_id=f"{mqtt.user}-{hub.hasher.derive('mqtt-client').hex()[:20]}",
            key=self._key,
            keeper=self._keeper,
            sign_ins=self._sign_ins,
        )
        self._term: Term | None = None
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._turns_seen = 0
        self._turned_at = time.monotonic()

    @property
    def is_leading(self) -> bool:
        """Tell whether this process is the hub now."""
        return self._term is not None

    @property
    def is_connected(self) -> bool:
        """Tell whether the broker has accepted this hub."""
        term = self._term
        return term is not None and term.is_connected

    @property
    def committed(self) -> int:
        """Return how many messages this term has committed."""
        term = self._term
        return 0 if term is None else term.committed

    @property
    def turns(self) -> int:
        """Return a number that grows while messages and commands are being worked on: food for the watchdog."""
        term = self._term
        return 0 if term is None else term.turns

    def is_healthy(self) -> bool:
        """Tell whether the threads live and have turned in the last half minute (or another process is the hub)."""
        term = self._term
        if not self._thread.is_alive():
            return False
        if term is None:
            return True
        now = time.monotonic()
        if term.turns != self._turns_seen:
            self._turns_seen, self._turned_at = term.turns, now
        return term.is_alive and now - self._turned_at < _STUCK_S

    def start(self) -> None:
        """Start in the background."""
        self._thread.start()
        if not self._hub.database.is_sqlite:
            threading.Thread(target=self._listen, name="fleet-listen", daemon=True).start()

    def stop(self) -> None:
        """Say goodbye to the broker, give the lease back, end the threads."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._lead_if_free()
            except AWAY as error:
                log.warning("the database is away", extra={"error": type(error).__name__})
            except Exception:
                log.exception("the device side failed and starts anew")
            self._stopping.wait(_RETRY_S)

    def _lead_if_free(self) -> None:
        reign = self._keeper.take()
        if reign is None:
            return
        log.info("this process is the hub", extra={"boot": reign.boot, "generation": reign.generation})
        term = Term(self._setup, reign)
        try:
            term.start()
            self._term = term
            self._keep(term)
        finally:
            self._term = None
            term.close()
            if self._stopping.is_set():
                self._keeper.release()

    def _keep(self, term: Term) -> None:
        """Turn until the end or until the lease is lost; a database that is away for a moment loses nothing."""
        while not self._stopping.wait(_TURN_S):
            try:
                if not self._keeper.renew():
                    log.warning("another process is the hub now")
                    return
                term.turn()
            except AWAY:
                if not self._keeper.is_safe():
                    log.warning("the lease could not be renewed in time")
                    return

    def _key(self, site: str, slug: str, generation: int) -> bytes:
        return device_key(self._hub.hasher, site, slug, generation)

    def _sign_ins(self, registry: Registry) -> SignIns:
        mqtt, hasher = self._hub.settings.mqtt, self._hub.hasher
        return SignIns(directory(hasher, mqtt), registry, lambda: accounts(hasher, mqtt, registry))

    def _listen(self) -> None:
        """Let commands of other processes wake the sender (PostgreSQL only)."""
        import psycopg  # noqa: PLC0415 - an optional extra

        address = self._hub.database.url.replace("postgresql+psycopg://", "postgresql://")
        found = counter(self._hub.database)
        while not self._stopping.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stopping.is_set():
                        for notice in connection.notifies(timeout=1.0, stop_after=1):
                            found.is_changed |= notice.payload == CHANGED
                            found.signal.set()
            except psycopg.Error:
                log.warning("the listener for commands lost its connection")
                self._stopping.wait(_RETRY_S)
