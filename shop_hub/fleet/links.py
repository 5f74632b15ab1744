"""What the worker knows right now about each device: its lease, how far its history is committed, how fresh it is.

In memory only: after a restart nothing is believed until it is heard again. Times are monotonic seconds.
"""

import threading
import time
from dataclasses import dataclass, field

from devices.protocol.limits import CLOCK_INTERVAL_S, LEASE_MAX_AGE_MS
from devices.protocol.messages import Ack, DeviceState, Lease, Query
from shop_hub.fleet.models import Link
from shop_hub.fleet.registry import DeviceInfo

_LEASE_S = LEASE_MAX_AGE_MS / 1000
_TELL_AGAIN_S = 5.0
"""So long may a change of a link wait to be stored before it is told again."""
_IN_FLIGHT_S = 0.3
"""Events may arrive so much later than the first lease that counts them."""
_BEHIND_S = 1.0
_ASK_EVERY_S = 1.0
_DOUBT_S = 5.0
"""So long may a device send leases while its word of presence says that it is away."""
ASKED_BEFORE_JUMP = 3
_ASKED_BEFORE_SKIP = 6
VILLAGE_SILENT_S = 3 * CLOCK_INTERVAL_S
_OLD_S = 30.0
"""What is older came late: a bridge catches up."""
SETTLED_S = 10.0
"""A bridge that catches up has no pauses as long as this."""
_PATIENCE_S = 10.0
"""Nothing is given up sooner: an answer may be on a slow link, and comes too late for a number that was left out."""


@dataclass(frozen=True, slots=True)
class BoundLease:
    """The lease a command is bound to; it may be used until `dies_at`."""

    lease: str
    epoch: str
    dies_at: float


@dataclass(frozen=True, slots=True)
class Change:
    """A device whose link is not what the database says."""

    device_id: int
    link: Link


@dataclass(frozen=True, slots=True)
class Missing:
    """Events of a device that are numbered but not committed: ask for them, or give them up (`skip_to`)."""

    info: DeviceInfo
    query: Query
    skip_to: int | None


@dataclass(slots=True)
class _State:
    info: DeviceInfo
    stored: Link
    presence: str
    epoch: str
    boot: int
    seq: int
    heard_at: float | None = None
    lease: Lease | None = None
    lease_at: float = 0.0
    counted_at: float | None = None
    """When a lease first counted more than is committed."""
    behind_since: float | None = None
    asked_at: float = 0.0
    asked: int = 0
    asked_since: float = 0.0
    gap: bool = field(default=False)
    doubted_at: float | None = None
    told: Link | None = None
    """What was told of its link and waits to be stored."""
    told_at: float = 0.0

    @property
    def is_caught_up(self) -> bool:
        return self.lease is not None and self.lease.epoch == self.epoch and self.lease.seq <= self.seq


