"""The noticeboard in the office: what waits, what hangs, what is over; approve, refuse, write, change, take down."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.board import forms, kinds, queries, service
from shop_hub.board.models import Post, PostKind, PostState
from shop_hub.core import menu
from shop_hub.core.access import Principal, Role, access, principal
from shop_hub.core.errors import N_, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import session

blueprint = Blueprint("board", __name__, url_prefix="/office/board", template_folder="templates")

TABS = {
    "waiting": (N_("Waiting"), (PostState.PENDING,)),
    "shown": (N_("On the board"), (PostState.PUBLISHED,)),
    "drafts": (N_("Drafts"), (PostState.DRAFT,)),
    "ended": (N_("Over"), (PostState.EXPIRED, PostState.WITHDRAWN, PostState.REJECTED)),
}
REASONS = (
    N_("Please without advertising of a company."),
    N_("Please without the names or numbers of other people."),
    N_("Please more friendly words."),
    N_("This hangs on the board already."),
)


def _waiting(asking: Principal) -> int:
    return queries.waiting(session(), asking.site)


menu.add(
    MenuItem(
        label=N_("Notice board"), endpoint="board.index", icon="board", role=Role.OPERATOR, sort=70, badge=_waiting
    )
)


@blueprint.get("/")
@access(Role.OPERATOR)
def index() -> ResponseReturnValue:
    """List posts; those that wait come first."""
    tab = request.args.get("tab", "waiting")
    tab = tab if tab in TABS else "waiting"
    found = queries.posts(session(), principal().site, TABS[tab][1], page=request.args.get("page", 1, type=int))
    return render_template(
        "board/index.html",
        found=found,
        tab=tab,
        tabs=[(name, _(label)) for name, (label, _states) in TABS.items()],
        waiting=queries.waiting(session(), principal().site),
        reasons=[(_(reason), _(reason)) for reason in REASONS],
        kinds=kinds,
    )


@blueprint.get("/new")
@access(Role.OPERATOR)
def new() -> ResponseReturnValue:
    """Show an empty form for a notice or an event."""
    kind = PostKind.EVENT if request.args.get("kind") == "event" else PostKind.NEWS
    return _form(None, {"kind": kind.value, "language": "de", "start": "19:00", "end": "21:00"})


@blueprint.post("/new")
@access(Role.OPERATOR)
def create() -> ResponseReturnValue:
    """Enter a notice or event, as a draft or at once on the board."""
    publish = request.form.get("do") == "publish"
    try:
        post = service.write(
            session(), principal().site, forms.draft(request.form), actor=principal().actor, publish=publish
        )
    except ShopError as refusal:
        return _form(None, request.form, _(refusal.message, **refusal.params)), refusal.status
    flash(_("It hangs on the board now.") if publish else _("The draft is saved."), "good")
    return redirect(url_for("board.show", public_id=post.public_id), 303)


@blueprint.get("/<uuid:public_id>")
@access(Role.OPERATOR)
def show(public_id: UUID) -> ResponseReturnValue:
    """Show a post with all that is known of it."""
    reasons = [(_(reason), _(reason)) for reason in REASONS]
    return render_template("board/show.html", post=_post(public_id), kinds=kinds, reasons=reasons)


@blueprint.get("/<uuid:public_id>/edit")
@access(Role.OPERATOR)
def edit(public_id: UUID) -> ResponseReturnValue:
    """Show the form with what is written."""
    post = _post(public_id)
    return _form(post, forms.values(post))


@blueprint.post("/<uuid:public_id>/edit")
@access(Role.OPERATOR)
def change(public_id: UUID) -> ResponseReturnValue:
    """Change a post."""
    post = _post(public_id)
    try:
        service.change(session(), post.id, forms.draft(request.form), actor=principal().actor)
    except ShopError as refusal:
        return _form(post, request.form, _(refusal.message, **refusal.params)), refusal.status
    flash(_("The changes are saved."), "good")
    return redirect(url_for("board.show", public_id=public_id), 303)


@blueprint.post("/<uuid:public_id>/approve")
@access(Role.OPERATOR)
def approve(public_id: UUID) -> ResponseReturnValue:
    """Put a post on the board."""
    service.approve(session(), _post(public_id).id, actor=principal().actor)
    flash(_("It hangs on the board now."), "good")
    return redirect(_back(public_id), 303)


@blueprint.post("/<uuid:public_id>/reject")
@access(Role.OPERATOR)
def reject(public_id: UUID) -> ResponseReturnValue:
    """Refuse a post with a reason."""
    reason = request.form.get("reason", "").strip() or request.form.get("ready_reason", "")
    service.reject(session(), _post(public_id).id, reason, actor=principal().actor)
    flash(_("The notice was refused. Its writer reads the reason with the code."), "good")
    return redirect(_back(public_id), 303)


@blueprint.post("/<uuid:public_id>/extend")
@access(Role.OPERATOR)
def extend(public_id: UUID) -> ResponseReturnValue:
    """Let a post hang for 14 days from now."""
    service.extend(session(), _post(public_id).id, actor=principal().actor)
    flash(_("It hangs for another 14 days."), "good")
    return redirect(_back(public_id), 303)


@blueprint.post("/<uuid:public_id>/withdraw")
@access(Role.OPERATOR)
def withdraw(public_id: UUID) -> ResponseReturnValue:
    """Take a post down."""
    service.withdraw(session(), _post(public_id).id, actor=principal().actor)
    flash(_("It does not hang on the board any more."), "good")
    return redirect(_back(public_id), 303)


def _form(post: Post | None, values: object, error: str = "") -> str:
    names = [(kind.value, _(kinds.NAMES[kind])) for kind in PostKind]
    return render_template("board/form.html", post=post, values=values, kind_names=names, error=error)


def _post(public_id: UUID) -> Post:
    return queries.post(session(), principal().site, public_id)


def _back(public_id: UUID) -> str:
    """Return the queue if the decision was made there, else the post's page."""
    is_queue = request.form.get("from") == "queue"
    return url_for("board.index") if is_queue else url_for("board.show", public_id=public_id)
