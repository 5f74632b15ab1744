"""The configuration of mosquitto for one village, with the reasons."""

from dataclasses import dataclass
from pathlib import Path

from devices.broker import certificates

DYNSEC_FILE = "dynamic-security.json"
FIRST_FILE = "first-accounts.json"
"""Hub and administrator: with them the hub gets in and tells all the others."""
_HEAD = """\
# Mosquitto for one village, written by `shop-hub devices provision`. Recommended 2.0.15 or newer; 2.0.11 of Debian 12
# works with MQTT 3.1.1. One account per device: user name = client id = <site>_<device>; `hub`, `monitor` (reads all)
# and `ha` (Home Assistant: reads states, may only wish) are reserved.
"""
_DYNSEC = """
# Accounts and rights: kept by the plugin, told by the hub over MQTT ([mqtt] accounts = "dynamic-security"): a revoked
# device is cut at once. Without the plugin nobody must get in, so no file of passwords stands beside it.
"""
_FILES = """
# Accounts and rights in files: literal names, no `pattern … +/%u`, which would let a device write under other sites.
# Read again at `systemctl reload mosquitto`, which also cuts whom the files no longer let in.
"""
_REST = """
# A lock waits for no packet to fill: without this a command takes 88 ms instead of 1 ms.
set_tcp_nodelay true

# What was acknowledged must survive a power cut as far as the broker can: at most one second is lost, and the devices
# keep their events until the hub's own acknowledgement anyway.
persistence true
persistence_location {store}/
autosave_on_changes false
autosave_interval 1
persistent_client_expiration 30d

# The queue of the hub while it is away; the default of 1,000 throws the rest away, acknowledged or not.
max_queued_messages {queue}
max_inflight_messages 100

# Messages of this protocol are at most 4 kB, Home Assistant's descriptions a few more: a device that shouts must not
# fill the memory. Mosquitto knows no limit of messages per second; the hub cuts and sheds what it cannot take in.
max_packet_size 65536
max_keepalive 60
# No memory_limit: beside the plugin the broker miscounts (seen with 2.0.11), then refuses everybody and saves nothing.
"""
_TLS = """
# Devices: with TLS only
listener {port}
max_connections {connections}
use_username_as_clientid true
cafile {folder}/{ca}
certfile {folder}/{certificate}
keyfile {folder}/{key}
tls_version tlsv1.2
"""
_LOCAL = """
# The hub on the same machine
listener {port} 127.0.0.1
max_connections {connections}
use_username_as_clientid true
"""
_CONNECTIONS = 2000
QUEUE = 200_000
"""In a village, for the hub and for a region: all that is kept is saved again every other second, and meanwhile no lock
is told anything (config/mosquitto/README.md)."""
LONG_QUEUE = 1_000_000
"""Of a region's broker, which commands no locks: its hub is mended later than one in a shop."""
_SERVICE = """\
# For /etc/systemd/system/mosquitto.service.d/. The plugin of 2.0.11 writes its file in place: a power cut may leave it
# empty, and then nobody gets in. The hub tells all other accounts as soon as it is let in.
[Service]
ExecStartPre=/bin/sh -c 'python3 -m json.tool {store} /dev/null 2>/dev/null || \
  install -o mosquitto -g mosquitto -m 600 {first} {store}'
Restart=always
RestartSec=1
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the broker's files lie and where it listens; port 0: not.

    `plugin` is the dynamic-security plugin, None for accounts in files; `user` the system user to become, empty for
    the one mosquitto chooses; `queue` how many messages are kept for each who is away.
    """

    folder: Path
    store: Path
    local_port: int = 1883
    tls_port: int = 0
    plugin: Path | None = None
    user: str = ""
    queue: int = QUEUE


def service(layout: Layout) -> str:
    """Return a drop-in for systemd's mosquitto.service that mends the plugin's file before each start."""
    return _SERVICE.format(store=layout.store / DYNSEC_FILE, first=layout.folder / FIRST_FILE)


def config(layout: Layout) -> str:
    """Return the text of mosquitto.conf. What belongs to a listener is said for each."""
    text = _HEAD + "\nper_listener_settings false\nallow_anonymous false\n"
    if layout.user:
        text += f"user {layout.user}\n"
    if layout.plugin is not None:
        text += f"{_DYNSEC}plugin {layout.plugin}\nplugin_opt_config_file {layout.store / DYNSEC_FILE}\n"
    else:
        text += f"{_FILES}password_file {layout.folder / 'passwd'}\nacl_file {layout.folder / 'acl'}\n"
    text += _REST.format(store=layout.store, queue=layout.queue)
    if layout.tls_port:
        names = {"ca": certificates.CA, "certificate": certificates.BROKER, "key": certificates.BROKER_KEY}
        text += _TLS.format(port=layout.tls_port, connections=_CONNECTIONS, folder=layout.folder, **names)
    if layout.local_port:
        text += _LOCAL.format(port=layout.local_port, connections=_CONNECTIONS)
    return text
