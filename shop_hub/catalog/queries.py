"""Reading the catalogue. Statements are built once; the look-up of a scan is one of them in the usual case."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog import barcodes, instore, paging, statements
from shop_hub.catalog.errors import NoPriceError, UnknownBarcodeError, UnknownProductError, WrongCheckDigitError
from shop_hub.catalog.models import (
    DatePolicy,
    DepositKind,
    Embed,
    Product,
    ProductCode,
    ProductGroup,
    StockPolicy,
    Unit,
    VatClass,
)
from shop_hub.core import clock
from shop_hub.core.money import base_price_cents

PAGE = 24
MOST = 200
SMALLEST_BASE_PRICE_MILLI = 10  # PAngV §4(3) Nr. 2: none below 10 g or 10 ml


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePrice:
    """Grundpreis: cents for one kilogram, litre, metre or piece (PAngV §4, §5)."""

    cents: int
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProduct:
    """A product as the till needs it: what one scan means, at the price of one site, now.

    `quantity_milli` is what the scan says (1000 = one piece, or one kg of loose goods). `fixed_total_cents` is set if
    the code itself bears the price of the line: then it, not unit price times quantity, is what the line costs.
    `deposit` is (type id, cents) per piece, beside the price and never part of it (PAngV §7).
    """

    product_id: int
    public_id: UUID
    name: str
    name_en: str
    maker: str
    unit: Unit
    unit_price_cents: int
    vat_class: VatClass
    vat_permille: int
    deposit: tuple[int, int] | None
    deposit_kind: DepositKind | None
    min_age: int
    is_vending_forbidden: bool
    stock_policy: StockPolicy
    date_policy: DatePolicy
    group_key: str
    group_symbol: str
    base_price: BasePrice | None
    code: str = ""
    quantity_milli: int = 1000
    fixed_total_cents: int | None = None
    lot: str | None = None
    best_before: date | None = None
    use_by: date | None = None

    def label(self, language: str) -> str:
        """Return the name in `language` as far as there is one."""
        return self.name_en if language == "en" and self.name_en else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a code says of the goods that bear it."""

    product_id: int
    quantity_milli: int
    lot: str | None
    best_before: date | None
    use_by: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of goods with its drawn symbol."""

    id: int
    key: str
    name: str
    name_en: str
    symbol: str

    def label(self, language: str) -> str:
        """Return the name in `language` as far as there is one."""
        return self.name_en if language == "en" and self.name_en else self.name


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; `next` is the cursor of the following part, or None at the end."""

    items: list[FoundProduct]
    next: str | None


def find_by_barcode(session: Session, site_id: int, scan: str) -> FoundProduct:
    """Return the product that a scan means, with the quantity, price, lot and date that the code bears.

    Raises:
        UnknownBarcodeError: nothing here bears this code; NotGoodsError if it is a card or pick-up code.
        WrongCheckDigitError: misread or mistyped.
        UnreadableBarcodeError: no code at all.
        NoPriceError: the product has no price at this site.
    """
    reading = barcodes.read(scan)
    row = statements.BY_CODE.first(session, _at(site_id, code=reading.code, template=""))
    return _find_in_store(session, site_id, reading) if row is None else _scanned(row, reading)


def find_by_barcodes(session: Session, site_id: int, scans: Iterable[str]) -> list[FoundProduct]:
    """Return what each of several scans means, in their order, as `find_by_barcode` does: usually one statement.

    Raises:
        As `find_by_barcode`, for the first scan that is refused.
    """
    readings = [barcodes.read(scan) for scan in scans]
    codes = sorted({reading.code for reading in readings})
    rows = {row.code: row for row in statements.BY_CODES.all(session, _at(site_id, codes=codes, template=""))}
    return [
        _scanned(rows[reading.code], reading) if reading.code in rows else _find_in_store(session, site_id, reading)
        for reading in readings
    ]


