"""The configuration of nats-server for MQTT: alone in a village, or one of three nodes that serve a region."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devices.broker import certificates
from devices.broker.nats import ACK_WAIT, ACKS_PENDING, LOOPBACK, MOST_FILTERS

_HEAD = """\
# nats-server for shop_hub, written by `shop-hub devices provision`; accounts.conf beside it is kept by the hub.
# Without that file it does not start. Send it SIGHUP when the file was replaced: whoever is no longer in it is cut at
# once.
"""
_CLUSTER_REPLICAS = 3
_MEGABYTE = 1_048_576


@dataclass(frozen=True, slots=True)
class Server:
    """One server. `folder` holds accounts.conf and certificates, `store` the messages; port 0: not."""

    name: str
    folder: Path
    store: Path
    local_port: int = 1883
    tls_port: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a node must know of the others: `routes` are host:port of all nodes, `password` is theirs alone."""

    name: str
    listen: str
    routes: Sequence[str]
    password: str


def server_config(server: Server, cluster: Cluster | None = None, *, max_file_bytes: int = 8192 * _MEGABYTE) -> str:
    """Return the text of nats.conf. A value in JSON is valid: the server reads a superset of it."""
    mqtt: dict[str, object] = {"listen": f"{LOOPBACK}:{server.local_port}", "ack_wait": ACK_WAIT}
    if server.tls_port:
        mqtt |= {"listen": f"0.0.0.0:{server.tls_port}", "tls": _tls(server.folder)}
    mqtt |= {"max_ack_pending": ACKS_PENDING, "reject_qos2_publish": True}
    config: dict[str, object] = {
        "server_name": server.name,
        "listen": f"{LOOPBACK}:-1",
        "max_payload": 65_536,
        "max_connections": 4_096,
        "jetstream": {
            "store_dir": str(server.store),
            "max_memory_store": 256 * _MEGABYTE,
            "max_file_store": max_file_bytes,
            "limits": {"default_max_consumers": MOST_FILTERS},
        },
    }
    if cluster is not None:
        mqtt["stream_replicas"] = _CLUSTER_REPLICAS
        config["cluster"] = _cluster(server, cluster)
    lines = [f"{name}: {json.dumps(value, indent=1)}\n" for name, value in {**config, "mqtt": mqtt}.items()]
    return _HEAD + "".join(lines) + "include ./accounts.conf\n"


def _cluster(server: Server, cluster: Cluster) -> dict[str, object]:
    found: dict[str, object] = {
        "name": cluster.name,
        "listen": cluster.listen,
        "routes": [f"nats://route:{cluster.password}@{route}" for route in cluster.routes],
        "authorization": {"user": "route", "password": cluster.password, "timeout": 2},
    }
    if server.tls_port:
        found["tls"] = {**_tls(server.folder), "verify": True}
    return found


def _tls(folder: Path) -> dict[str, object]:
    return {
        "cert_file": str(folder / certificates.BROKER),
        "key_file": str(folder / certificates.BROKER_KEY),
        "ca_file": str(folder / certificates.CA),
    }
