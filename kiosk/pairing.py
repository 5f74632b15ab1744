"""Making a browser a kiosk: the code from the office is typed once, a cookie remembers it."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk.blueprint import blueprint
from shop_hub.core.access import Role, access
from shop_hub.core.errors import ShopError
from shop_hub.core.web import hub, session
from shop_hub.fleet import kiosks
from shop_hub.people.principals import KIOSK_COOKIE

YEARS_S = 10 * 365 * 86_400


@blueprint.get("/pair")
@access(Role.ANONYMOUS)
def pairing() -> ResponseReturnValue:
    """Ask for the code."""
    return render_template("kiosk/pairing.html", error="")


@blueprint.post("/pair")
@access(Role.ANONYMOUS)
def pair() -> ResponseReturnValue:
    """Pair this browser; its cookie reaches the kiosk's pages only."""
    try:
        token = kiosks.pair(session(), request.form.get("code", ""), address=request.remote_addr or "")
    except ShopError as refusal:
        page = render_template("kiosk/pairing.html", error=gettext(refusal.message, **refusal.params))
        return page, refusal.status
    response = redirect(url_for("kiosk.home"), 303)
    response.set_cookie(
        KIOSK_COOKIE,
        token.text,
        max_age=YEARS_S,
        path="/kiosk",
        httponly=True,
        samesite="Strict",
        secure=hub().settings.http.secure_cookies,
    )
    return response
