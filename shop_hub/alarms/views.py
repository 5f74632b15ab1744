"""Alarms in the backoffice: what needs a person, who is told, and how well the devices were connected."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.alarms import contacts, health, queries, service, words
from shop_hub.alarms.contacts import NewContact
from shop_hub.alarms.errors import BadQuietHoursError
from shop_hub.core import menu
from shop_hub.core.access import Principal, Role, access, principal
from shop_hub.core.conditions import Severity
from shop_hub.core.errors import N_, BadInputError, NotAllowedError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.fleet import words as fleet_words

blueprint = Blueprint("alarms", __name__, url_prefix="/office/alarms", template_folder="templates")


def _waiting(asking: Principal) -> int:
    return queries.waiting(session(), asking.site)


menu.add(
    menu.MenuItem(label=N_("Alarms"), endpoint="alarms.index", icon="bell", role=Role.VOLUNTEER, sort=5, badge=_waiting)
)


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show what needs a person now, and what is over."""
    before = request.args.get("before", type=int)
    past = queries.past(session(), principal().site, before=before)
    return render_template("alarms/index.html", past=past, following=queries.following(past), **_open())


@blueprint.get("/now")
@access(Role.VOLUNTEER)
def now() -> ResponseReturnValue:
    """Return the part of the page that changes."""
    return render_template("alarms/_open.html", **_open())


@blueprint.post("/<uuid:alarm_id>/acknowledge")
@access(Role.VOLUNTEER)
@idempotent
def acknowledge(alarm_id: UUID) -> ResponseReturnValue:
    """Note that the asker looks after an alarm."""
    asking = principal()
    service.acknowledge(session(), asking.site, alarm_id, request.form.get("note", ""), actor=asking.actor)
    flash(_("Thank you. Nobody else is told about it now."), "good")
    return redirect(url_for("alarms.index"), 303)


@blueprint.get("/contacts")
@access(Role.OPERATOR)
def who() -> ResponseReturnValue:
    """Show who is told."""
    asking = principal()
    return render_template(
        "alarms/contacts.html",
        contacts=queries.contacts(session(), asking.site),
        least=[(severity.value, _(text)) for severity, text in words.LEAST.items()],
        words=words,
        me=asking.operator_id,
        is_manager=asking.has(Role.MANAGER),
    )


@blueprint.post("/contacts")
@access(Role.OPERATOR)
@idempotent
def add_contact() -> ResponseReturnValue:
    """Enter who is to be told; it belongs to the asker."""
    asking = principal()
    if asking.operator_id is None:
        raise NotAllowedError
    contacts.add(session(), asking.site, asking.operator_id, _new_contact(), actor=asking.actor)
    flash(_("Added. Please send a test now."), "good")
    return redirect(url_for("alarms.who"), 303)


@blueprint.post("/contacts/<uuid:contact_id>/remove")
@access(Role.OPERATOR)
@idempotent
def remove_contact(contact_id: UUID) -> ResponseReturnValue:
    """Tell someone nothing more."""
    asking = principal()
    by = None if asking.has(Role.MANAGER) else asking.operator_id or 0
    contacts.remove(session(), asking.site, contact_id, by=by, actor=asking.actor)
    flash(_("Removed."), "good")
    return redirect(url_for("alarms.who"), 303)


@blueprint.post("/contacts/<uuid:contact_id>/test")
@access(Role.OPERATOR)
@idempotent
def test_contact(contact_id: UUID) -> ResponseReturnValue:
    """Send a message that says that messages arrive."""
    contacts.test(session(), principal().site, contact_id)
    flash(_("The test is on its way."), "good")
    return redirect(url_for("alarms.who"), 303)


@blueprint.get("/health")
@access(Role.VOLUNTEER)
def devices() -> ResponseReturnValue:
    """Show how well the devices were connected."""
    found = health.of_site(session(), principal().site)
    return render_template("alarms/health.html", devices=found, periods=health.PERIODS, words=fleet_words)


def _open() -> dict[str, object]:
    return {"alarms": queries.open_alarms(session(), principal().site), "words": words}


def _new_contact() -> NewContact:
    form = request.form
    after = form.get("after", "0").strip() or "0"
    if form.get("least") not in list(Severity) or not after.isdigit() or len(after) > 4:  # noqa: PLR2004 - minutes of a day
        raise BadInputError(field="after")
    return NewContact(
        name=form.get("name", ""),
        address=form.get("address", ""),
        least=Severity(form["least"]),
        after_minutes=int(after),
        quiet=_quiet(form.get("quiet_from", "").strip(), form.get("quiet_to", "").strip()),
        is_woken=form.get("woken") == "1",
        language="en" if form.get("language") == "en" else "de",
    )


def _quiet(begin: str, end: str) -> tuple[int, int] | None:
    if not begin and not end:
        return None
    return _minute(begin), _minute(end)


def _minute(text: str) -> int:
    """Return "22:00" as minutes of the day."""
    hours, separator, minutes = text.partition(":")
    is_time = separator and hours.isdecimal() and minutes.isdecimal() and len(text) <= len("22:00")
    if not is_time or int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - a clock
        raise BadQuietHoursError(field="quiet_from")
    return int(hours) * 60 + int(minutes)
