"""Three nats-servers as one broker, without TLS."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devices.broker.accounts import Account
from devices.broker.child import free_port
from devices.broker.nats import NatsBroker
from devices.broker.nats_config import Cluster, Server, server_config
from tests.devices.kit import eventually

NODES = ("node-1", "node-2", "node-3")
LEADER = re.compile(r" new .*metadata leader")


class Node(NatsBroker):
    """One of the three."""

    cluster: Cluster
    name: str

    def _config(self) -> str:
        server = Server(self.name, self.folder, self.folder / "store", local_port=self.port)
        return server_config(server, self.cluster, max_file_bytes=2**28)


@contextmanager
def running(folder: Path, accounts: Sequence[Account]) -> Iterator[list[Node]]:
    """Run the three until the block ends."""
    routes = [f"127.0.0.1:{free_port()}" for _ in NODES]
    made = []
    for name, listen in zip(NODES, routes, strict=True):
        node = Node(folder / name, accounts)
        node.name, node.cluster = name, Cluster("region", listen, routes, "only-for-the-nodes")
        made.append(node)
    try:
        for node in made:
            node.start()
        # What is asked of a node before it knows a leader is answered after its time limit of five seconds, or never
        eventually(lambda: all(LEADER.search(node.log.read_text()) for node in made), 90)
        yield made
    finally:
        for node in made:
            node.stop()
