"""What people read about door and hours."""

from collections.abc import Iterable

from shop_hub.core.errors import N_
from shop_hub.entrance.models import Audience, DoorAlert, HolidayRule, PassageKind, SpecialKind, UnlockOutcome
from shop_hub.entrance.opening import DAY_MINUTES, Window

WEEKDAYS = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
AUDIENCE = {Audience.EVERYONE: N_("Everyone"), Audience.MEMBERS: N_("With a member card")}
HOLIDAYS = {
    HolidayRule.ALSO: N_("on public holidays too"),
    HolidayRule.EXCEPT: N_("not on public holidays"),
    HolidayRule.ONLY: N_("on public holidays only"),
}
SPECIAL = {
    SpecialKind.CLOSED: N_("closed"),
    SpecialKind.HOURS: N_("other hours"),
    SpecialKind.HOLIDAY: N_("local public holiday"),
}
ALERT = {
    DoorAlert.FORCED: N_("The door was opened although nobody was let in."),
    DoorAlert.HELD_OPEN: N_("The door stands open for a long time."),
}
DOOR = {"open": N_("open"), "closed": N_("closed"), "unknown": N_("not known")}
LOCK = {
    "locked": N_("locked"),
    "released": N_("unlocked briefly"),
    "free": N_("unlocked for all"),
    "unknown": N_("not known"),
}
KIND = {
    PassageKind.UNLOCK: N_("Unlocked"),
    PassageKind.REFUSED: N_("Refused"),
    PassageKind.ENTRY: N_("Someone came in"),
    PassageKind.EXIT: N_("Someone left"),
    PassageKind.FORCED: N_("Forced open"),
    PassageKind.HELD_OPEN: N_("Held open"),
    PassageKind.EMPTIED: N_("Counter set to nobody"),
}
WHO = {"everyone": N_("everyone"), "member": N_("member card"), "staff": N_("staff")}
OUTCOME = {
    UnlockOutcome.PENDING: N_("under way"),
    UnlockOutcome.DONE: N_("done"),
    UnlockOutcome.FAILED: N_("did not work"),
    UnlockOutcome.UNKNOWN: N_("not known"),
}
CODE = {
    "unknown-card": N_("unknown or blocked card"),
    "shop-closed": N_("shop closed"),
    "members-only": N_("members only"),
    "kept-closed": N_("closed by hand"),
    "device-offline": N_("door not connected"),
    "device-busy": N_("door busy"),
}


def minute(value: int) -> str:
    """Return a minute of the day as "05:00"; the end of the day is "24:00"."""
    return f"{value // 60:02d}:{value % 60:02d}"


def hours(windows: Iterable[Window]) -> list[str]:
    """Return windows as two times with a dash; a whole day is an empty string, which pages write in words."""
    return ["" if _is_whole(window) else _span(window) for window in windows]


def weekdays(mask: int) -> list[str]:
    """Return the msgids of the days in a sum of weekdays."""
    return [name for index, name in enumerate(WEEKDAYS) if mask & 1 << index]


def _is_whole(window: Window) -> bool:
    return (window.opens_minute, window.closes_minute) == (0, DAY_MINUTES)


def _span(window: Window) -> str:
    return f"{minute(window.opens_minute)} \N{EN DASH} {minute(window.closes_minute)}"
