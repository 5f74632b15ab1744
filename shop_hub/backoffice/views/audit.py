"""The audit trail: who did what, filtered, with the state of the chain."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from shop_hub.backoffice import labels, trail
from shop_hub.backoffice.views import blueprint
from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import session

menu.add(MenuItem(label=N_("Audit trail"), endpoint="backoffice.audit_trail", icon="audit", role=Role.MANAGER, sort=95))


@blueprint.get("/audit")
@access(Role.MANAGER)
def audit_trail() -> ResponseReturnValue:
    """Show a page of the trail, newest first."""
    wanted = trail.Filter(
        actor=request.args.get("actor", "").strip()[:60],
        action=request.args.get("action", "").strip()[:60],
        object_=request.args.get("object", "").strip()[:60],
        until=_day(request.args.get("until", "")),
        before=request.args.get("before", 0, type=int),
    )
    page = trail.page(session(), principal().site, wanted)
    query = {name: value for name, value in request.args.items() if name != "before"}
    first = _address(query) if wanted.before else None
    after = _address({**query, "before": str(page.next_before)}) if page.next_before else None
    actions = [(action, labels.action(action)) for action in page.actions]
    return render_template(
        "backoffice/audit.html", page=page, wanted=wanted, actions=actions, next_url=after, first_url=first
    )


@blueprint.get("/audit/chain")
@access(Role.MANAGER)
def audit_chain() -> ResponseReturnValue:
    """Recompute the whole chain of the site and show the result."""
    return render_template("backoffice/_chain.html", chain=trail.chain(session(), principal().site))


def _address(query: dict[str, str]) -> str:
    return f"{url_for('backoffice.audit_trail')}?{urlencode(query)}"


def _day(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(hour=23, minute=59, second=59, tzinfo=UTC)
    except ValueError:
        return None
