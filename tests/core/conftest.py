"""A small application on the request edge, without any feature."""

from pathlib import Path

import pytest
from flask import Blueprint, jsonify, request
from flask import session as visit
from jinja2 import DictLoader
from sqlalchemy import func, select

from shop_hub.core import limits
from shop_hub.core.access import Principal, Role, access
from shop_hub.core.db import Database
from shop_hub.core.errors import ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub, csrf_token, session


class SoldOutError(ShopError):
    code = "sold-out"
    message = "None left."


def build(database: Database, folder: Path) -> ShopHub:  # noqa: C901 - a page per rule of the edge
    app = ShopHub(Settings(data=folder), database)
    app.load_principal = lambda: Principal(
        roles=frozenset({Role.ANONYMOUS, *(Role(r) for r in request.headers.get("X-Roles", "").split())}), site_id=1
    )
    pages = Blueprint("pages", __name__)

    @pages.get("/token")
    @access(Role.ANONYMOUS)
    def token():
        visit["seen"] = True
        return csrf_token()

    @pages.get("/undeclared")
    def undeclared():
        return "secret"

    @pages.get("/office")
    @access(Role.OPERATOR)
    def office():
        return "office"

    @pages.post("/logout")
    @access(Role.ANONYMOUS)
    def logout():
        visit.end()
        return "bye"

    @pages.get("/who")
    @access(Role.ANONYMOUS)
    def who():
        return jsonify(seen=visit.get("seen", False))

    @pages.post("/api/sites")
    @access(Role.ANONYMOUS)
    @idempotent
    def make():
        slug = request.get_json()["slug"]
        if slug == "sold-out":
            session().add(Site(slug="never", name="never"))
            session().flush()
            raise SoldOutError(left=0)
        session().add(Site(slug=slug, name=slug))
        session().flush()
        count = session().scalar(select(func.count()).select_from(Site))
        return jsonify(count=count), 201

    @pages.post("/api/guess")
    @access(Role.ANONYMOUS)
    def guess():
        limits.count(session(), (limits.Limit("guess", tries=2, window=limits.timedelta(minutes=5)), "pad"))
        raise SoldOutError

    @pages.post("/api/crash")
    @access(Role.ANONYMOUS)
    @idempotent
    def crash():
        session().add(Site(slug="crashed", name="crashed"))
        session().flush()
        raise ZeroDivisionError

    @pages.post("/form")
    @access(Role.ANONYMOUS)
    def form():
        return "taken"

    app.register_blueprint(pages)
    app.jinja_loader = DictLoader({"backoffice/refusal.html": "{{ status }} {{ message }} {{ sites() }}"})
    app.jinja_env.globals["sites"] = lambda: session().scalar(select(func.count()).select_from(Site))
    return app


@pytest.fixture
def app(database: Database, tmp_path: Path) -> ShopHub:
    return build(database, tmp_path / "data")
