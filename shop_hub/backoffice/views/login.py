"""Signing in and out, new passwords, choosing the site."""

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.backoffice.views import blueprint
from shop_hub.backoffice.wiring import safe_next
from shop_hub.core import audit
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import NotFoundError, ShopError
from shop_hub.core.web import hub, session
from shop_hub.people import principals, queries, signin, staff
from shop_hub.people.errors import BadPasswordRepeatError


@blueprint.get("/login")
@access(Role.ANONYMOUS)
def login() -> ResponseReturnValue:
    """Show the sign-in page; who is signed in goes on."""
    if principals.current_operator() is not None:
        return redirect(safe_next(request.args.get("next", "")))
    return render_template("backoffice/login.html", next=request.args.get("next", ""), user_name="", error="")


@blueprint.post("/login")
@access(Role.ANONYMOUS)
def sign_in() -> ResponseReturnValue:
    """Check name and password; the visit takes a new id."""
    user_name = request.form.get("user_name", "")
    target = request.form.get("next", "")
    try:
        operator = staff.authenticate(
            session(), hub().hasher, user_name, request.form.get("password", ""), address=request.remote_addr or ""
        )
    except ShopError as refusal:
        message = _(refusal.message, **refusal.params)
        page = render_template("backoffice/login.html", next=target, user_name=user_name[:40], error=message)
        return page, refusal.status
    site_id = min(row.site_id for row in operator.roles)
    signin.operator(operator, site_id=site_id)
    audit.record(session(), site_id, f"operator:{operator.id}", "signed-in", f"operator:{operator.id}")
    return redirect(safe_next(target), 303)


@blueprint.post("/logout")
@access(Role.ANONYMOUS)
def sign_out() -> ResponseReturnValue:
    """End the visit; its row is deleted, so a copied cookie is worthless."""
    signin.out()
    flash(_("You are signed out."), "good")
    return redirect(url_for("backoffice.login"), 303)


@blueprint.get("/password")
@access(Role.ANONYMOUS)
def new_password() -> ResponseReturnValue:
    """Show the form that takes a one-time code and a new password."""
    return render_template("backoffice/password.html", error="")


@blueprint.post("/password")
@access(Role.ANONYMOUS)
def set_new_password() -> ResponseReturnValue:
    """Set a new password with a one-time code."""
    try:
        password = request.form.get("password", "")
        if password != request.form.get("password_again", ""):
            raise BadPasswordRepeatError
        code = request.form.get("code", "")
        staff.redeem_reset(session(), hub().hasher, code, password, address=request.remote_addr or "")
    except ShopError as refusal:
        message = _(refusal.message, **refusal.params)
        return render_template("backoffice/password.html", error=message), refusal.status
    flash(_("The new password is set. Please sign in with it."), "good")
    return redirect(url_for("backoffice.login"), 303)


@blueprint.post("/site")
@access(Role.VOLUNTEER)
def choose_site() -> ResponseReturnValue:
    """Go on at another site that the operator serves."""
    operator = principals.current_operator()
    wanted = request.form.get("site_id", 0, type=int)
    if operator is None or operator.role_at(wanted) is None:
        raise NotFoundError(what="site")
    visit["site_id"] = wanted
    return redirect(safe_next(request.form.get("next", "")), 303)


@blueprint.get("/account")
@access(Role.VOLUNTEER)
def account() -> ResponseReturnValue:
    """Show the own account: language, password, sites."""
    operator = staff.get_operator(session(), principal().operator_id or 0)
    return render_template(
        "backoffice/account.html", operator=operator, sites=queries.sites_of(session(), operator), error=""
    )


@blueprint.post("/account/language")
@access(Role.VOLUNTEER)
def set_language() -> ResponseReturnValue:
    """Choose the language of the backoffice."""
    language = request.form.get("language", "")
    if language in hub().settings.languages:
        staff.get_operator(session(), principal().operator_id or 0).language = language
        visit["language"] = language
    return redirect(url_for("backoffice.account"), 303)


@blueprint.post("/account/password")
@access(Role.VOLUNTEER)
def change_password() -> ResponseReturnValue:
    """Change the own password with the old one; all other browsers are signed out, this one takes a new visit."""
    operator = staff.get_operator(session(), principal().operator_id or 0)
    try:
        password = request.form.get("password", "")
        if password != request.form.get("password_again", ""):
            raise BadPasswordRepeatError
        old = request.form.get("old_password", "")
        hashed = staff.hash_password(session(), hub().hasher, operator.id, password)  # before `authenticate` writes
        staff.authenticate(session(), hub().hasher, operator.user_name, old, address=request.remote_addr or "")
        staff.keep_password(session(), operator.id, hashed)
    except ShopError as refusal:
        message = _(refusal.message, **refusal.params)
        sites = queries.sites_of(session(), operator)
        page = render_template("backoffice/account.html", operator=operator, sites=sites, error=message)
        return page, refusal.status
    signin.operator(operator, site_id=principal().site)
    audit.record(session(), principal().site, principal().actor, "password-changed", f"operator:{operator.id}")
    flash(_("The new password is set. Other browsers were signed out."), "good")
    return redirect(url_for("backoffice.account"), 303)
