"""One MQTT client that cannot surprise: only this and its subscriptions know paho.

What it guards against (devices.md section 6): paho queues what is published while offline and sends it later, an
exception in a callback kills paho's thread while it claims to be connected, Nagle's algorithm costs 88 ms per
round trip, subscriptions are forgotten at a reconnect, and a refused one is told by a mere code in the SUBACK. Here a
publish without a connection is refused, every connection gets a fresh client, handlers may fail, subscriptions are
made again at every connect, and a connection counts only once the broker has answered them.
"""

import contextlib
import logging
import math
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVarTuple, cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devices.protocol.loop import NetworkLoop
from devices.protocol.messages import Message
from devices.protocol.subscriptions import Handler, Incoming, Subscriptions

__all__ = ["Bus", "BusConfig", "Handler", "Incoming", "NotConnectedError"]

log = logging.getLogger(__name__)

_Args = TypeVarTuple("_Args")
_CONNECT_TIMEOUT_S = 3.0
_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 5.0
_GOODBYE_S = 1.0


class NotConnectedError(Exception):
    """There is no connection: nothing was sent and nothing will be."""


@dataclass(frozen=True, slots=True)
class BusConfig:
    """How to reach the broker and who we are.

    `clean_session=False` asks the broker to keep QoS 1 messages while we are away; `manual_ack=True` lets the
    caller acknowledge each one after its own commit. With `tls` the system's authorities are trusted, or only that of
    `ca_file`, which switches TLS on too. A connection on which the broker refuses a subscription is ended and made
    again later; with `needs_all=False` it serves on, and what was refused is asked for again every few seconds.
    """

    host: str
    port: int
    client_id: str
    user: str = ""
    password: str = ""
    keepalive_s: int = 5
    clean_session: bool = True
    manual_ack: bool = False
    will_topic: str = ""
    will_payload: bytes = b""
    tls: bool = False
    ca_file: str = ""
    needs_all: bool = True
    more: tuple[tuple[str, int], ...] = ()
    """Host and port of further nodes of the same cluster: each new connection is tried at the next one."""


