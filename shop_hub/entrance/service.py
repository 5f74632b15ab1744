"""Verbs of the door: coming in needs a rule and, outside the hours for everyone, a member card; leaving, nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.db import in_own_transaction
from shop_hub.core.errors import ShopError
from shop_hub.entrance import queries, visits
from shop_hub.entrance.errors import (
    KeptClosedError,
    MembersOnlyError,
    ReasonMissingError,
    ShopClosedError,
    ShopClosedForLongError,
)
from shop_hub.entrance.models import Audience, DoorAlert, Entrance, Passage, PassageKind, UnlockOutcome
from shop_hub.entrance.queries import NODE
from shop_hub.fleet import queries as fleet
from shop_hub.fleet import service as devices
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, DeviceEvent
from shop_hub.people import service as people
from shop_hub.people.errors import UnknownCardError

_LOGGED = {
    "entry": PassageKind.ENTRY,
    "exit": PassageKind.EXIT,
    "forced": PassageKind.FORCED,
    "held-open": PassageKind.HELD_OPEN,
}
_ALERTS = {"forced": DoorAlert.FORCED, "held-open": DoorAlert.HELD_OPEN}
_STEPS = {"entry": 1, "exit": -1}


RULE_DAYS = 14
"""So long a door without hub knows the hours, holidays included; afterwards it stays locked from outside."""
MOST_WINDOWS = 70


@dataclass(frozen=True, kw_only=True)
class NewEntrance:
    """A door with an electric lock."""

    name: str
    device_id: int
    scanner_id: int | None = None
    hold_s: int = 8
    is_free_for_everyone: bool = True


def add_entrance(session: Session, site_id: int, new: NewEntrance) -> Entrance:
    """Enter the site's door."""
    entrance = Entrance(site_id=site_id, **vars(new))
    session.add(entrance)
    session.flush()
    return entrance


def admit_by_card(session: Session, site_id: int, card_text: str) -> Passage:
    """Unlock for the owner of a member card, if the rules let members in now. Call it before anything was written.

    The outcome comes later, from the device. Refusals are logged without saying who.

    Raises:
        NotFoundError: the site has no door with a lock.
        UnknownCardError: unknown or blocked card.
        KeptClosedError, ShopClosedError, ShopClosedForLongError: nobody may come in now.
        DeviceOfflineError, DeviceBusyError: the door is not connected or still busy.
    """
    entrance = queries.entrance(session, site_id)
    try:
        people.identify_card(session, card_text)
        _check_open(session, entrance, Audience.MEMBERS)
    except (UnknownCardError, ShopError) as refusal:
        _log_refusal(session, entrance, "member", refusal)
        raise
    return _unlock(session, entrance, "member", by="card")


def admit_anyone(session: Session, site_id: int) -> Passage:
    """Unlock for whoever stands there, within the hours for everyone. Call it before anything was written.

    Raises:
        NotFoundError: the site has no door with a lock.
        MembersOnlyError: members only, at this hour.
        KeptClosedError, ShopClosedError, ShopClosedForLongError: nobody may come in now.
        DeviceOfflineError, DeviceBusyError: the door is not connected or still busy.
    """
    entrance = queries.entrance(session, site_id)
    try:
        _check_open(session, entrance, Audience.EVERYONE)
    except ShopError as refusal:
        _log_refusal(session, entrance, "everyone", refusal)
        raise
    return _unlock(session, entrance, "everyone", by="opening-rule")


def open_by_staff(session: Session, site_id: int, reason: str, *, actor: str) -> Passage:
    """Unlock now, whatever the rules say, for a reason that is kept.

    Raises:
        NotFoundError: the site has no door with a lock.
        ReasonMissingError: no reason.
        DeviceOfflineError, DeviceBusyError: the door is not connected or still busy.
    """
    if not reason.strip():
        raise ReasonMissingError(field="reason")
    entrance = queries.entrance(session, site_id)
    audit.record(session, site_id, actor, "door-opened", f"entrance:{entrance.id}", reason=reason.strip()[:200])
    return _unlock(session, entrance, "staff", by=actor)


