"""Coming back with the slip: look at the own notice, change it, extend it, take it down."""

from flask import render_template, request
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk.blueprint import blueprint
from kiosk.board import go, kiosk_pad, remember, say
from kiosk.board_write import own_post
from shop_hub.board import kinds, printing, service, slips, texts
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import ShopError
from shop_hub.core.web import hub, session


@blueprint.get("/board/slip")
@access(Role.KIOSK)
def slip() -> ResponseReturnValue:
    """Ask for the code of the slip."""
    return render_template("kiosk/board/slip.html", code="", error="")


@blueprint.post("/board/slip")
@access(Role.KIOSK)
def find_slip() -> ResponseReturnValue:
    """Look the code up; the try is counted first."""
    code = request.form.get("code", "")[:40]
    try:
        post = service.find_by_slip(session(), hub().hasher, principal().site, code, pad=kiosk_pad())
    except ShopError as refusal:
        error = gettext(refusal.message, **refusal.params)
        return render_template("kiosk/board/slip.html", code=code, error=error), refusal.status
    remember(post.id)
    return go("own_notice")


@blueprint.get("/board/own")
@access(Role.KIOSK)
def own_notice() -> ResponseReturnValue:
    """Show the own notice with what can be done."""
    post = own_post()
    code = slips.spaced(slips.code_of(hub().hasher, post.public_id))
    can_print = printing.has_printer(session(), principal().kiosk_id or 0)
    return render_template("kiosk/board/own.html", post=post, kinds=kinds, code=code, can_print=can_print)


@blueprint.get("/board/own/text")
@access(Role.KIOSK)
def own_text() -> ResponseReturnValue:
    """Show the text of the own notice to change it."""
    return render_template("kiosk/board/own_text.html", text=own_post().text, most=texts.MOST_KIOSK, error="")


@blueprint.post("/board/own/text")
@access(Role.KIOSK)
def change_own() -> ResponseReturnValue:
    """Change the text; it waits for approval again."""
    post = own_post()
    text = request.form.get("text", "")[: texts.LONGEST_RAW]
    try:
        service.change_by_slip(session(), post.id, text, pad=kiosk_pad())
    except ShopError as refusal:
        error = gettext(refusal.message, **refusal.params)
        page = render_template("kiosk/board/own_text.html", text=text, most=texts.MOST_KIOSK, error=error)
        return page, refusal.status
    say(gettext("Your change is saved. The shop looks at it soon."))
    return go("own_notice")


@blueprint.post("/board/own/extend")
@access(Role.KIOSK)
def extend_own() -> ResponseReturnValue:
    """Let the notice hang for another 14 days."""
    service.extend(session(), own_post().id, actor=kiosk_pad())
    say(gettext("Your notice stays for another 14 days."))
    return go("own_notice")


@blueprint.post("/board/own/withdraw")
@access(Role.KIOSK)
def withdraw_own() -> ResponseReturnValue:
    """Take the notice down."""
    service.withdraw(session(), own_post().id, actor=kiosk_pad())
    visit.pop("slip_post", None)
    say(gettext("Your notice is taken down."))
    return go("board")


@blueprint.post("/board/own/print")
@access(Role.KIOSK)
def print_own() -> ResponseReturnValue:
    """Print the slip once more."""
    printing.print_slip(session(), hub().hasher, own_post(), principal().kiosk_id or 0)
    say(gettext("The slip is being printed."))
    return go("own_notice")