class Bus:
    """A connection to the broker that comes back by itself.

    Handlers and the two callbacks run in the network thread: they must return at once, may publish, must not wait.
    A last will is retained, QoS 1. Several buses may share one `NetworkLoop`, then they share one thread too.
    """

    def __init__(
        self,
        config: BusConfig,
        *,
        loop: NetworkLoop | None = None,
        on_connect: Callable[[], None] | None = None,
        on_disconnect: Callable[[], None] | None = None,
    ) -> None:
        self.config = config
        self._loop = loop or NetworkLoop(f"mqtt-{config.client_id}")
        self._owns_loop = loop is None
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self.subscriptions = Subscriptions(config.client_id)
        self._client: mqtt.Client | None = None
        self._up = threading.Event()
        self._stopping = False
        self._connection = 0
        self._last: mqtt.MQTTMessageInfo | None = None
        """Of the last message at QoS 1: the broker takes them in order."""
        self._writing = threading.Lock()
        self._retry_s = _FIRST_RETRY_S
        self._next_try = 0.0

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and answered our subscriptions.

        A dead link shows after 1.9 times the keepalive: a hint only.
        """
        return self._up.is_set()

    @property
    def alive(self) -> bool:
        """Whether the network thread runs (for health checks)."""
        return self._loop.is_alive()

    def subscribe(self, topic_filter: str, handler: Handler, *, qos: int = 1) -> None:
        """Have the handler called for each message that fits the filter, now and after every reconnect.

        A message that fits several filters reaches the handler of each; the broker may then send it more than once.
        """
        self.subscriptions.add(topic_filter, handler, qos)
        client = self._client
        if client is not None and client.is_connected():
            self.subscriptions.ask(client, [topic_filter])
            self._loop.touch(self)

    def start(self) -> None:
        """Connect, in the background, and stay connected."""
        self._stopping = False
        self._loop.add(self)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for the connection; False if there is none after `timeout_s` seconds."""
        return self._up.wait(timeout_s)

    def publish(self, topic: str, payload: bytes | str | Message, *, qos: int = 0, retain: bool = False) -> None:
        """Hand one message to the connection.

        At QoS 0 it goes out on this connection or never. At QoS 1 nothing is kept either: when the connection
        breaks before the broker's PUBACK, it is forgotten, so the caller keeps what must not be lost.

        Raises:
            NotConnectedError: nothing was sent and nothing will be.
            MessageError: a message above 4 kB.
        """
        data = payload.encode() if isinstance(payload, Message | str) else payload
        client = self._client
        if client is None or not self.connected:
            raise NotConnectedError(topic)
        handed = client.publish(topic, data, qos, retain)
        if handed.rc != mqtt.MQTT_ERR_SUCCESS:
            raise NotConnectedError(topic)
        if qos:
            self._last = handed
        self._flush(client)

    def ack(self, message: Incoming) -> None:
        """Acknowledge a QoS 1 message after the caller's own commit (only with `manual_ack`).

        On another connection than the one it came by this does nothing: the broker sends that message again.
        """
        client = self._client
        if client is not None and message.connection == self._connection and message.qos:
            client.ack(message.mid, message.qos)
            self._flush(client)

    def stop(self) -> None:
        """Say goodbye (so no last will is sent) and end. What was published before is still sent.

        If the broker does not take the last of it within a second, the connection is cut instead: then the last will
        tells that we are gone.
        """
        self._stopping = True
        client = self._client
        if client is not None and self.connected:
            if self._is_all_taken():
                client.disconnect()
                self._loop.touch(self)
            else:
                self.drop()
            deadline = time.monotonic() + 5  # else the last will would follow; usually it takes a millisecond
            while self.connected and not self._loop.is_loop_thread() and time.monotonic() < deadline:
                time.sleep(0.005)
        self._loop.remove(self)
        if self._owns_loop:
            self._loop.close()
        self._up.clear()

    def _is_all_taken(self) -> bool:
        if self._last is not None and not self._loop.is_loop_thread():
            self._last.wait_for_publish(_GOODBYE_S)
            return self._last.is_published()
        return True

    def drop(self) -> None:
        """Cut the connection without a goodbye, as a pulled plug would; it is made again as usual."""
        sock = self.socket()
        if sock is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                sock.shutdown(socket.SHUT_RDWR)

    def unplug(self, *, on: bool) -> None:
        """Cut the connection and make no other one until it is plugged in again."""
        self._next_try = math.inf if on else 0.0
        if on:
            self.drop()
        else:
            self._loop.touch(self)

    # What NetworkLoop calls, in its thread

    def socket(self) -> socket.socket | None:
        """Return the socket in use."""
        client = self._client
        return None if client is None else cast("socket.socket | None", client.socket())

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""
        client = self._client
        return client is not None and client.want_write()

    def on_readable(self) -> None:
        """Let paho read."""
        client = self._client
        if client is not None:
            client.loop_read()
            while _holds_decrypted_bytes(client.socket()):
                client.loop_read()
            self._notice_loss()

    def on_writable(self) -> None:
        """Let paho write."""
        client = self._client
        if client is not None:
            with self._writing:
                client.loop_write()
            self._notice_loss()

    def on_tick(self) -> None:
        """Keep the connection alive, or try to make one when it is time."""
        self._notice_loss()
        if self._client is not None:
            self._client.loop_misc()
            self.subscriptions.ask_again(self._client)
            self._notice_loss()
        elif not self._stopping and time.monotonic() >= self._next_try:
            self._connect()

    def _connect(self) -> None:
        self._next_try = time.monotonic() + self._retry_s * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)
        client = self._new_client()
        self._client, self._last = client, None
        nodes = ((self.config.host, self.config.port), *self.config.more)
        host, port = nodes[self._connection % len(nodes)]
        self._connection += 1
        try:
            client.connect(host, port, self.config.keepalive_s)
        except OSError as error:
            log.debug("broker not reached: %s", error)
            self._client = None

    def _new_client(self) -> mqtt.Client:
        """Make a fresh client: an old one would send again what it had queued before the break."""
        config = self.config
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id,
            clean_session=config.clean_session,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=config.manual_ack,
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.suppress_exceptions = True
        client.max_inflight_messages = 100
        if config.user:
            client.username_pw_set(config.user, config.password)
        if config.tls or config.ca_file:
            client.tls_set(ca_certs=config.ca_file or None, cert_reqs=ssl.CERT_REQUIRED)
        if config.will_topic:
            client.will_set(config.will_topic, config.will_payload, qos=1, retain=True)
        client.on_socket_open = _no_delay
        # With any callback here paho leaves the writing to us: `_flush` and the loop, one thread at a time.
        client.on_socket_register_write = _left_to_us
        client.on_connect = self._accepted
        client.on_subscribe = self._answered
        client.on_message = self._received
        return client

    def _accepted(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.warning("the broker refused %s: %s", self.config.client_id, reason)
            return
        if not self.subscriptions.begin(client):
            self._begin()

    def _answered(
        self,
        _client: mqtt.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if self.subscriptions.answered(mid, reasons) or not self.config.needs_all:
            self._begin()
        else:
            self.drop()

    def _begin(self) -> None:
        """Serve from now on."""
        if self._up.is_set():
            return
        self._retry_s = _FIRST_RETRY_S
        self._up.set()
        if self._on_connect is not None:
            _guarded(self._on_connect)

    def _received(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        incoming = Incoming(
            topic=message.topic,
            payload=bytes(message.payload),
            qos=message.qos,
            retained=message.retain,
            duplicate=message.dup,
            mid=message.mid,
            connection=self._connection,
        )
        for handler in self.subscriptions.handlers(incoming.topic):
            _guarded(handler, incoming)

    def _flush(self, client: mqtt.Client) -> None:
        """Send at once in the caller's thread: waking the loop first costs a third of a round trip.

        In the loop's own thread it waits for the end of the turn, and where another thread is writing, for that one.
        """
        if not self._loop.is_loop_thread() and self._writing.acquire(blocking=False):
            try:
                client.loop_write()
            finally:
                self._writing.release()
        if client.want_write() or client.socket() is None:
            self._loop.touch(self)

    def _notice_loss(self) -> None:
        client = self._client
        if client is None or client.socket() is not None:
            return
        self._client = None
        if self._up.is_set():
            self._up.clear()
            if self._on_disconnect is not None:
                _guarded(self._on_disconnect)


def _left_to_us(_client: mqtt.Client, _userdata: object, _sock: "mqtt.SocketLike") -> None:
    """Take note that bytes wait; who queued them flushes them."""


def _no_delay(_client: mqtt.Client, _userdata: object, sock: "mqtt.SocketLike") -> None:
    cast("socket.socket", sock).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _holds_decrypted_bytes(sock: "mqtt.SocketLike | None") -> bool:
    """Tell whether TLS has bytes in hand that no selector will announce."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _guarded(callback: Callable[[*_Args], None], *args: *_Args) -> None:
    try:
        callback(*args)
    except Exception:
        log.exception("an MQTT handler failed")
