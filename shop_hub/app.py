"""Composition root: the one module that knows every feature and the kiosk."""

from flask import Response, request
from flask import session as visit
from werkzeug.utils import redirect

import kiosk
from shop_hub import api_views, features, health, live
from shop_hub import models as _models  # noqa: F401 - all tables must be known before the first query
from shop_hub.core import audit
from shop_hub.core.access import Role, access
from shop_hub.core.assets import init_assets
from shop_hub.core.db import Database
from shop_hub.core.events import bus
from shop_hub.core.formats import init_formats
from shop_hub.core.settings import Settings
from shop_hub.core.web import ShopHub
from shop_hub.people import principals

__all__ = ["create_app"]


def create_app(settings: Settings, database: Database | None = None) -> ShopHub:
    """Build the hub's web application; starts no thread and opens no connection.

    Args:
        settings: see config/default.toml.
        database: default is the one that the settings name.
    """
    app = ShopHub(settings, database or Database(settings.database))
    audit.use_key(app.hasher.derive("audit"))
    bus.most_clients = settings.http.threads // 2  # each open screen holds a thread; the rest serve requests
    app.load_principal = lambda: principals.load(app)
    app.select_language = lambda: _language(settings)
    init_assets(app)
    init_formats(app)
    for part in ("views", "api", "courier_views", "public_views"):
        for module in features.load(part):
            app.register_blueprint(module.blueprint)
    for module in (live, health, api_views):
        app.register_blueprint(module.blueprint)
    kiosk.register(app)
    app.add_url_rule("/", "start", _start)
    _connect(app)
    return app


@access(Role.ANONYMOUS)
def _start() -> Response:
    return redirect("/kiosk/")  # type: ignore[return-value]


def _connect(app: ShopHub) -> None:
    """Tie the features whose data flow upwards: an event, never an import."""
    for module in features.load("wiring"):
        module.connect(app)


def _language(settings: Settings) -> str:
    chosen = visit.get("language") if visit else None
    if chosen in settings.languages:
        return str(chosen)
    if request.path.startswith("/kiosk"):
        return settings.languages[0]
    return request.accept_languages.best_match(settings.languages) or settings.languages[0]