class Links:
    """Thread-safe: the network thread tells what it hears, ingest what is committed, the sender asks."""

    def __init__(self) -> None:
        self._states: dict[int, _State] = {}
        self._lock = threading.Lock()

    def know(self, infos: list[DeviceInfo]) -> None:
        """Take over the registry: forget revoked devices, begin with new ones."""
        with self._lock:
            kept = {info.id for info in infos}
            for device_id in self._states.keys() - kept:
                del self._states[device_id]
            for info in infos:
                state = self._states.get(info.id)
                if state is None:
                    self._states[info.id] = _State(info, info.link, info.presence, info.epoch, info.boot, info.seq)
                else:
                    state.info = info

    def heard(self, device_id: int, age_s: float = 0.0) -> None:
        """Note a sign of life, given so many seconds ago."""
        moment = time.monotonic() - age_s
        with self._lock:
            state = self._states.get(device_id)
            if state is not None and (state.heard_at is None or state.heard_at < moment):
                state.heard_at = moment

    def heard_lease(self, device_id: int, lease: Lease) -> bool:
        """Note a fresh lease; tell whether it belongs to a life of the journal that is not committed yet."""
        with self._lock:
            state = self._states.get(device_id)
            if state is None:
                return False
            state.lease, state.lease_at = lease, time.monotonic()
            state.heard_at = state.lease_at
            if state.counted_at is None and lease.seq > state.seq:
                state.counted_at = state.lease_at
            return lease.epoch != state.epoch

    def forgotten(self, device_id: int, lease: Lease) -> Ack | None:
        """Return the ack for a device that counts fewer messages or boots than are committed, or None.

        It may only just be overtaken by its own events, which does no harm. If not, its memory was set back, and new
        events would bear numbers that count as repeats: told by this ack, it begins a new life.
        """
        with self._lock:
            state = self._states.get(device_id)
            if state is None or lease.epoch != state.epoch:
                return None
            if lease.seq >= state.seq and lease.boot >= state.boot:
                return None
            return Ack(epoch=state.epoch, boot=state.boot, seq=state.seq)

    def committed(self, device_id: int, presence: str, place: tuple[str, int, int]) -> None:
        """Note what the database holds now: presence and (epoch, boot, seq)."""
        with self._lock:
            state = self._states.get(device_id)
            if state is None:
                return
            if (state.epoch, state.seq) != (place[0], place[2]):
                state.asked, state.gap, state.counted_at = 0, False, None
            state.presence = presence
            state.epoch, state.boot, state.seq = place

    def stored(self, device_id: int, link: Link) -> None:
        """Note which link the database holds now."""
        with self._lock:
            state = self._states.get(device_id)
            if state is not None:
                state.stored, state.told = link, None

    def found_gap(self, device_id: int) -> bool:
        """Note that a number was left out; tell whether the device was asked often enough to go on without it."""
        with self._lock:
            state = self._states.get(device_id)
            if state is None:
                return False
            state.gap = True
            return state.asked >= ASKED_BEFORE_JUMP and _is_patience_over(state, time.monotonic())

    def bind(self, device_id: int) -> BoundLease | Link:
        """Return the lease for a command sent now, or why there is none."""
        with self._lock:
            state = self._states.get(device_id)
            if state is None:
                return Link.NEVER
            now = time.monotonic()
            link = self._judge(state, now)
            if link is not Link.READY or state.lease is None:
                return link
            return BoundLease(state.lease.lease, state.lease.epoch, state.lease_at + _LEASE_S)

    def speaks(self, device_id: int) -> bool:
        """Tell whether the device would hear a question now."""
        with self._lock:
            state = self._states.get(device_id)
            return state is not None and self._judge(state, time.monotonic()) in (Link.READY, Link.BEHIND)

    def changes(self) -> list[Change]:
        """Return the devices whose stored link is not the present one, each once; short lags are not worth a row."""
        now = time.monotonic()
        found = []
        with self._lock:
            for state in self._states.values():
                link = self._judge(state, now)
                state.behind_since = (state.behind_since or now) if link is Link.BEHIND else None
                if link is Link.BEHIND and state.stored is Link.READY and now - state.behind_since < _BEHIND_S:  # type: ignore[operator]
                    continue
                if link is state.stored or (link is Link.SILENT and state.stored is Link.NEVER):
                    continue
                if link is not state.told or now - state.told_at >= _TELL_AGAIN_S:
                    state.told, state.told_at = link, now
                    found.append(Change(state.info.id, link))
        return found

    def has_doubts(self) -> bool:
        """Tell whether a device sends leases though it is said to be away: an old word came after the newer one."""
        now = time.monotonic()
        with self._lock:
            return any(_is_doubtful(state, now) for state in self._states.values())

    def missing(self) -> list[Missing]:
        """Return what must be asked for now, each device at most once a second."""
        now = time.monotonic()
        with self._lock:
            return [
                _ask(state, now)
                for state in self._states.values()
                if _is_missing_something(state, now) and now - state.asked_at >= _ASK_EVERY_S
            ]

    def _judge(self, state: _State, now: float) -> Link:
        if state.presence and state.presence != DeviceState.READY:
            return Link.OFFLINE
        if not state.presence and state.heard_at is None:
            return Link.NEVER
        if not state.presence or _is_stale(state, now):
            return Link.SILENT
        return Link.READY if state.is_caught_up or not state.info.has_lease else Link.BEHIND


