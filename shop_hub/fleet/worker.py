"""The hub's device side: takes the leases, speaks MQTT, and gives the leases back at the end.

`Worker(hub, dispatcher).start()` returns at once; everything runs in threads of this process. Create and start it
after any fork. On PostgreSQL several workers share the partitions evenly.
"""

import logging
import threading
from contextlib import suppress
from typing import Protocol

from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.ids import random_base32
from shop_hub.core.settings import Settings
from shop_hub.fleet import partitions
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.errors import AWAY
from shop_hub.fleet.hublease import LeaseKeeper
from shop_hub.fleet.means import Setup
from shop_hub.fleet.partitions import Partition
from shop_hub.fleet.provisioning import device_key
from shop_hub.fleet.registry import Registry
from shop_hub.fleet.seat import Seat
from shop_hub.fleet.signins import ByHand, SignIns, accounts, directory, hub_password
from shop_hub.fleet.wake import CHANGED, CHANNEL, counter

log = logging.getLogger(__name__)

_RETRY_S = 1.0


class Hub(Protocol):
    """What the worker needs of the application."""

    settings: Settings
    database: Database
    hasher: SecretHasher


class Worker:
    """Holds this process's share of the partitions, each in a seat."""

    def __init__(self, hub: Hub, dispatcher: Dispatcher) -> None:
        self._hub = hub
        self._owner = random_base32()
        self._stopping = threading.Event()
        mqtt = hub.settings.mqtt
        self._setup = Setup(
            database=hub.database,
            dispatcher=Dispatcher() if mqtt.collects else dispatcher,
            mqtt=mqtt.model_copy(update={"password": hub_password(hub.hasher, mqtt)}),
            client_id=f"{mqtt.user}-{hub.hasher.derive('mqtt-client').hex()[:20]}",
            key=self._key,
            sign_ins=self._sign_ins,
            home=hub.settings.home_assistant,
        )
        self._keepers: dict[Partition, LeaseKeeper] = {}
        self._seats: dict[Partition, Seat] = {}
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    @property
    def seats(self) -> list[Seat]:
        """Return what this process holds now."""
        return [seat for seat in list(self._seats.values()) if seat.is_leading]

    @property
    def is_leading(self) -> bool:
        """Tell whether this process is the hub of any partition now."""
        return bool(self.seats)

    @property
    def is_connected(self) -> bool:
        """Tell whether the broker has accepted this hub, in all its seats."""
        seats = self.seats
        return bool(seats) and all(seat.is_connected for seat in seats)

    @property
    def committed(self) -> int:
        """Return how many messages the present terms have committed."""
        return sum(seat.committed for seat in self.seats)

    def is_healthy(self) -> bool:
        """Tell whether all threads live and have turned in the last half minute."""
        return self._thread.is_alive() and all(seat.is_healthy() for seat in self.seats)

    def start(self) -> None:
        """Start in the background."""
        self._thread.start()
        if not self._hub.database.is_sqlite:
            threading.Thread(target=self._listen, name="fleet-listen", daemon=True).start()

    def stop(self) -> None:
        """Say goodbye to the broker, give the leases back, end the threads."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._balance()
            except AWAY as error:
                log.warning("the database is away", extra={"error": type(error).__name__})
            except Exception:
                log.exception("the device side failed and starts anew")
            self._stopping.wait(_RETRY_S)
        self._leave()

    def _balance(self) -> None:
        """Take free partitions up to a fair share; leave to the others what is more than that."""
        self._seats = {partition: seat for partition, seat in self._seats.items() if seat.is_alive()}
        collects = self._hub.settings.mqtt.collects
        with self._hub.database.reading() as session:
            if partitions.is_commanding(session) if collects else partitions.is_collecting(session):
                log.error("[mqtt] collects was changed after the first start: this hub takes no part in anything")
                return
            wanted = partitions.populated(session, collects=collects)
        share = self._share(len(wanted))
        for seat in list(self._seats.values())[share:]:
            seat.leave()
        for partition in self._by_turn(wanted):
            if len(self._seats) < share and partition not in self._seats:
                self._take(partition)

    def _share(self, parts: int) -> int:
        if self._hub.database.is_sqlite:
            return parts
        with self._hub.database.transaction() as session:
            return partitions.fair_share(parts, partitions.report(session, self._owner))

    def _by_turn(self, wanted: list[Partition]) -> list[Partition]:
        """Return the partitions in another order for each process, so that they do not all try the same one first."""
        start = hash(self._owner) % len(wanted)
        return wanted[start:] + wanted[:start]

    def _take(self, partition: Partition) -> None:
        keeper = self._keepers.setdefault(partition, LeaseKeeper(self._hub.database, partition, self._owner))
        reign = keeper.take()
        if reign is not None:
            self._seats[partition] = seat = Seat(self._setup, keeper, reign)
            seat.start()

    def _leave(self) -> None:
        for seat in self._seats.values():
            seat.leave()
        for seat in self._seats.values():
            seat.join(timeout=10)
        if not self._hub.database.is_sqlite:
            with suppress(*AWAY), self._hub.database.transaction() as session:
                partitions.leave(session, self._owner)

    def _key(self, site: str, slug: str, generation: int) -> bytes:
        return device_key(self._hub.hasher, site, slug, generation)

    def _sign_ins(self, partition: Partition) -> SignIns:
        """Return what tells the broker its accounts: one of all processes does, for all villages."""
        mqtt, hasher, registry = self._hub.settings.mqtt, self._hub.hasher, Registry(self._hub.database)
        teller = directory(hasher, mqtt) if partition.number == 0 else ByHand()
        return SignIns(teller, registry, lambda: accounts(hasher, mqtt, registry))

    def _listen(self) -> None:
        """Let commands of other processes wake the senders (PostgreSQL only)."""
        import psycopg  # noqa: PLC0415 - an optional extra

        address = self._hub.database.url.replace("postgresql+psycopg://", "postgresql://")
        found = counter(self._hub.database)
        while not self._stopping.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stopping.is_set():
                        for notice in connection.notifies(timeout=1.0, stop_after=1):
                            found.wake(is_changed=notice.payload == CHANGED)
            except psycopg.Error:
                log.warning("the listener for commands lost its connection")
                self._stopping.wait(_RETRY_S)
