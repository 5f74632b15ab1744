"""The entrance in the backoffice: state and log of the door, opening rules, special days."""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import ImmutableMultiDict

from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.entrance import queries, rules, service, visits, words
from shop_hub.entrance.errors import WrongHoursError
from shop_hub.entrance.models import Audience, HolidayRule, SpecialKind

blueprint = Blueprint("entrance", __name__, url_prefix="/office/entrance", template_folder="templates")
menu.add(
    menu.MenuItem(label=N_("Door and hours"), endpoint="entrance.index", icon="door", role=Role.VOLUNTEER, sort=62)
)

W = TypeVar("W")
_MINUTES = 60


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show door, hours of the week, rules and special days."""
    site_id = principal().site
    return render_template(
        "entrance/index.html",
        rules=queries.rules(session(), site_id),
        special_days=queries.special_days(session(), site_id),
        audiences=_options(words.AUDIENCE),
        holiday_rules=_options(words.HOLIDAYS),
        special_kinds=_options(words.SPECIAL),
        **_state(),
    )


@blueprint.get("/state")
@access(Role.VOLUNTEER)
def state() -> ResponseReturnValue:
    """Return the part of the page that changes."""
    return render_template("entrance/_state.html", **_state())


@blueprint.get("/log")
@access(Role.OPERATOR)
def log() -> ResponseReturnValue:
    """Show the door's log, newest first."""
    site_id, page_size = principal().site, 50
    entrance = queries.entrance(session(), site_id)
    found = queries.passages(session(), entrance.id, limit=page_size, before=request.args.get("before", type=int))
    following = found[-1].id if len(found) == page_size else None
    return render_template("entrance/log.html", passages=found, following=following, words=words)


@blueprint.get("/visitors")
@access(Role.VOLUNTEER)
def visitors() -> ResponseReturnValue:
    """Show how many people come, and at which hours."""
    entrance = queries.entrance(session(), principal().site)
    return render_template("entrance/visitors.html", visits=visits.last_days(session(), entrance))


@blueprint.post("/open")
@access(Role.OPERATOR)
@idempotent
def open_now() -> ResponseReturnValue:
    """Unlock the door for a reason that is kept."""
    asking = principal()
    service.open_by_staff(session(), asking.site, request.form.get("reason", ""), actor=asking.actor)
    return _back(_("The door is being unlocked."))


@blueprint.post("/closed")
@access(Role.OPERATOR)
@idempotent
def keep_closed() -> ResponseReturnValue:
    """Close the shop by hand, or follow the rules again."""
    asking = principal()
    closed = request.form.get("closed") == "1"
    why = request.form.get("why", "")
    service.keep_closed(session(), asking.site, closed=closed, reason=why, actor=asking.actor)
    return _back(_("The shop is closed for everyone now.") if closed else _("The opening hours count again."))


@blueprint.post("/empty")
@access(Role.VOLUNTEER)
@idempotent
def empty() -> ResponseReturnValue:
    """Set the counter to nobody inside."""
    asking = principal()
    service.empty(session(), asking.site, actor=asking.actor)
    return _back(_("The counter says nobody now."))


@blueprint.post("/alert")
@access(Role.VOLUNTEER)
@idempotent
def clear_alert() -> ResponseReturnValue:
    """Note that a person has looked at the door."""
    asking = principal()
    service.clear_alert(session(), asking.site, actor=asking.actor)
    return _back(_("Noted. The alert is over."))


@blueprint.post("/rules")
@access(Role.MANAGER)
@idempotent
def add_rule() -> ResponseReturnValue:
    """Add a weekly window."""
    asking, form = principal(), request.form
    eve = form.get("christmas_eve", "").strip()
    new = rules.NewRule(
        audience=_word(Audience, form, "audience"),
        holidays=_word(HolidayRule, form, "holidays"),
        weekdays=sum(1 << day for day in range(7) if form.get(f"day{day}")),
        opens_minute=_minute(form.get("opens", "")),
        closes_minute=_minute(form.get("closes", "")),
        christmas_eve_minute=_minute(eve) if eve else None,
        valid_from=_day(form.get("valid_from", "")),
        valid_to=_day(form.get("valid_to", "")),
    )
    rules.add_rule(session(), asking.site, new, actor=asking.actor)
    return _back(_("The rule was added."))


@blueprint.post("/rules/<uuid:rule_id>/end")
@access(Role.MANAGER)
@idempotent
def end_rule(rule_id: UUID) -> ResponseReturnValue:
    """Let a rule hold no longer."""
    asking = principal()
    rules.end_rule(session(), asking.site, rule_id, actor=asking.actor)
    return _back(_("The rule holds no longer."))


@blueprint.post("/days")
@access(Role.MANAGER)
@idempotent
def add_day() -> ResponseReturnValue:
    """Add a special day."""
    asking, form = principal(), request.form
    day = _day(form.get("day", ""))
    if day is None:
        raise BadInputError(field="day")
    kind = _word(SpecialKind, form, "kind")
    new = rules.NewSpecialDay(
        day=day,
        kind=kind,
        audience=_word(Audience, form, "day_audience") if form.get("day_audience") else None,
        opens_minute=_minute(form.get("day_opens", "")) if kind is SpecialKind.HOURS else None,
        closes_minute=_minute(form.get("day_closes", "")) if kind is SpecialKind.HOURS else None,
        note=form.get("note", "").strip()[:100],
    )
    rules.add_special_day(session(), asking.site, new, actor=asking.actor)
    return _back(_("The day was added."))


@blueprint.post("/days/<uuid:day_id>/remove")
@access(Role.MANAGER)
@idempotent
def remove_day(day_id: UUID) -> ResponseReturnValue:
    """Take a special day back."""
    asking = principal()
    rules.remove_special_day(session(), asking.site, day_id, actor=asking.actor)
    return _back(_("The day is as all others again."))


def _state() -> dict[str, object]:
    asking = principal()
    has_door = queries.has_entrance(session(), asking.site)
    door = queries.door(session(), asking.site) if has_door else None
    return {
        "status": queries.status(session(), asking.site),
        "week": queries.week(session(), asking.site),
        "door": door,
        "passages": queries.passages(session(), door.id, limit=8) if door is not None else [],
        "words": words,
        "may_open": asking.has(Role.OPERATOR),
        "may_rule": asking.has(Role.MANAGER),
    }


def _back(text: str) -> ResponseReturnValue:
    flash(text, "good")
    return redirect(url_for("entrance.index"), 303)


def _options(found: dict[Any, str]) -> list[tuple[str, str]]:
    return [(word.value, _(text)) for word, text in found.items()]


def _word(kind: Callable[[str], W], form: ImmutableMultiDict[str, str], name: str) -> W:
    try:
        return kind(form.get(name, ""))
    except ValueError:
        raise BadInputError(field=name) from None


def _minute(text: str) -> int:
    """Return "05:30" as minutes of the day; "24:00" is its end."""
    hours, separator, minutes = text.strip().partition(":")
    if not (separator and hours.isdigit() and minutes[:2].isdigit()):
        raise WrongHoursError(field="opens")
    return int(hours) * _MINUTES + int(minutes[:2])


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadInputError(field="day") from None
