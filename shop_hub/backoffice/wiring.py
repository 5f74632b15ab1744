"""Ties the backoffice to the application: menu and account in its templates, the way to the sign-in page."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Response, g, redirect, request, url_for
from flask_babel import gettext

from shop_hub.backoffice import accounts, labels
from shop_hub.core import clock, menu
from shop_hub.core.access import Principal, Role
from shop_hub.core.errors import LoginRequiredError
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub, refuse, session
from shop_hub.people import principals, queries
from shop_hub.people.models import Operator


@dataclass(frozen=True)
class MenuLine:
    """A line of the menu as base.html shows it."""

    label: str
    endpoint: str
    icon: str
    active: bool
    count: int


@dataclass(frozen=True)
class Account:
    """Who is signed in, where, and which other sites there are."""

    operator: Operator
    site: Site | None
    sites: list[Site]


def connect(app: ShopHub) -> None:
    """Offer menu and account to templates; lead people who are not signed in to the sign-in page."""
    app.jinja_env.globals.update(
        backoffice_menu=_menu,
        backoffice_account=_account,
        backoffice_home=lambda: url_for("backoffice.dashboard"),
        backoffice_now=clock.now,
        endpoints=lambda: app.view_functions,
        principal_has=lambda role: g.principal.has(Role(role)),
        villager_account=lambda person: accounts.of(session(), person.home_site_id, person.id),
        top_up_sources=lambda: [(value, gettext(label)) for value, label in accounts.SOURCES.items()],
    )
    app.jinja_env.filters.update(
        audit_action=labels.action, audit_thing=labels.thing, audit_detail=labels.detail, in_groups=labels.in_groups
    )
    accounts.register_privacy()
    app.register_error_handler(LoginRequiredError, _to_login)


def safe_next(target: str) -> str:
    """Return a page of the backoffice to go to after signing in; anything else leads to the dashboard."""
    parts = urlsplit(target)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/office/") and "\\" not in target
    return target if is_ours and "//" not in parts.path else url_for("backoffice.dashboard")


def _menu() -> list[MenuLine]:
    asking: Principal = g.get("principal", Principal())
    items = [(item, url_for(item.endpoint)) for item in menu.items(asking)]
    here = max((url for _item, url in items if request.path.startswith(url)), key=len, default="")
    return [
        MenuLine(gettext(item.label), item.endpoint, item.icon, url == here, item.badge(asking) if item.badge else 0)
        for item, url in items
    ]


def _account() -> Account | None:
    operator = principals.current_operator()
    asking: Principal = g.get("principal", Principal())
    if operator is None or asking.site_id is None:
        return None
    sites = queries.sites_of(session(), operator)
    return Account(operator, next((site for site in sites if site.id == asking.site_id), None), sites)


def _to_login(error: LoginRequiredError) -> Response:
    if not request.path.startswith("/office") or request.method != "GET":
        return refuse(error)
    if "HX-Request" in request.headers:
        response = refuse(error)
        response.headers["HX-Redirect"] = url_for("backoffice.login")
        return response
    return redirect(url_for("backoffice.login", next=request.full_path.rstrip("?")))  # type: ignore[return-value]