def product_card(session: Session, site_id: int, product_id: int) -> FoundProduct:
    """Return one product for sale.

    Raises:
        UnknownProductError: there is none, or it is no longer sold.
        NoPriceError: it has no price at this site.
    """
    row = statements.BY_ID.first(session, _at(site_id, product_id=product_id))
    if row is None:
        raise UnknownProductError
    return _found(row)


def product_cards(session: Session, site_id: int, product_ids: Iterable[int]) -> dict[int, FoundProduct]:
    """Return several products by id in one statement; those not for sale at this site are left out."""
    rows = statements.BY_IDS.all(session, _at(site_id, product_ids=product_ids))
    return {row.id: _found(row) for row in rows if row.unit_price_cents is not None}


def product_id(session: Session, public_id: UUID) -> int:
    """Return the inner id of a product.

    Raises:
        UnknownProductError: there is none.
    """
    found = session.scalar(select(Product.id).where(Product.public_id == public_id))
    if found is None:
        raise UnknownProductError
    return found


def find_in_goods(session: Session, scan: str) -> Scanned:
    """Return what a scan means where goods come in: sold here or not, priced or not.

    Raises:
        UnknownBarcodeError: nothing bears this code; other refusals as `find_by_barcode`.
    """
    reading = barcodes.read(scan)
    row = session.execute(
        select(ProductCode.product_id, ProductCode.quantity_milli).where(
            ProductCode.code == reading.code, ProductCode.template == ""
        )
    ).one_or_none()
    if row is None:
        raise UnknownBarcodeError
    return Scanned(
        product_id=row.product_id,
        quantity_milli=reading.weight_milli or row.quantity_milli * reading.pieces,
        lot=reading.lot,
        best_before=reading.best_before,
        use_by=reading.use_by,
    )