@dataclass(slots=True)
class _Village:
    """A village that is heard. What its bridge has kept comes in order, but a clock (QoS 0) overtakes all of it."""

    clock_at: float
    late_at: float
    """When it was heard again, or something old came after that."""
    is_caught_up: bool = False


class VillageLinks(Links):
    """The same as a region knows it: by the word of presence, as long as the hub of the village is heard.

    Leases are not passed on to a region. Nothing is known of any device while the village is cut off, nor until its
    bridge has caught up: something fresh came, or for a while nothing old.
    """

    def __init__(self) -> None:
        super().__init__()
        self._villages: dict[str, _Village] = {}

    def heard_village(self, site: str) -> None:
        """Note the clock of a village's hub, which is never kept for later."""
        now, village = time.monotonic(), self._villages.get(site)
        if village is None or now - village.clock_at > VILLAGE_SILENT_S:
            self._villages[site] = _Village(now, now)
        else:
            village.clock_at = now

    def heard_dated(self, site: str, age_s: float) -> None:
        """Note how old a word was that just came by the bridge, in its order."""
        village = self._villages.get(site)
        if village is None or village.is_caught_up:
            return
        village.is_caught_up = age_s <= _OLD_S
        village.late_at = time.monotonic()

    def _judge(self, state: _State, now: float) -> Link:
        if not state.presence and state.heard_at is None:
            return Link.NEVER
        if not state.presence or not self._is_known(state.info.site, now):
            return Link.SILENT
        if state.presence != DeviceState.READY:
            return Link.OFFLINE
        return Link.SILENT if not state.info.has_lease and _is_stale(state, now) else Link.READY

    def _is_known(self, site: str, now: float) -> bool:
        village = self._villages.get(site)
        if village is None or now - village.clock_at > VILLAGE_SILENT_S:
            return False
        return village.is_caught_up or now - village.late_at >= SETTLED_S


def _is_doubtful(state: _State, now: float) -> bool:
    """Tell whether to ask for the word again; each time only after a while."""
    is_alive = state.lease is not None and now - state.lease_at <= _LEASE_S
    if not is_alive or state.presence == DeviceState.READY:
        state.doubted_at = None
    elif state.doubted_at is None:
        state.doubted_at = now
    elif now - state.doubted_at > _DOUBT_S:
        state.doubted_at = now
        return True
    return False


def _is_stale(state: _State, now: float) -> bool:
    if state.info.has_lease:
        return state.lease is None or now - state.lease_at > _LEASE_S
    limit_ms = state.info.stale_ms
    return limit_ms is not None and (state.heard_at is None or now - state.heard_at > limit_ms / 1000)


def _is_missing_something(state: _State, now: float) -> bool:
    if state.gap:
        return True
    lease = state.lease
    if lease is None or now - state.lease_at > _LEASE_S or lease.epoch != state.epoch:
        return False
    return state.counted_at is not None and now - state.counted_at >= _IN_FLIGHT_S and lease.seq > state.seq


def _is_patience_over(state: _State, now: float) -> bool:
    return bool(state.asked) and now - state.asked_since >= _PATIENCE_S


def _ask(state: _State, now: float) -> Missing:
    state.asked_at = now
    state.asked_since = state.asked_since if state.asked else now
    state.asked += 1
    lease = state.lease
    is_hopeless = (
        state.asked > _ASKED_BEFORE_SKIP
        and _is_patience_over(state, now)
        and lease is not None
        and lease.epoch == state.epoch
    )
    return Missing(
        state.info,
        Query(epoch=state.epoch or "0" * 16, boot=state.boot, since_seq=state.seq),
        lease.seq if is_hopeless and lease is not None and lease.seq > state.seq else None,
    )
