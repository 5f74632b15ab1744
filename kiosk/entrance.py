"""The shop door at the kiosk: whether the shop is open, its hours, and coming in with a member card."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.entrance import queries, service, words
from shop_hub.entrance.opening import Window
from shop_hub.people.errors import UnknownCardError


@blueprint.get("/door")
@access(Role.ANONYMOUS)
def door() -> ResponseReturnValue:
    """Show whether the shop is open, and its hours of the week."""
    return render_template("kiosk/entrance/door.html", **_door())


@blueprint.get("/door/state")
@access(Role.ANONYMOUS)
def door_state() -> ResponseReturnValue:
    """Return the part of the page that changes."""
    return render_template("kiosk/entrance/_door.html", **_door())


@blueprint.post("/door/card")
@access(Role.KIOSK)
@idempotent
def door_card() -> ResponseReturnValue:
    """Unlock for the owner of the card that was held to the scanner."""
    try:
        passage = service.admit_by_card(session(), principal().site, request.form.get("code", "")[:200])
    except UnknownCardError as error:
        flash(gettext(error.message), "bad")
        return render_template("kiosk/entrance/door.html", **_door()), error.status
    return redirect(url_for("kiosk.door_opening", passage_id=passage.public_id), 303)


@blueprint.post("/door/open")
@access(Role.KIOSK)
@idempotent
def door_open() -> ResponseReturnValue:
    """Unlock within the hours for everyone."""
    passage = service.admit_anyone(session(), principal().site)
    return redirect(url_for("kiosk.door_opening", passage_id=passage.public_id), 303)


@blueprint.get("/door/openings/<uuid:passage_id>")
@access(Role.KIOSK)
def door_opening(passage_id: UUID) -> ResponseReturnValue:
    """Show how an unlocking goes."""
    found = queries.passage(session(), principal().site, passage_id)
    return render_template("kiosk/entrance/opening.html", passage=found)


@blueprint.get("/door/openings/<uuid:passage_id>/state")
@access(Role.KIOSK)
def door_opening_state(passage_id: UUID) -> ResponseReturnValue:
    """Return the part of the page that changes."""
    found = queries.passage(session(), principal().site, passage_id)
    return render_template("kiosk/entrance/_opening.html", passage=found)


def _door() -> dict[str, object]:
    asking = principal()
    site_id = asking.site
    has_door = queries.has_entrance(session(), site_id)
    return {
        "status": queries.status(session(), site_id),
        "days": _days(queries.week(session(), site_id)),
        "hours": words.hours,
        "when": when,
        "door": queries.door(session(), site_id) if has_door else None,
        "is_paired": asking.has(Role.KIOSK),
    }


@dataclass(frozen=True)
class Days:
    """Days in a row with the same hours, the first one named as today."""

    label: str
    is_today: bool
    everyone: tuple[Window, ...]
    members: tuple[Window, ...]


def _days(week: list[queries.DayHours]) -> list[Days]:
    """Put days in a row with the same hours together; holidays and today stand alone."""
    shown: list[Days] = []
    runs = [[week[0]]]
    for day in week[1:]:
        last = runs[-1][-1]
        is_same = (day.everyone, day.members, day.is_holiday) == (last.everyone, last.members, last.is_holiday)
        if is_same and len(runs) > 1 and not day.is_holiday:
            runs[-1].append(day)
        else:
            runs.append([day])
    for number, run in enumerate(runs):
        shown.append(Days(_label(run, is_today=number == 0), number == 0, run[0].everyone, run[0].members))
    return shown


def _label(run: list[queries.DayHours], *, is_today: bool) -> str:
    names = [gettext(words.WEEKDAYS[day.day.weekday()]) for day in (run[0], run[-1])]
    first = gettext("today") if is_today else names[0]
    if run[0].is_holiday:
        return gettext("%(day)s, holiday", day=first)
    return gettext("%(first)s to %(last)s", first=first, last=names[1]) if len(run) > 1 else first


def when(moment: datetime, now: datetime) -> str:
    """Return a coming moment as a person says it ("22 Uhr", "22:00"), with the day in front if it is not today."""
    days = (moment.date() - now.date()).days
    time = gettext("%(time)s", time=f"{moment:%H:%M}") if moment.minute else gettext("%(hour)s:00", hour=moment.hour)
    if days == 0:
        return time
    if days == 1:
        return gettext("tomorrow %(time)s", time=time)
    return gettext("%(day)s %(time)s", day=gettext(words.WEEKDAYS[moment.weekday()]), time=time)


def _fact(reading: Session, site_id: int) -> str:
    status = queries.status(reading, site_id)
    if status.is_kept_closed:
        return gettext("closed just now")
    if status.is_day_and_night and status.for_everyone:
        return gettext("open day and night")
    if status.for_everyone and status.until is not None:
        return gettext("open until %(when)s", when=when(status.until, status.now))
    if status.for_members:
        return gettext("open for members with card")
    if status.opens is not None:
        return gettext("opens %(when)s", when=when(status.opens, status.now))
    return gettext("closed")


tiles.add(
    tiles.Tile(
        order=90,
        title=N_("Shop door"),
        icon="door",
        endpoint="kiosk.door",
        fact=_fact,
        topics=("entrance",),
    )
)