def names(session: Session, product_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of products, sold or not, by id."""
    return {row.id: row.name for row in statements.NAMES.all(session, {"product_ids": product_ids})}


def printed_codes(session: Session, product_ids: Iterable[int]) -> dict[int, list[str]]:
    """Return the plain codes of products as they are printed, by id; codes of scale labels are left out."""
    rows = statements.PRINTED_CODES.all(session, {"product_ids": product_ids})
    codes: dict[int, list[str]] = {}
    for row in rows:
        codes.setdefault(row.product_id, []).append(barcodes.short_form(row.code))
    return codes


def printed_codes_of(session: Session, product_id: int) -> list[str]:
    """Return the plain codes of one product, as `printed_codes` does."""
    rows = statements.PRINTED_CODES_OF.all(session, {"product_id": product_id})
    return [barcodes.short_form(row.code) for row in rows]


def search(
    session: Session,
    site_id: int,
    text: str = "",
    *,
    group: str | None = None,
    limit: int = PAGE,
    cursor: str | None = None,
) -> Page:
    """Find what is for sale by words of its name or maker, or by digits of its code, in the order of the names.

    Args:
        group: key of a group; None looks in all.
        limit: 1 to 200 rows.
        cursor: `Page.next` of the part before.

    Raises:
        BadInputError: the cursor is not one of ours.
    """
    limit = max(1, min(limit, MOST))
    statement = statements.FOR_SALE.where(*paging.has_words(text)).limit(limit + 1)
    if group:
        statement = statement.where(ProductGroup.key == group)
    if cursor:
        statement = statement.where(paging.after(cursor))
    rows = session.execute(statement, _at(site_id)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page([_found(row) for row in rows[:limit]], paging.cursor(last.search_key, last.id) if last else None)


def groups(session: Session) -> list[Group]:
    """Return all groups in the order of the shop."""
    rows = session.execute(statements.GROUPS)
    return [Group(id=row.id, key=row.key, name=row.name, name_en=row.name_en, symbol=row.symbol) for row in rows]


def vat_permille(session: Session, vat_class: VatClass) -> int:
    """Return the rate in force now (UStG §27(1): the rate at supply counts, not the one at the quote)."""
    return int(session.scalars(statements.VAT, {"vat_class": vat_class, "now": clock.now()}).one())


def _at(site_id: int, **more: Any) -> dict[str, Any]:
    return {"site_id": site_id, "now": clock.now(), **more}


def _scanned(row: Any, reading: barcodes.Reading) -> FoundProduct:
    return _found(
        row,
        code=reading.code,
        quantity_milli=reading.weight_milli or row.quantity_milli * reading.pieces,
        fixed_total_cents=reading.price_cents,
        lot=reading.lot,
        best_before=reading.best_before,
        use_by=reading.use_by,
    )


def _find_in_store(session: Session, site_id: int, reading: barcodes.Reading) -> FoundProduct:
    """Read the shop's own scale labels. A foreign code that only looks alike has no item reference here: unknown."""
    if not reading.is_gtin or reading.code[0] != "0":
        raise UnknownBarcodeError
    for template in session.execute(statements.TEMPLATES).all():
        match = instore.match(template.name, template.pattern, reading.code[1:])
        if match is None:
            continue
        row = statements.BY_CODE.first(session, _at(site_id, code=match.code, template=template.name))
        if row is None:
            continue
        if not match.is_inner_right:
            raise WrongCheckDigitError
        return _embedded(row, reading.code, match.embedded)
    raise UnknownBarcodeError


def _embedded(row: Any, code: str, embedded: int) -> FoundProduct:
    if row.embed != Embed.PRICE:
        quantity_milli = embedded * 1000 if row.embed == Embed.PIECE else embedded
        return _found(row, code=code, quantity_milli=quantity_milli)
    is_loose = row.unit != Unit.PIECE and row.unit_price_cents
    quantity_milli = (
        max(1, (2 * embedded * 1000 + row.unit_price_cents) // (2 * row.unit_price_cents)) if is_loose else 1000
    )
    return _found(row, code=code, quantity_milli=quantity_milli, fixed_total_cents=embedded)


def _found(row: Any, **scanned: Any) -> FoundProduct:
    if row.unit_price_cents is None:
        raise NoPriceError
    return FoundProduct(
        product_id=row.id,
        public_id=row.public_id,
        name=row.name,
        name_en=row.name_en,
        maker=row.maker,
        unit=row.unit,
        unit_price_cents=row.unit_price_cents,
        vat_class=row.vat_class,
        vat_permille=row.vat_permille,
        deposit=_deposit(row),
        deposit_kind=row.deposit_kind,
        min_age=row.min_age,
        is_vending_forbidden=row.is_vending_forbidden,
        stock_policy=row.stock_policy,
        date_policy=row.date_policy,
        group_key=row.group_key,
        group_symbol=row.group_symbol,
        base_price=base_price(row.unit_price_cents, row.unit, row.content_milli, row.content_unit, row.drained_milli),
        **scanned,
    )


def _deposit(row: Any) -> tuple[int, int] | None:
    """Return the product's own deposit with that of the bottles in a crate."""
    cents = (row.deposit_cents or 0) + (row.contained_deposit_cents or 0) * (row.contains_pieces or 0)
    type_id = row.deposit_type_id or row.contained_deposit_type_id
    return (type_id, cents) if cents and type_id else None


def base_price(
    cents: int, unit: Unit, content_milli: int | None, content_unit: Unit | None, drained_milli: int | None
) -> BasePrice | None:
    """Return the base price to be shown, or None where it equals the price or the content is below 10 g or 10 ml."""
    if unit != Unit.PIECE or content_milli is None or content_unit is None:
        return None
    content = drained_milli or content_milli
    if content == 1000 or content < SMALLEST_BASE_PRICE_MILLI:  # noqa: PLR2004 - one whole reference unit
        return None
    return BasePrice(cents=base_price_cents(cents, content), unit=content_unit)
