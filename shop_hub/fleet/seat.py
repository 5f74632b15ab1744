"""One partition held by this process: a term of being its hub, for as long as the lease lasts."""

import logging
import threading
import time

from shop_hub.fleet.collection import Collection
from shop_hub.fleet.errors import AWAY
from shop_hub.fleet.hublease import LeaseKeeper, Reign
from shop_hub.fleet.means import Setup
from shop_hub.fleet.term import Term

log = logging.getLogger(__name__)

_TURN_S = 0.25
_STUCK_S = 30.0


class Seat(threading.Thread):
    """Runs until `leave`, or until the lease is lost."""

    def __init__(self, setup: Setup, keeper: LeaseKeeper, reign: Reign) -> None:
        super().__init__(name=f"fleet-{reign.partition.number}", daemon=True)
        self._setup, self._keeper, self.reign = setup, keeper, reign
        self._leaving = threading.Event()
        self._term: Term | None = None
        self._turns_seen = 0
        self._turned_at = time.monotonic()

    @property
    def is_leading(self) -> bool:
        """Tell whether the term has begun and goes on."""
        return self._term is not None

    @property
    def is_connected(self) -> bool:
        """Tell whether the broker has accepted this partition's hub."""
        term = self._term
        return term is not None and term.is_connected

    @property
    def committed(self) -> int:
        """Return how many messages this term has committed."""
        term = self._term
        return 0 if term is None else term.committed

    def is_healthy(self) -> bool:
        """Tell whether the threads live and have turned in the last half minute."""
        term = self._term
        if term is None:
            return True
        now = time.monotonic()
        if term.turns != self._turns_seen:
            self._turns_seen, self._turned_at = term.turns, now
        return term.is_alive and now - self._turned_at < _STUCK_S

    def leave(self) -> None:
        """Have the partition given to somebody else; returns at once."""
        self._leaving.set()

    def run(self) -> None:
        """Hold the partition."""
        log.info(
            "this process is the hub",
            extra={
                "partition": self.reign.partition.number,
                "boot": self.reign.boot,
                "generation": self.reign.generation,
            },
        )
        try:
            self._hold()
        except AWAY as error:
            log.warning("the database is away", extra={"error": type(error).__name__})
        except Exception:
            log.exception("the device side failed and starts anew")

    def _hold(self) -> None:
        kind = Collection if self.reign.partition.collects else Term
        term = kind(self._setup, self._keeper, self.reign)
        try:
            term.start()
            self._term = term
            self._keep(term)
        finally:
            self._term = None
            term.close()
            if self._leaving.is_set():
                self._keeper.release()

    def _keep(self, term: Term) -> None:
        """Turn until the end or until the lease is lost; a database that is away for a moment loses nothing."""
        while not self._leaving.wait(_TURN_S):
            try:
                if not self._keeper.renew():
                    log.warning("another process is the hub now")
                    return
                term.turn()
            except AWAY:
                if not self._keeper.is_safe():
                    log.warning("the lease could not be renewed in time")
                    return
