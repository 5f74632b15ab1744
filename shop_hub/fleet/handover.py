"""What a person carries to a broker: its configuration, certificates and first accounts, and what to do with them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.broker import bridge, certificates, dynsec, mosquitto_config
from devices.broker.accounts import Account
from devices.broker.bridge import Invitation
from devices.broker.directory import BrokerError, require_plain, write_secret
from devices.broker.dynsec_broker import find_plugin
from devices.broker.mosquitto import MosquittoFiles
from devices.broker.mosquitto_config import FIRST_FILE, LONG_QUEUE, QUEUE, Layout
from devices.broker.nats import NatsFiles
from devices.broker.nats_config import Server, server_config
from shop_hub.core.db import Database
from shop_hub.core.errors import OperatingError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.fleet import signins
from shop_hub.fleet.registry import Registry

STORES = {"mosquitto": Path("/var/lib/mosquitto"), "nats": Path("/var/lib/nats")}
PLACES = {"mosquitto": Path("/etc/mosquitto/shop-hub"), "nats": Path("/etc/nats/shop-hub")}
_MOSQUITTO_STEPS = """\
On the broker's machine, as root:
  mkdir -p {place} && cp {folder}/*.* {place}/ && chown -R mosquitto: {place}
  cp {place}/mosquitto.conf /etc/mosquitto/mosquitto.conf"""
_PLUGIN_STEPS = """
  install -D -m 644 {place}/service.conf /etc/systemd/system/mosquitto.service.d/shop-hub.conf
  systemctl daemon-reload && systemctl restart mosquitto
In the hub's settings: [mqtt] accounts = "dynamic-security"{tls}"""
_FILES_STEPS = """
  cp {folder}/passwd {folder}/acl {place}/ && chown mosquitto: {place}/passwd {place}/acl
  systemctl restart mosquitto    (and after each later run of this command: systemctl reload mosquitto)
In the hub's settings: [mqtt] accounts = ""{tls}"""
_NATS_STEPS = """\
On the broker's machine: cp {folder}/*.* {place}/, then start nats-server -c {place}/nats.conf
Send it SIGHUP whenever {place}/accounts.conf was replaced; config/nats/README.md shows how.
In the hub's settings: [mqtt] accounts = "nats", accounts_folder = "{place}"{tls}"""
_TLS_SETTINGS = """
  for devices: devices_host = "{name}", devices_port = {port}, ca_file = "{folder}/ca.crt"
  for a hub that comes by TLS too: host = "{name}", port = {port}, tls = true
  The key in {folder}/authority never leaves this machine."""
_INVITATIONS = """
For each village its file from {folder}/{invitations}/ (it holds a password): there, with the hub of the village,
  shop-hub devices provision ... --bridge FILE"""
INVITATIONS = "invitations"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write: for which broker, with TLS for these names if there are any, accounts told live or in files.

    `bridges` are files of invitations to a region.
    """

    broker: str
    names: tuple[str, ...] = ()
    port: int = 1883
    tls_port: int = 8883
    live: bool = True
    place: Path | None = None
    store: Path | None = None
    bridges: tuple[Path, ...] = ()


def provision(settings: Settings, folder: Path, plan: Plan) -> str:
    """Write all that a broker needs into `folder` and return what to do next, with the passwords of people's tools.

    Raises:
        OperatingError: the folder, the names or this machine do not allow it.
    """
    hasher = SecretHasher(settings.secret())
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if plan.names:
            certificates.make(folder, plan.names)
        steps = _WRITERS[plan.broker](settings, hasher, folder, plan)
        if settings.mqtt.collects:
            steps += _invite(settings, hasher, folder, plan)
    except (BrokerError, OSError) as error:
        raise OperatingError(str(error)) from error
    services = [f"  {user}: {signins.service_password(hasher, user)}" for user, _role in signins.SERVICES]
    return "\n".join([steps, "Passwords for reading along (monitor) and Home Assistant (ha):", *services])


def _mosquitto(settings: Settings, hasher: SecretHasher, folder: Path, plan: Plan) -> str:
    place, store = _places(plan)
    layout = Layout(
        place,
        store,
        plan.port,
        tls_port=plan.tls_port if plan.names else 0,
        plugin=find_plugin() if plan.live else None,
        queue=LONG_QUEUE if settings.mqtt.collects else QUEUE,
    )
    sections = "".join(_bridge(settings, folder, place, path) for path in plan.bridges)
    write_secret(folder / "mosquitto.conf", mosquitto_config.config(layout) + sections)
    if plan.live:
        write_secret(folder / "service.conf", mosquitto_config.service(layout))
        mqtt = settings.mqtt
        hub = Account(mqtt.user, signins.hub_password(hasher, mqtt), signins.hub_role(mqtt), ())
        write_secret(folder / FIRST_FILE, dynsec.first_file([hub], signins.admin(hasher)))
    else:
        MosquittoFiles(folder).put(_everybody(settings, hasher))
    steps = _MOSQUITTO_STEPS + (_PLUGIN_STEPS if plan.live else _FILES_STEPS)
    return steps.format(folder=folder, place=place, tls=_tls(folder, plan))


def _places(plan: Plan) -> tuple[Path, Path]:
    """Return where on the broker's machine its files and its messages will lie."""
    place, store = plan.place or PLACES[plan.broker], plan.store or STORES[plan.broker]
    require_plain(place, store)
    return place, store


def _bridge(settings: Settings, folder: Path, place: Path, path: Path) -> str:
    """Return the section for one invitation, and lay the region's certificate beside the configuration."""
    invitation = Invitation.read(path)
    if invitation.site not in _registry(settings).sites:
        raise BrokerError(f"{path} invites the shop {invitation.site}, which this hub does not have.")
    certificate = bridge.ca_file(invitation.site)
    (folder / certificate).write_text(invitation.ca, encoding="utf-8")
    return bridge.section(invitation, place / certificate)


def _invite(settings: Settings, hasher: SecretHasher, folder: Path, plan: Plan) -> str:
    """Write an invitation for each village; return what to do with them."""
    if not plan.names:
        raise BrokerError("A region is reached from outside: give the broker's names with --name.")
    (folder / INVITATIONS).mkdir(exist_ok=True, mode=0o700)
    ca = (folder / certificates.CA).read_text(encoding="utf-8")
    addresses = [bridge.address(name, plan.tls_port) for name in plan.names]
    for site in sorted(_registry(settings).sites):
        invitation = Invitation.of(signins.bridge_account(hasher, site), addresses, ca)
        write_secret(folder / INVITATIONS / f"{site}.json", invitation.model_dump_json(indent=1))
    return _INVITATIONS.format(folder=folder, invitations=INVITATIONS)


def _nats(settings: Settings, hasher: SecretHasher, folder: Path, plan: Plan) -> str:
    if plan.bridges:
        raise BrokerError("Only mosquitto can pass on to a region what it hears: --broker mosquitto.")
    place, store = _places(plan)
    server = Server("shop-hub", place, store, plan.port, tls_port=plan.tls_port if plan.names else 0)
    write_secret(folder / "nats.conf", server_config(server))
    NatsFiles(folder).put(_everybody(settings, hasher))
    return _NATS_STEPS.format(folder=folder, place=place, tls=_tls(folder, plan))


_Writer = Callable[[Settings, SecretHasher, Path, Plan], str]
_WRITERS: dict[str, _Writer] = {"mosquitto": _mosquitto, "nats": _nats}


def _everybody(settings: Settings, hasher: SecretHasher) -> list[Account]:
    return signins.accounts(hasher, settings.mqtt, _registry(settings))


def _registry(settings: Settings) -> Registry:
    """Return the sites and devices of this moment."""
    database = Database(settings.database)
    try:
        registry = Registry(database)
        registry.refresh()
        return registry
    finally:
        database.dispose()


def _tls(folder: Path, plan: Plan) -> str:
    return _TLS_SETTINGS.format(folder=folder, port=plan.tls_port, name=plan.names[0]) if plan.names else ""
