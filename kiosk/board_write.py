"""Writing a notice at the kiosk, in four steps: what about, the text, a way to reach the writer, a last look.

Between the steps the text lies in the visit; "Finish" and the time limit wipe it.
"""

from dataclasses import dataclass
from typing import Any

from flask import render_template, request
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from kiosk.blueprint import blueprint
from kiosk.board import go, kiosk_pad, remember
from shop_hub.board import kinds, printing, service, slips, texts
from shop_hub.board.models import Post, PostKind
from shop_hub.board.service import Draft
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, NotFoundError, ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import hub, session


@dataclass(frozen=True)
class Starter:
    """How a notice may begin: the button's words and the first words of the text."""

    kind: PostKind
    label: str
    words: str
    icon: str


STARTERS = {
    "give": Starter(PostKind.OFFER, N_("I give away …"), N_("I give away "), "heart"),
    "sell": Starter(PostKind.OFFER, N_("I sell …"), N_("I sell "), "tag"),
    "seek": Starter(PostKind.SEEK, N_("I am looking for …"), N_("I am looking for "), "search"),
    "lost": Starter(PostKind.LOST, N_("I have lost …"), N_("I have lost "), "question"),
    "found": Starter(PostKind.LOST, N_("I have found …"), N_("I have found "), "eye"),
    "help": Starter(PostKind.HELP, N_("Who helps me with …"), N_("Who helps me with "), "hands"),
    "can": Starter(PostKind.OFFER, N_("I gladly help with …"), N_("I gladly help with "), "family"),
    "other": Starter(PostKind.NOTICE, N_("Something else"), "", "edit"),
}


@blueprint.get("/board/write")
@access(Role.KIOSK)
def write() -> ResponseReturnValue:
    """Ask what the notice is about."""
    return render_template("kiosk/board/write.html", starters=STARTERS)


@blueprint.get("/board/write/text")
@access(Role.KIOSK)
def write_text() -> ResponseReturnValue:
    """Show the text field, begun with the chosen words."""
    start = request.args.get("start", "")
    draft = _draft()
    if start in STARTERS and start != draft.get("start"):
        words = STARTERS[start].words
        draft = {"start": start, "text": gettext(words) if words else ""}
        visit["draft"] = draft
    if "start" not in draft:
        return go("write")
    return _text_page(draft["text"])


@blueprint.post("/board/write/text")
@access(Role.KIOSK)
def keep_text() -> ResponseReturnValue:
    """Keep the text and ask how to reach the writer."""
    draft = _draft()
    if "start" not in draft:
        return go("write")
    text = request.form.get("text", "")[: texts.LONGEST_RAW]
    try:
        words = STARTERS[draft["start"]].words
        service.check_kiosk_text(text, begun_with=gettext(words) if words else "")
    except ShopError as refusal:
        return _text_page(text, gettext(refusal.message, **refusal.params)), refusal.status
    visit["draft"] = {**draft, "text": texts.clean(text)}
    return go("write_contact")


@blueprint.get("/board/write/contact")
@access(Role.KIOSK)
def write_contact() -> ResponseReturnValue:
    """Ask how people reach the writer."""
    draft = _draft()
    return render_template("kiosk/board/contact.html", draft=draft) if "text" in draft else go("write")


@blueprint.post("/board/write/contact")
@access(Role.KIOSK)
def keep_contact() -> ResponseReturnValue:
    """Keep the contact and show the notice as it will look."""
    draft = _draft()
    if "text" not in draft:
        return go("write")
    contact = texts.clean_line(request.form.get("contact", ""))[:80]
    visit["draft"] = {**draft, "contact": contact, "consent": request.form.get("show") == "1" and bool(contact)}
    return go("preview")


@blueprint.get("/board/write/preview")
@access(Role.KIOSK)
def preview() -> ResponseReturnValue:
    """Show the notice as it will look."""
    draft = _draft()
    if "contact" not in draft:
        return go("write_contact")
    text = draft["text"] if draft["consent"] else texts.hide_contacts(draft["text"])
    kind = STARTERS[draft["start"]].kind
    return render_template(
        "kiosk/board/preview.html", draft=draft, text=text, is_hidden=text != draft["text"], kind=kind, kinds=kinds
    )


@blueprint.post("/board/write")
@access(Role.KIOSK)
@idempotent
def hand_in() -> ResponseReturnValue:
    """Hand the notice in; the code follows on the next page and stands in no stored answer."""
    draft = _draft()
    if "contact" not in draft:
        return go("write")
    locale = get_locale()
    post = service.hand_in(
        session(),
        hub().hasher,
        principal().site,
        Draft(
            kind=STARTERS[draft["start"]].kind,
            text=draft["text"],
            language=locale.language if locale else "de",
            contact_text=draft["contact"],
            has_consent=draft["consent"],
        ),
        pad=kiosk_pad(),
    )
    visit.pop("draft", None)
    remember(post.id)
    return go("thanks")


@blueprint.get("/board/thanks")
@access(Role.KIOSK)
def thanks() -> ResponseReturnValue:
    """Show the slip code of the notice that was just handed in."""
    post = own_post()
    code = slips.spaced(slips.code_of(hub().hasher, post.public_id))
    can_print = printing.has_printer(session(), principal().kiosk_id or 0)
    return render_template("kiosk/board/thanks.html", post=post, code=code, can_print=can_print)


def own_post() -> Post:
    """Return the notice that this visit has proved to be the visitor's own.

    Raises:
        NotFoundError: there is none, or it belongs to another shop.
    """
    post = session().get(Post, visit.get("slip_post") or 0)
    if post is None or post.site_id != principal().site:
        raise NotFoundError(what="notice")
    return post


def _draft() -> dict[str, Any]:
    return dict(visit.get("draft") or {})


def _text_page(text: str, error: str = "") -> str:
    start = STARTERS[_draft()["start"]]
    return render_template("kiosk/board/text.html", text=text, start=start, most=texts.MOST_KIOSK, error=error)
