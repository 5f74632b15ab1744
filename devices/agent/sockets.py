"""Sockets to machines that act on what they are told: what is not delivered at once must never be delivered."""

import socket
import struct

_UNDELIVERED_MS = 1_000


def never_late(sock: socket.socket) -> None:
    """Have the kernel drop what it could not deliver: after a second without acknowledgement, and at the close.

    Else TCP repeats an order for minutes and delivers it when the network is back, long after it was called unknown;
    a normal close would still hand over what waits.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNDELIVERED_MS)
