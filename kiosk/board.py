"""The noticeboard at the kiosk: read, take along, write an own notice, find it again by its slip; events."""

from dataclasses import dataclass
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext, ngettext
from sqlalchemy.orm import Session

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.board import addresses, kinds, queries
from shop_hub.board.models import PostKind
from shop_hub.core import qr
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_
from shop_hub.core.sites import Site
from shop_hub.core.web import hub, session

RANGES = {"today": (1, N_("Today")), "week": (7, N_("7 days")), "all": (None, N_("All"))}


@dataclass(frozen=True)
class Choice:
    """A button of a filter."""

    label: str
    url: str
    is_chosen: bool


@blueprint.get("/board")
@access(Role.ANONYMOUS)
def board() -> ResponseReturnValue:
    """Show a page of notices, of all kinds or of one."""
    kind = next((kind for kind in PostKind if kind == request.args.get("kind")), None)
    page = queries.shown(
        session(), principal().site, kind=kind, page=request.args.get("page", 1, type=int), language=_language()
    )
    shown = queries.kinds_shown(session(), principal().site)
    filters = [Choice(gettext("All"), url_for("kiosk.board"), kind is None)]
    filters += [Choice(gettext(kinds.NAMES[one]), url_for("kiosk.board", kind=one.value), one is kind) for one in shown]
    return render_template("kiosk/board/board.html", found=page, kind=kind, filters=filters, kinds=kinds)


@blueprint.get("/board/<uuid:public_id>")
@access(Role.ANONYMOUS)
def notice(public_id: UUID) -> ResponseReturnValue:
    """Show a notice or an event, with a QR code to take along."""
    post = queries.detail(session(), public_id, language=_language())
    base = hub().settings.http.public_url or request.host_url
    code = qr.svg(addresses.for_qr(base, post.public_id), label=gettext("Address of this notice"))
    return render_template("kiosk/board/notice.html", post=post, code=code, kinds=kinds)


@blueprint.get("/events")
@access(Role.ANONYMOUS)
def events() -> ResponseReturnValue:
    """Show a page of events: today, within 7 days, or all."""
    name = request.args.get("range", "week")
    chosen = name if name in RANGES else "week"
    days = RANGES[chosen][0]
    site = session().get_one(Site, principal().site)
    page = queries.events(
        session(),
        site.id,
        until=queries.end_of_day(site.timezone, days) if days else None,
        page=request.args.get("page", 1, type=int),
        language=_language(),
    )
    filters = [
        Choice(gettext(label), url_for("kiosk.events", range=name), name == chosen)
        for name, (_days, label) in RANGES.items()
    ]
    return render_template("kiosk/board/events.html", found=page, chosen=chosen, filters=filters)


def kiosk_pad() -> str:
    """Return the name under which tries at this kiosk are counted."""
    return f"kiosk:{principal().kiosk_id}"


def remember(post_id: int) -> None:
    """Keep in this visit which notice is the visitor's own."""
    visit["slip_post"] = post_id


def say(text: str, tone: str = "good") -> None:
    """Show one sentence on the next page."""
    flash(text, tone)


def go(endpoint: str, **values: object) -> ResponseReturnValue:
    """Lead on to another page of the kiosk after a form."""
    return redirect(url_for(f"kiosk.{endpoint}", **values), 303)  # type: ignore[arg-type]


def _language() -> str:
    locale = get_locale()
    return locale.language if locale else "de"


def _board_fact(reading: Session, site_id: int) -> str:
    fresh = queries.counts(reading, site_id, _zone(reading, site_id)).fresh_notices
    return ngettext("%(num)s new notice", "%(num)s new notices", fresh) if fresh else gettext("read and write")


def _events_fact(reading: Session, site_id: int) -> str:
    numbers = queries.counts(reading, site_id, _zone(reading, site_id))
    if not numbers.events_this_week:
        return gettext("nothing within 7 days")
    if not numbers.events_today:
        return gettext("%(week)s within 7 days", week=numbers.events_this_week)
    return gettext("%(today)s today, %(week)s in 7 days", today=numbers.events_today, week=numbers.events_this_week)


def _zone(reading: Session, site_id: int) -> str:
    return reading.get_one(Site, site_id).timezone


tiles.add(
    tiles.Tile(
        order=50, title=N_("Events"), icon="calendar", endpoint="kiosk.events", fact=_events_fact, topics=("board",)
    )
)
tiles.add(
    tiles.Tile(
        order=60, title=N_("Notice board"), icon="board", endpoint="kiosk.board", fact=_board_fact, topics=("board",)
    )
)
