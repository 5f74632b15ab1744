"""The kiosk without the hub: the script that keeps copies of public pages, and the page for everything else."""

from flask import Response, render_template, send_from_directory
from flask.typing import ResponseReturnValue

from kiosk.blueprint import blueprint
from shop_hub.core.access import Role, access
from shop_hub.core.assets import FOLDER, asset


@blueprint.get("/service-worker.js")
@access(Role.ANONYMOUS)
def service_worker() -> Response:
    """Return the script; under /kiosk/ it may serve the kiosk's pages only."""
    name = asset("service-worker.js").rsplit("/", 1)[1]
    response = send_from_directory(FOLDER, name, mimetype="text/javascript", max_age=0)
    response.cache_control.no_cache = True
    return response


@blueprint.get("/offline")
@access(Role.ANONYMOUS)
def offline() -> ResponseReturnValue:
    """Say that the hub does not answer; the script keeps this page for that moment."""
    return render_template("kiosk/offline.html")
