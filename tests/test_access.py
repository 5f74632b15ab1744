"""Deny by default: every route declares who may call it, and the edge keeps to it for each role."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from shop_hub.app import create_app
from shop_hub.core.access import STAFF, Principal, Role, allowed_roles, staff_roles
from shop_hub.core.db import Database
from shop_hub.core.settings import Settings
from shop_hub.core.web import ShopHub

MATRIX = Path(__file__).parent / "access_matrix.txt"
VALUES = {"int": 1, "uuid": "01938f2e-7c6b-7000-8000-000000000000", "default": "x", "string": "x", "path": "x"}


@pytest.fixture
def app(page_database: Database, tmp_path: Path) -> ShopHub:
    return create_app(Settings(data=tmp_path / "data", production=False), page_database)


def matrix(app: ShopHub) -> list[str]:
    """Return a line per route: methods, address, and who may come in."""
    lines = []
    for rule in app.url_map.iter_rules():
        methods = ",".join(sorted(rule.methods - {"HEAD", "OPTIONS"}))
        roles = ",".join(sorted(allowed_roles(app.view_functions[rule.endpoint]))) or "NOBODY"
        lines.append(f"{methods} {rule.rule} {roles}")
    return sorted(lines)


def test_every_route_declares_who_may_call_it_and_stands_in_the_matrix(app: ShopHub) -> None:
    assert matrix(app) == MATRIX.read_text().splitlines()


def test_no_route_is_left_without_a_rule(app: ShopHub) -> None:
    assert [line for line in matrix(app) if line.endswith("NOBODY")] == []


@pytest.mark.parametrize("role", list(Role))
def test_each_role_enters_exactly_what_is_declared(app: ShopHub, role: Role) -> None:
    roles = staff_roles(role) if role in STAFF else frozenset({role})
    app.load_principal = lambda: Principal(roles=roles | {Role.ANONYMOUS}, site_id=1)
    allowed = {endpoint: allowed_roles(view) for endpoint, view in app.view_functions.items()}
    for endpoint in app.view_functions:
        app.view_functions[endpoint] = entered(allowed[endpoint])
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        may_enter = not allowed[rule.endpoint].isdisjoint(roles | {Role.ANONYMOUS})
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            status = send(app, client, method, rule)
            assert (rule.rule, method, status == 200) == (rule.rule, method, may_enter)


def entered(roles: frozenset[Role]):
    def view(**_path: object) -> str:
        return "entered"

    view.access_roles = roles
    return view


def send(app: ShopHub, client: FlaskClient, method: str, rule: Rule) -> int:
    path = rule.rule
    for name, converter in rule._converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("unicode", "default")
        kind = kind.replace("integer", "int")
        path = path.replace(f"<{name}>", "x").replace(f"<{kind}:{name}>", str(VALUES.get(kind, 1)))
    visit = "A" * 26
    client.set_cookie("visit", visit)
    token = app.csrf_token_for(type("Visit", (), {"id": visit})())
    return client.open(path, method=method, headers={"X-CSRF-Token": token}).status_code
