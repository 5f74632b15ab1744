"""What everybody may read on any phone: a notice or event by its address, calendars and feeds. Read only."""

from uuid import UUID

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from shop_hub.board import addresses, calendars, kinds, queries
from shop_hub.board.models import Post
from shop_hub.core import clock
from shop_hub.core.access import Role, access
from shop_hub.core.sites import Site, by_slug
from shop_hub.core.web import hub, session

blueprint = Blueprint("notices", __name__, template_folder="templates")


@blueprint.get("/n/<uuid:public_id>")
@blueprint.get("/N/<uuid:public_id>")
@access(Role.ANONYMOUS)
def notice(public_id: UUID) -> ResponseReturnValue:
    """Show a notice or event; capitals come from QR codes."""
    post = queries.detail(session(), public_id, language=_language())
    site = session().get_one(Site, post.site_id)
    return render_template("board/public_notice.html", post=post, site=site, kinds=kinds)


@blueprint.get("/e/<uuid:public_id>.ics")
@blueprint.get("/E/<uuid:public_id>.ICS")
@access(Role.ANONYMOUS)
def event_calendar(public_id: UUID) -> ResponseReturnValue:
    """Give an event to a calendar; a withdrawn one as cancelled."""
    post = queries.calendar_post(session(), public_id)
    site = session().get_one(Site, post.site_id)
    return _calendar([post], site, f"{post.first_day}.ics")


@blueprint.get("/feeds/<slug>/events.ics")
@access(Role.ANONYMOUS)
def events_calendar(slug: str) -> ResponseReturnValue:
    """Give all events of a shop to calendars that subscribe."""
    site = by_slug(session(), slug)
    return _calendar(queries.feed(session(), site.id, are_events=True), site, "events.ics")


@blueprint.get("/feeds/<slug>/notices.atom")
@access(Role.ANONYMOUS)
def notices_feed(slug: str) -> ResponseReturnValue:
    """Give the notices of a shop to feed readers (RFC 4287); withdrawn ones as deleted entries (RFC 6721)."""
    site = by_slug(session(), slug)
    posts = queries.feed(session(), site.id, are_events=False)
    updated = max((post.changed_at for post in posts), default=clock.now())
    text = render_template(
        "board/notices.atom",
        site=site,
        posts=posts,
        updated=updated,
        base=_base(),
        address=addresses.public,
        kinds=kinds,
    )
    return Response(text, content_type="application/atom+xml; charset=utf-8", headers={"Cache-Control": "max-age=300"})


def _calendar(posts: list[Post], site: Site, name: str) -> Response:
    title = _("Events in %(place)s", place=site.place or site.name)
    text = calendars.ics(posts, timezone=site.timezone, host=f"{site.slug}.shop-hub", name=title)
    response = Response(text, content_type="text/calendar; charset=utf-8", headers={"Cache-Control": "max-age=300"})
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _base() -> str:
    return hub().settings.http.public_url or request.host_url


def _language() -> str:
    locale = get_locale()
    return locale.language if locale else "de"
