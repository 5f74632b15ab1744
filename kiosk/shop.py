"""Shopping at the kiosk: scan or choose goods, see and change the basket."""

from dataclasses import dataclass
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.catalog import queries as catalog
from shop_hub.catalog.errors import (
    NoPriceError,
    NotGoodsError,
    UnknownBarcodeError,
    UnreadableBarcodeError,
    WrongCheckDigitError,
)
from shop_hub.catalog.queries import FoundProduct
from shop_hub.checkout import cases, queries, receipts, service
from shop_hub.checkout.errors import AgeNotProvenError, PastBestBeforeError, PastUseByError
from shop_hub.checkout.models import BasketState
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, NotFoundError, ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.people.queries import person
from shop_hub.stock import tasks

GOODS_PER_PAGE = 6
MEMBER_CARD = "D1M"
PRE_WRITE = (
    AgeNotProvenError,
    NoPriceError,
    PastBestBeforeError,
    PastUseByError,
    UnknownBarcodeError,
    UnreadableBarcodeError,
    WrongCheckDigitError,
)
"""Refusals that come before anything is written: the page shows them beside the basket, which is as it was."""


@dataclass(frozen=True)
class Refused:
    """Why a scan was not added, and what can be done about it."""

    text: str
    code: str = ""
    wants_card: bool = False


@blueprint.get("/shop")
@access(Role.KIOSK)
def shop() -> ResponseReturnValue:
    """Show the basket."""
    return _page(basket_view())


@blueprint.get("/shop/basket")
@access(Role.KIOSK)
def shop_basket() -> ResponseReturnValue:
    """Return the basket as it is at this moment."""
    return render_template("kiosk/shop/_basket.html", basket=basket_view(), refused=None, language=language())


@blueprint.post("/shop/scan")
@access(Role.KIOSK)
@idempotent
def shop_scan() -> ResponseReturnValue:
    """Add what was scanned; a receipt's code opens that receipt, a member card leads to its PIN."""
    code = request.form.get("code", "")
    if receipts.hash_of_scan(code) is not None:
        receipt = queries.receipt_by_scan(session(), code)
        remember(receipt.public_id)
        return _go(url_for("kiosk.shop_receipt", public_id=receipt.public_id))
    if code.strip().upper().startswith(MEMBER_CARD):
        return _go(url_for("kiosk.shop_card"))
    try:
        found = _admitted(catalog.find_by_barcode(session(), principal().site, code))
    except PRE_WRITE as error:
        return _refused(error, code)
    service.add_found(session(), _open(session()), found)
    return _changed()


@blueprint.post("/shop/goods")
@access(Role.KIOSK)
@idempotent
def shop_add() -> ResponseReturnValue:
    """Add one piece of an article chosen by picture or name."""
    product_id = catalog.product_id(session(), _uuid(request.form.get("product", "")))
    try:
        found = _admitted(service.find_product(session(), principal().site, product_id))
    except PRE_WRITE as error:
        return _refused(error, "")
    service.add_found(session(), _open(session()), found)
    return redirect(url_for("kiosk.shop"), 303)


@blueprint.post("/shop/lines/<int:line_id>")
@access(Role.KIOSK)
@idempotent
def shop_change(line_id: int) -> ResponseReturnValue:
    """Change a line by the pieces in `step`; "0" removes it."""
    step = request.form.get("step", "0")
    basket = basket_view()
    row = next((row for row in basket.rows if row.id == line_id), None)
    pieces = row.pieces + int(step) if row is not None and step in {"1", "-1"} else 0
    service.change_quantity(session(), basket.id, line_id, pieces)
    return _changed()


@blueprint.post("/shop/unknown")
@access(Role.KIOSK)
@idempotent
def shop_report() -> ResponseReturnValue:
    """Tell the shop about a code that it does not know."""
    tasks.report_unknown_code(session(), principal().site, request.form.get("code", ""))
    flash(gettext("Thank you. We will add this article. Please leave it here for now."), "good")
    return redirect(url_for("kiosk.shop"), 303)


@blueprint.post("/shop/cancel")
@access(Role.KIOSK)
@idempotent
def shop_cancel() -> ResponseReturnValue:
    """Give the basket up."""
    basket_id = visit.pop("basket", None)
    if basket_id is not None:
        service.abandon(session(), basket_id)
    return redirect(url_for("kiosk.home"), 303)


@blueprint.get("/shop/groups")
@access(Role.KIOSK)
def shop_groups() -> ResponseReturnValue:
    """Show the groups of goods as pictures."""
    return render_template("kiosk/shop/groups.html", groups=catalog.groups(session()), language=language())


@blueprint.get("/shop/search")
@access(Role.KIOSK)
def shop_search() -> ResponseReturnValue:
    """Ask for a word of the article's name."""
    return render_template("kiosk/shop/search.html")