def keep_closed(session: Session, site_id: int, *, closed: bool, reason: str, actor: str) -> None:
    """Close the shop by hand, or follow the rules again. Whoever is inside can always leave.

    Raises:
        NotFoundError: the site has no door with a lock.
        ReasonMissingError: closing needs a reason.
    """
    if closed and not reason.strip():
        raise ReasonMissingError(field="reason")
    entrance = queries.entrance(session, site_id)
    entrance.is_kept_closed = closed
    action = "shop-closed" if closed else "shop-reopened"
    audit.record(session, site_id, actor, action, f"entrance:{entrance.id}", reason=reason.strip()[:200])
    events.publish(session, "entrance", site_id)
    _steer(session, entrance)


def empty(session: Session, site_id: int, *, actor: str) -> None:
    """Set the number of people inside to nobody: someone looked, or the night has passed."""
    entrance = queries.entrance(session, site_id)
    entrance.occupancy = 0
    _log(session, entrance, PassageKind.EMPTIED, clock.now(), who="staff")
    audit.record(session, site_id, actor, "entrance-emptied", f"entrance:{entrance.id}")
    events.publish(session, "entrance", site_id)


def clear_alert(session: Session, site_id: int, *, actor: str) -> None:
    """Note that a person has looked at the door."""
    entrance = queries.entrance(session, site_id)
    if entrance.alert is not None:
        audit.record(session, site_id, actor, "door-alert-cleared", f"entrance:{entrance.id}", alert=entrance.alert)
        entrance.alert, entrance.alert_at = None, None
        events.publish(session, "alerts", site_id)


def steer_all(session: Session) -> None:
    """Hold the doors free while everyone may come in, and let them lock again afterwards."""
    for entrance in session.scalars(select(Entrance)):
        _steer(session, entrance)


def record_event(session: Session, event: DeviceEvent, device: Device) -> None:
    """Log what happened at the door, count people, and raise an alert where a person must look."""
    entrance = _of_device(session, device.id)
    if entrance is None:
        return
    _log(session, entrance, _LOGGED[event.type], event.happened_at)
    if event.type in _STEPS:
        _count(session, entrance.id, _STEPS[event.type])
    if event.type == "entry":
        visits.count(session, entrance, event.happened_at)
    if event.type in _ALERTS and entrance.alert is not DoorAlert.FORCED:
        entrance.alert, entrance.alert_at = _ALERTS[event.type], event.happened_at
        events.publish(session, "alerts", entrance.site_id)
    events.publish(session, "entrance", entrance.site_id)


def record_property(session: Session, device: Device, name: str, value: object) -> None:
    """Tell screens that the door moved; a closed door ends the complaint that it was held open."""
    entrance = _of_device(session, device.id)
    if entrance is None:
        return
    if (name, value) == ("door", "closed") and entrance.alert is DoorAlert.HELD_OPEN:
        entrance.alert, entrance.alert_at = None, None
        events.publish(session, "alerts", entrance.site_id)
    events.publish(session, "entrance", entrance.site_id)


def record_result(session: Session, command: DeviceCommand) -> None:
    """Note how an unlocking ended."""
    passage = session.scalar(select(Passage).where(Passage.command == command.ulid))
    if passage is None:
        return
    passage.outcome = _outcome(command.state)
    passage.code = command.code
    events.publish(session, "entrance", passage.site_id)


def record_scan(session: Session, device: Device, text: str) -> None:
    """Let the owner of a card in that was held to the scanner beside the door; refusals are logged."""
    entrance = session.scalar(select(Entrance).where(Entrance.scanner_id == device.id))
    if entrance is None:
        return
    try:
        people.identify_card(session, text)
        _check_open(session, entrance, Audience.MEMBERS)
        _unlock(session, entrance, "member", by="card")
    except ShopError as refusal:
        _log(session, entrance, PassageKind.REFUSED, clock.now(), who="member", code=refusal.code)


def _check_open(session: Session, entrance: Entrance, audience: Audience) -> None:
    state = queries.status(session, entrance.site_id)
    if state.is_kept_closed:
        raise KeptClosedError
    if state.for_everyone or (audience is Audience.MEMBERS and state.for_members):
        return
    if state.for_members:
        raise MembersOnlyError
    if state.opens is None:
        raise ShopClosedForLongError
    raise ShopClosedError(opens=_short(state.opens, state.now))


