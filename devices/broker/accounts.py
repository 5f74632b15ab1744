"""Who may do what at the broker, as literal MQTT filters (devices.md section 7)."""

from dataclasses import dataclass
from enum import StrEnum

from devices.protocol import topics
from devices.protocol.kinds import ATM, KINDS

DYNAMIC_SECURITY = "$CONTROL/dynamic-security/#"
"""Where mosquitto's plugin takes orders and answers."""
MOST_HOME_SITES = 16
"""So many villages a `home` may read: with more, its rights are too long for one message to mosquitto's plugin."""


class Role(StrEnum):
    """`home` is Home Assistant or openHAB: it reads states and may only wish. `admin` may only change accounts.

    `bridge` is the broker of a village at the broker of its region: it tells what the village's devices told.
    """

    HUB = "hub"
    DEVICE = "device"
    MONITOR = "monitor"
    HOME = "home"
    ADMIN = "admin"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Account:
    """One user. A device belongs to one site; hub, monitor and home may serve several."""

    user: str
    password: str
    role: Role
    sites: tuple[str, ...]
    device: str = ""

    @classmethod
    def for_device(cls, site: str, device: str, password: str) -> "Account":
        """Return a device's account under its usual user name."""
        return cls(topics.user_name(site, device), password, Role.DEVICE, (site,), device)


@dataclass(frozen=True, slots=True)
class Rights:
    """MQTT filters a user may publish to and subscribe to; everything else is refused."""

    write: tuple[str, ...]
    read: tuple[str, ...]


def rights(account: Account) -> Rights:
    """Return what an account may do. Site names are literal: a pattern would let a device write under other sites."""
    match account.role:
        case Role.DEVICE:
            return _device(account.sites[0], account.device)
        case Role.HUB:
            trees = tuple(topics.site_filter(site) for site in account.sites)
            return Rights((*trees, "homeassistant/#"), (*trees, "homeassistant/status"))
        case Role.MONITOR:
            return Rights((), tuple(topics.site_filter(site) for site in account.sites))
        case Role.HOME:
            return _home(account.sites)
        case Role.ADMIN:
            return Rights((DYNAMIC_SECURITY,), (DYNAMIC_SECURITY,))
        case Role.BRIDGE:
            return Rights(bridged(account.sites[0]), ())


def bridged(site: str) -> tuple[str, ...]:
    """Return what a region hears of a village: all that its devices tell, but no lease; commands lie one level deeper.

    The descriptions come first: by them a collecting hub gets to know the devices. The last one also holds the clock
    of the village's hub, by which a region knows that it still hears the village.
    """
    root = f"{site}/{topics.VERSION}"
    return f"{root}/+/$description", f"{root}/+/$state", f"{root}/+/+/+"


def _device(site: str, device: str) -> Rights:
    own = topics.device_topic(site, device)
    return Rights(
        # own/+/+ is a property, an accept, a result or an event; commands are one level deeper
        write=(f"{own}/$state", f"{own}/$description", f"{own}/$alert/+", f"{own}/lease", f"{own}/+/+"),
        read=(f"{own}/+/command/set", f"{own}/log/+/set", f"{own}/$state", topics.clock_topic(site)),
    )


def _home(sites: tuple[str, ...]) -> Rights:
    """Name each property: `+` in its place would also match events and results, which hold codes and cards in clear."""
    bases = [f"{site}/{topics.VERSION}" for site in sites] if len(sites) <= MOST_HOME_SITES else []
    kinds = ("$state", "$description", "$alert/+", *(f"+/{name}" for name in _home_properties()))
    return Rights(
        write=("homeassistant/status", *(f"{base}/hub/remote/command/set" for base in bases)),
        read=("homeassistant/#", *(f"{base}/+/{kind}" for base in bases for kind in kinds)),
    )


def _home_properties() -> list[str]:
    """Return the names of all properties but the cash machine's, which tell how much money is in it."""
    money = {name for node in ATM.nodes for name in node.properties}
    return sorted({name for kind in KINDS.values() for node in kind.nodes for name in node.properties} - money)
