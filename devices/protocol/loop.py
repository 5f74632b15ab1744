"""One thread that serves the sockets of any number of MQTT clients (epoll, no limit at 340 as with select)."""

import contextlib
import logging
import selectors
import socket
import threading
import time
from typing import Protocol

log = logging.getLogger(__name__)

_TICK_S = 0.5


class Served(Protocol):
    """What the loop needs of a client; all of it is called in the loop's thread only."""

    def socket(self) -> socket.socket | None:
        """Return the open socket, or None while there is no connection."""

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""

    def on_readable(self) -> None:
        """Read and handle what came."""

    def on_writable(self) -> None:
        """Send what waits."""

    def on_tick(self) -> None:
        """Do what is due: keepalive, reconnect. Called at least every half second."""


class NetworkLoop:
    """Runs `Served` clients in one daemon thread; a client that raises is logged and the others go on."""

    def __init__(self, name: str = "mqtt") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._clients: set[Served] = set()
        self._dirty: set[Served] = set()
        self._registered: dict[Served, tuple[socket.socket, int]] = {}
        self._selector: selectors.BaseSelector | None = None
        self._wake_read, self._wake_write = _socket_pair()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def add(self, client: Served) -> None:
        """Serve this client from now on; starts the thread with the first one."""
        with self._lock:
            self._clients.add(client)
            self._dirty.add(client)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._wake()

    def remove(self, client: Served) -> None:
        """Serve this client no more."""
        with self._lock:
            self._clients.discard(client)
            self._dirty.add(client)
        self._wake()

    def touch(self, client: Served) -> None:
        """Look at this client at once: it wants to write or its socket changed."""
        with self._lock:
            first = not self._dirty
            self._dirty.add(client)
        if first:
            self._wake()

    def is_loop_thread(self) -> bool:
        """Tell whether the caller runs inside the loop, where nothing may block."""
        return threading.current_thread() is self._thread

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        self._wake()
        if self._thread is not None and not self.is_loop_thread():
            self._thread.join(timeout=5)
        self._wake_read.close()
        self._wake_write.close()

    def _wake(self) -> None:
        # A full pipe means that the loop is about to wake anyway; a closed one, that it has ended.
        with contextlib.suppress(OSError):
            self._wake_write.send(b"\0")

    def _run(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        next_tick = 0.0
        while not self._stopping:
            for key, mask in self._selector.select(max(0.0, next_tick - time.monotonic())):
                self._handle(key.data, mask)
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + _TICK_S
                self._tick()
            self._settle()
        self._selector.close()

    def _handle(self, client: Served | None, mask: int) -> None:
        if client is None:
            with contextlib.suppress(BlockingIOError):
                self._wake_read.recv(4096)
            return
        if mask & selectors.EVENT_WRITE:
            _safely(client.on_writable)
        if mask & selectors.EVENT_READ:
            _safely(client.on_readable)
        self._register(client)

    def _tick(self) -> None:
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            _safely(client.on_tick)
            self._register(client)

    def _settle(self) -> None:
        with self._lock:
            dirty, self._dirty = self._dirty, set()
            served = dirty & self._clients
        for client in dirty:
            if client in served and client.socket() is None:
                _safely(client.on_tick)
            if client in served and client.wants_write():
                _safely(client.on_writable)
            self._register(client, gone=client not in served)

    def _register(self, client: Served, *, gone: bool = False) -> None:
        """Make the selector watch what the client has now: sockets are replaced at every reconnect."""
        if self._selector is None:
            raise RuntimeError("outside of the loop")
        sock = None if gone else client.socket()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if sock and client.wants_write() else 0)
        known = self._registered.get(client)
        if known is not None and sock is not None and known == (sock, events):
            return
        if known is not None:
            del self._registered[client]
            # epoll forgets a closed socket by itself; the map of the selector does not
            with contextlib.suppress(KeyError, ValueError, OSError):
                self._selector.unregister(known[0])
        if sock is not None and sock.fileno() >= 0:
            self._drop_reused(sock)
            self._selector.register(sock, events, client)
            self._registered[client] = (sock, events)

    def _drop_reused(self, sock: socket.socket) -> None:
        """Forget a closed socket whose number the kernel gave to this new one."""
        if self._selector is not None:
            with contextlib.suppress(KeyError, ValueError, OSError):
                self._selector.unregister(sock.fileno())


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)
    return read, write


def _safely(step: "Step") -> None:
    try:
        step()
    except Exception:
        log.exception("an MQTT client failed; the loop goes on")


class Step(Protocol):
    """A call without arguments."""

    def __call__(self) -> None:
        """Do it."""