def _short(moment: datetime, now: datetime) -> str:
    """Return the time, with the day in front if it is not today: figures only, so that it fits every language."""
    return f"{moment:%H:%M}" if moment.date() == now.date() else f"{moment:%d.%m. %H:%M}"


def _unlock(session: Session, entrance: Entrance, who: str, *, by: str) -> Passage:
    command = devices.request(session, entrance.device_id, NODE, "unlock", {"hold_s": entrance.hold_s}, by=by)
    passage = _log(session, entrance, PassageKind.UNLOCK, clock.now(), who=who)
    passage.outcome, passage.command = UnlockOutcome.PENDING, command.ulid
    session.flush()
    events.publish(session, "entrance", entrance.site_id)
    return passage


def _log_refusal(session: Session, entrance: Entrance, who: str, refusal: ShopError) -> None:
    with in_own_transaction(session) as own:
        _log(own, entrance, PassageKind.REFUSED, clock.now(), who=who, code=refusal.code)


def _log(
    session: Session, entrance: Entrance, kind: PassageKind, at: datetime, *, who: str = "", code: str = ""
) -> Passage:
    passage = Passage(site_id=entrance.site_id, entrance_id=entrance.id, at=at, kind=kind, who=who, code=code)
    session.add(passage)
    return passage


def _count(session: Session, entrance_id: int, step: int) -> None:
    """Count by one UPDATE; never below nobody, since a sensor may miss an entry."""
    after = Entrance.occupancy + step
    session.execute(
        update(Entrance).where(Entrance.id == entrance_id).values(occupancy=case((after < 0, 0), else_=after))
    )


def _steer(session: Session, entrance: Entrance) -> None:
    """Ask for what the rules want, unless the device has it, is away or is busy: the next turn tries again."""
    if not fleet.is_ready(session, entrance.device_id) or fleet.unresolved(session, entrance.device_id, NODE):
        return
    mode = _wanted_mode(session, entrance)
    if _differs(session, entrance, "mode", mode):
        devices.request(session, entrance.device_id, NODE, "mode", {"mode": mode}, by="opening-rule")
        return
    rule = _rule_without_hub(session, entrance)
    if _differs(session, entrance, "rule", rule):
        devices.request(session, entrance.device_id, NODE, "rule", rule, by="opening-rule")


def _differs(session: Session, entrance: Entrance, name: str, wanted: JsonValue) -> bool:
    reading = fleet.property(session, entrance.device_id, NODE, name)
    return reading is not None and reading.is_current and reading.value != wanted


def _rule_without_hub(session: Session, entrance: Entrance) -> dict[str, JsonValue]:
    """Return when the door is free for everyone in the coming two weeks, for the device to keep.

    Members' cards cannot be checked without the hub, so only the hours for everyone count.
    """
    opening = queries.opening(session, entrance.site_id)
    today = clock.today(opening.timezone)
    times = opening.times(today, RULE_DAYS, Audience.EVERYONE)
    is_free = entrance.is_free_for_everyone and not entrance.is_kept_closed
    windows: list[JsonValue] = [[int(begin.timestamp()), int(end.timestamp())] for begin, end in times[:MOST_WINDOWS]]
    until = clock.local_midnight(today + timedelta(days=RULE_DAYS), opening.timezone)
    return {"windows": windows if is_free else [], "until": int(until.timestamp())}


def _wanted_mode(session: Session, entrance: Entrance) -> str:
    """Return locked, free or auto: in auto the device locks, and follows its own stored rule while the hub is away."""
    if entrance.is_kept_closed:
        return "locked"
    state = queries.status(session, entrance.site_id)
    return "free" if entrance.is_free_for_everyone and state.for_everyone else "auto"


def _of_device(session: Session, device_id: int) -> Entrance | None:
    return session.scalar(select(Entrance).where(Entrance.device_id == device_id))


def _outcome(state: CommandState) -> UnlockOutcome:
    if state is CommandState.DONE:
        return UnlockOutcome.DONE
    if state in (CommandState.UNKNOWN, CommandState.PARTIAL):
        return UnlockOutcome.UNKNOWN
    return UnlockOutcome.FAILED
