"""Who may sign in at the broker: the list follows the registry, at every start of a hub and at every change.

Where the broker takes its accounts from files, the hub replaces the file and whoever runs the broker has it read again:
the hub needs no right to signal or administer it. Only the one process that is the hub does this, never a web process.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from devices.broker import bridge, dynsec
from devices.broker.accounts import Account, Role
from devices.broker.directory import BrokerError, Directory
from devices.broker.dynsec import DynamicSecurity
from devices.broker.nats import NatsFiles
from devices.protocol import topics
from devices.protocol.bus import BusConfig
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Mqtt
from shop_hub.fleet.errors import AWAY
from shop_hub.fleet.provisioning import broker_password
from shop_hub.fleet.registry import Registry

log = logging.getLogger(__name__)

_RETRY_S = 1.0
SERVICES = (("monitor", Role.MONITOR), ("ha", Role.HOME))


def accounts(hasher: SecretHasher, mqtt: Mqtt, registry: Registry) -> list[Account]:
    """Return the accounts of the hub, its services and every device in use, in a fixed order."""
    sites = tuple(sorted(registry.sites))
    services = [Account(user, service_password(hasher, user), role, sites) for user, role in SERVICES]
    if mqtt.collects:
        return [*_hubs(hasher, mqtt, registry), *services, *(bridge_account(hasher, site) for site in sites)]
    devices = [
        Account.for_device(
            info.site,
            info.slug,
            broker_password(hasher, topics.user_name(info.site, info.slug), info.key_generation),
        )
        for info in sorted(registry.all(), key=lambda info: info.id)
    ]
    return [*_hubs(hasher, mqtt, registry), *services, *devices]


def _hubs(hasher: SecretHasher, mqtt: Mqtt, registry: Registry) -> list[Account]:
    """Return the hub's own accounts, one for each partition: mosquitto allows one connection for each name."""
    found = []
    for partition in registry.partitions:
        sites = tuple(sorted(slug for slug, site_id in registry.sites.items() if partition.has(site_id)))
        if sites or not partition.number:
            found.append(Account(mqtt.user + partition.suffix, hub_password(hasher, mqtt), hub_role(mqtt), sites))
    return found


def hub_role(mqtt: Mqtt) -> Role:
    """Return the hub's own rights: in a region it may only read."""
    return Role.MONITOR if mqtt.collects else Role.HUB


def bridge_account(hasher: SecretHasher, site: str) -> Account:
    """Return the account of a village's broker at the region's."""
    return bridge.account(site, broker_password(hasher, bridge.user_name(site)))


def service_password(hasher: SecretHasher, user: str) -> str:
    """Return the password of a reading service."""
    return broker_password(hasher, user)


def hub_password(hasher: SecretHasher, mqtt: Mqtt) -> str:
    """Return the hub's own password: the one set, else derived as the devices' are."""
    return mqtt.password or broker_password(hasher, mqtt.user)


def directory(hasher: SecretHasher, mqtt: Mqtt) -> Directory:
    """Return where the broker's accounts are kept."""
    match mqtt.accounts:
        case "nats":
            return NatsFiles(Path(mqtt.accounts_folder))
        case "dynamic-security":
            return DynamicSecurity(_admin_connection(hasher, mqtt))
        case _:
            return ByHand()


def admin(hasher: SecretHasher) -> Account:
    """Return the account that may change the others and nothing else."""
    return Account(dynsec.ADMIN, broker_password(hasher, dynsec.ADMIN), Role.ADMIN, ())


def _admin_connection(hasher: SecretHasher, mqtt: Mqtt) -> BusConfig:
    account = admin(hasher)
    return BusConfig(
        host=mqtt.host,
        port=mqtt.port,
        client_id=account.user,
        user=account.user,
        password=account.password,
        tls=mqtt.tls,
        ca_file=mqtt.ca_file if mqtt.tls else "",
        more=mqtt.more_addresses,
    )


class ByHand(Directory):
    """A person tells the broker, with `shop-hub devices provision`."""

    def put(self, accounts: Sequence[Account]) -> None:
        """Leave it to the person."""


class SignIns:
    """Tells the broker in a thread of its own; what fails is tried again every second."""

    def __init__(self, directory: Directory, registry: Registry, wanted: Callable[[], list[Account]]) -> None:
        self._directory, self._registry, self._wanted = directory, registry, wanted
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._afresh = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-signins", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Tell the broker."""
        self.tell_afresh()
        self._thread.start()

    def tell_afresh(self) -> None:
        """Tell the broker all accounts, whatever it was told before: it may be another one, or have lost its list."""
        self._afresh.set()
        self._wake.set()

    def look(self) -> None:
        """Have the registry compared with what the broker was told last."""
        self._wake.set()

    def close(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        told: object = None
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                self._registry.refresh()
                known = self._picture()
                if known == told and not self._afresh.is_set():
                    continue
                self._afresh.clear()
                self._directory.put(self._wanted())
                told = known
            except (BrokerError, OSError, *AWAY) as error:
                log.warning("the broker was not told its accounts; tried again: %s", error)
                self._try_again()
            except Exception:
                log.exception("the broker was not told its accounts; tried again")
                self._try_again()

    def _try_again(self) -> None:
        self.tell_afresh()
        self._stopping.wait(_RETRY_S)

    def _picture(self) -> object:
        devices = {(info.site, info.slug, info.key_generation) for info in self._registry.all()}
        return frozenset(self._registry.sites), frozenset(devices)