@blueprint.get("/shop/goods")
@access(Role.KIOSK)
def shop_goods() -> ResponseReturnValue:
    """Show a page of goods, by group or by word. `trail` holds the cursors of the pages before, for "Previous"."""
    group, words = request.args.get("group") or None, request.args.get("words", "")[:60]
    trail = [part for part in request.args.get("trail", "").split(".") if part][:200]
    page = catalog.search(
        session(),
        principal().site,
        words,
        group=group,
        limit=GOODS_PER_PAGE,
        cursor=trail[-1] if trail else None,
    )
    title = next((it.label(language()) for it in catalog.groups(session()) if it.key == group), gettext("Articles"))

    def at(cursors: list[str]) -> str:
        return url_for("kiosk.shop_goods", group=group, words=words or None, trail=".".join(cursors) or None)

    return render_template(
        "kiosk/shop/goods.html",
        goods=page.items,
        title=title,
        number=len(trail) + 1,
        previous=at(trail[:-1]) if trail else None,
        following=at([*trail, page.next]) if page.next else None,
        back=url_for("kiosk.shop_groups" if group else "kiosk.shop_search"),
        language=language(),
    )


def basket_view() -> queries.BasketView:
    """Return this visit's basket; an empty one if there is none or it has ended."""
    basket_id = visit.get("basket")
    if basket_id is not None:
        found = queries.basket(session(), basket_id)
        if found.state in (BasketState.OPEN, BasketState.PAYING):
            return found
    return queries.BasketView(id=0, state=BasketState.OPEN, age_level=0, rows=(), total_cents=0, deposit_cents=0)


def language() -> str:
    """Return the language of this page, e.g. "de"."""
    return str(get_locale() or "de")[:2]


def remember(public_id: UUID, *, is_bought: bool = False) -> None:
    """Note that this visit may see a sale and its receipt, until it ends; and undo it, if it has bought it itself."""
    for name in ("sales", "bought") if is_bought else ("sales",):
        others = [it for it in visit.get(name, []) if it != str(public_id)]
        visit[name] = [*others, str(public_id)][-20:]


def has_bought(public_id: UUID) -> bool:
    """Tell whether this visit has made a sale itself, rather than opened it by a code or number."""
    return str(public_id) in visit.get("bought", [])


def check_seen(public_id: UUID) -> None:
    """Refuse a sale that this visit has not made or opened.

    Raises:
        NotFoundError: as for a sale that does not exist.
    """
    if str(public_id) not in visit.get("sales", []):
        raise NotFoundError(what="sale")


def _admitted(found: FoundProduct) -> FoundProduct:
    """Return goods that may be sold to whoever stands here."""
    asking, basket = principal(), basket_view()
    level = basket.age_level if basket.id else _member_level(asking.member_id)
    service.admit(session(), asking.site, asking.kiosk_id, found, age_level=level)
    return found


def _member_level(member_id: int | None) -> int:
    return 0 if member_id is None else person(session(), member_id).age_level


def _open(writing: Session) -> int:
    """Return the id of this visit's open basket; a new one carries the age that a signed-in member has proven."""
    basket = basket_view()
    if basket.id:
        return basket.id
    asking = principal()
    fresh = service.open_basket(writing, asking.site, asking.kiosk_id)
    visit["basket"] = fresh.id
    service.prove_age(writing, fresh.id, _member_level(asking.member_id))
    return fresh.id


def _page(basket: queries.BasketView, refused: Refused | None = None) -> str:
    kiosk_id, seen = principal().kiosk_id, visit.get("sales", [])
    left = cases.left_behind(session(), kiosk_id) if kiosk_id is not None and basket.is_empty else []
    return render_template(
        "kiosk/shop/shop.html",
        basket=basket,
        refused=refused,
        left=[row for row in left if str(row.public_id) not in seen],
        language=language(),
    )


def _changed() -> ResponseReturnValue:
    if "HX-Request" not in request.headers:
        return redirect(url_for("kiosk.shop"), 303)
    return render_template(
        "kiosk/shop/_basket.html", basket=basket_view(), refused=None, language=language(), is_changed=True
    )


def _refused(error: ShopError, code: str) -> ResponseReturnValue:
    is_unknown = isinstance(error, UnknownBarcodeError) and not isinstance(error, NotGoodsError)
    refused = Refused(
        text=gettext(error.message, **error.params),
        code=code.strip()[:40] if is_unknown else "",
        wants_card=isinstance(error, AgeNotProvenError) and principal().member_id is None,
    )
    basket = basket_view()
    if "HX-Request" in request.headers:
        body = render_template("kiosk/shop/_basket.html", basket=basket, refused=refused, language=language())
    else:
        body = _page(basket, refused)
    return body, error.status


def _go(address: str) -> ResponseReturnValue:
    """Lead the page on, by htmx's header or by a plain redirect."""
    if "HX-Request" in request.headers:
        return "", 200, {"HX-Redirect": address}
    return redirect(address, 303)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(what="product") from None


tiles.add(
    tiles.Tile(
        order=10,
        title=N_("Shopping"),
        icon="basket",
        endpoint="kiosk.shop",
        fact=lambda _session, _site: gettext("Scan, pay, done"),
        is_strong=True,
    )
)
