"""Changing the catalogue. Nothing here commits; history is kept, never rewritten."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog import barcodes, instore
from shop_hub.catalog.errors import (
    BadCodeError,
    BadProductError,
    BadTemplateError,
    CodeTakenError,
    TemplateCollisionError,
    UnknownProductError,
    WrongCheckDigitError,
)
from shop_hub.catalog.models import (
    BarcodeTemplate,
    DatePolicy,
    DepositKind,
    DepositRate,
    DepositType,
    Embed,
    Price,
    PriceSource,
    Product,
    ProductCode,
    ProductGroup,
    StockPolicy,
    Unit,
    VatClass,
    VatRate,
)
from shop_hub.catalog.paging import search_key
from shop_hub.core import audit, clock
from shop_hub.core.errors import ShopError

LONGEST_NAME = 200
MOST_CENTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class NewCode:
    """A code for a product; see ProductCode. `code` is given as printed or scanned."""

    code: str
    quantity_milli: int = 1000
    template: str = ""
    embed: Embed = Embed.NOTHING


@dataclass(frozen=True, kw_only=True)
class NewProduct:
    """What describes a product; see Product. Group, deposit type and contained product are named by key and id."""

    name: str
    group: str
    vat_class: VatClass
    name_en: str = ""
    maker: str = ""
    unit: Unit = Unit.PIECE
    content_milli: int | None = None
    content_unit: Unit | None = None
    drained_milli: int | None = None
    deposit: str | None = None
    contains_id: int | None = None
    contains_pieces: int | None = None
    min_age: int = 0
    is_vending_forbidden: bool = False
    stock_policy: StockPolicy = StockPolicy.SOFT
    date_policy: DatePolicy = DatePolicy.WARN
    is_active: bool = True
    codes: tuple[NewCode, ...] = ()


def create_product(session: Session, new: NewProduct, *, site_id: int | None = None, actor: str = "system") -> Product:
    """Create a product with its codes.

    Args:
        site_id: site in whose audit chain the act is noted; None for set-up.

    Raises:
        BadProductError: a field contradicts another.
        CodeTakenError, BadCodeError, TemplateCollisionError: a code cannot be given.
    """
    product = Product(created_at=clock.now(), **_columns(session, new))
    session.add(product)
    session.flush()
    for code in new.codes:
        add_code(session, product.id, code)
    _audit(session, site_id, actor, "product-created", product.id, name=product.name)
    return product


def change_product(session: Session, product_id: int, new: NewProduct, *, site_id: int, actor: str) -> Product:
    """Change what describes a product; `new.codes` is not looked at, codes have verbs of their own.

    Raises:
        UnknownProductError: there is none.
        BadProductError: a field contradicts another.
    """
    product = session.get(Product, product_id)
    if product is None:
        raise UnknownProductError
    changed = {}
    for name, value in _columns(session, new).items():
        before = getattr(product, name)
        if before != value:
            setattr(product, name, value)
            changed[name] = [before, value]
    if changed:
        _audit(session, site_id, actor, "product-changed", product_id, **changed)
    return product


def add_code(
    session: Session, product_id: int, new: NewCode, *, site_id: int | None = None, actor: str = "system"
) -> ProductCode:
    """Give a product one more code.

    Raises:
        CodeTakenError: a product bears it already.
        BadCodeError: it cannot be a code; WrongCheckDigitError if only its last digit is wrong.
        TemplateCollisionError: an in-store template reads these digits as a scale label.
    """
    code = _item_reference(new) if new.template else _plain_code(new.code)
    if new.quantity_milli < 1 or (new.template == "") != (new.embed == Embed.NOTHING):
        raise BadCodeError(code=code)
    taken = select(ProductCode.id).where(ProductCode.code == code, ProductCode.template == new.template)
    if session.scalar(taken) is not None:
        raise CodeTakenError(code=barcodes.short_form(code))
    if new.template:
        _refuse_covering(session, new.template, _pattern(session, new.template), {code})
    else:
        _refuse_covered(session, code)
    row = ProductCode(
        product_id=product_id, code=code, template=new.template, embed=new.embed, quantity_milli=new.quantity_milli
    )
    session.add(row)
    session.flush()
    _audit(session, site_id, actor, "code-added", product_id, code=code, template=new.template)
    return row


def remove_code(session: Session, product_id: int, code_id: int, *, site_id: int, actor: str) -> None:
    """Take a code from a product.

    Raises:
        UnknownProductError: the product does not bear it.
    """
    row = session.get(ProductCode, code_id)
    if row is None or row.product_id != product_id:
        raise UnknownProductError
    session.delete(row)
    _audit(session, site_id, actor, "code-removed", product_id, code=row.code, template=row.template)


def set_price(
    session: Session,
    site_id: int,
    product_id: int,
    cents: int,
    *,
    actor: str,
    valid_from: datetime | None = None,
    source: PriceSource = PriceSource.OPERATOR,
) -> Price:
    """Set the gross price per unit at a site, from now or from a later moment on. Earlier prices stay as history.

    Raises:
        UnknownProductError: there is none.
        BadProductError: negative, or above 10,000 €.
    """
    now = clock.now()
    if not 0 <= cents <= MOST_CENTS:
        raise BadProductError(field="price")
    if session.get(Product, product_id) is None:
        raise UnknownProductError
    price = Price(
        site_id=site_id,
        product_id=product_id,
        cents=cents,
        valid_from=max(valid_from or now, now),
        source=source,
        actor=actor,
        created_at=now,
    )
    session.add(price)
    session.flush()
    _audit(session, site_id, actor, "price-set", product_id, cents=cents, valid_from=price.valid_from.isoformat())
    return price


def put_group(session: Session, key: str, name: str, *, symbol: str, name_en: str = "", sort: int = 0) -> ProductGroup:
    """Create a group of goods, or change the one with this key."""
    group = session.scalar(select(ProductGroup).where(ProductGroup.key == key)) or ProductGroup(key=key)
    group.name, group.name_en, group.symbol, group.sort = name, name_en, symbol, sort
    session.add(group)
    session.flush()
    return group


def put_deposit_type(
    session: Session, key: str, name: str, *, kind: DepositKind, cents: int, valid_from: datetime
) -> DepositType:
    """Create a deposit type, or rename it; set its deposit from `valid_from` on."""
    row = session.scalar(select(DepositType).where(DepositType.key == key)) or DepositType(key=key)
    row.name, row.kind = name, kind
    session.add(row)
    session.flush()
    session.merge(DepositRate(deposit_type_id=row.id, valid_from=valid_from, cents=cents))
    session.flush()
    return row


def put_vat_rate(session: Session, vat_class: VatClass, permille: int, *, valid_from: datetime) -> None:
    """Set the rate of a VAT class from `valid_from` on."""
    session.merge(VatRate(vat_class=vat_class, permille=permille, valid_from=valid_from))
    session.flush()


def put_template(session: Session, name: str, pattern: str, *, is_active: bool = True) -> BarcodeTemplate:
    """Create an in-store template, or change it.

    Raises:
        BadTemplateError: the pattern is not understood.
        TemplateCollisionError: one of its item references would read the exact code of a product.
    """
    instore.compile_pattern(pattern)
    items = session.scalars(select(ProductCode.code).where(ProductCode.template == name)).all()
    if is_active and items:
        _refuse_covering(session, name, pattern, set(items))
    row = session.merge(BarcodeTemplate(name=name, pattern=pattern, is_active=is_active))
    session.flush()
    return row


def _columns(session: Session, new: NewProduct) -> dict[str, Any]:
    name = " ".join(new.name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadProductError(field="name")
    if new.min_age not in {0, 16, 18}:
        raise BadProductError(field="min_age")
    _check_content(new)
    return {
        "name": name,
        "name_en": " ".join(new.name_en.split())[:LONGEST_NAME],
        "maker": " ".join(new.maker.split())[:LONGEST_NAME],
        "search_key": search_key(name, new.maker, new.name_en),
        "group_id": _group_id(session, new.group),
        "unit": new.unit,
        "content_milli": new.content_milli,
        "content_unit": new.content_unit,
        "drained_milli": new.drained_milli,
        "vat_class": new.vat_class,
        "deposit_type_id": _deposit_type_id(session, new.deposit),
        "contains_id": new.contains_id,
        "contains_pieces": new.contains_pieces,
        "min_age": new.min_age,
        "is_vending_forbidden": new.is_vending_forbidden,
        "stock_policy": new.stock_policy,
        "date_policy": new.date_policy,
        "is_active": new.is_active,
    }


def _check_content(new: NewProduct) -> None:
    if (new.content_milli is None) != (new.content_unit is None) or not _is_positive(new.content_milli):
        raise BadProductError(field="content")
    if new.drained_milli is not None and not 0 < new.drained_milli <= (new.content_milli or 0):
        raise BadProductError(field="drained")
    if (new.contains_id is None) != (new.contains_pieces is None) or not _is_positive(new.contains_pieces):
        raise BadProductError(field="contains")


def _is_positive(number: int | None) -> bool:
    return number is None or number > 0


def _group_id(session: Session, key: str) -> int:
    group_id = session.scalar(select(ProductGroup.id).where(ProductGroup.key == key))
    if group_id is None:
        raise BadProductError(field="group")
    return group_id


def _deposit_type_id(session: Session, key: str | None) -> int | None:
    if not key:
        return None
    type_id = session.scalar(select(DepositType.id).where(DepositType.key == key))
    if type_id is None:
        raise BadProductError(field="deposit")
    return type_id


def _plain_code(text: str) -> str:
    """Return a code as ProductCode keeps it: GTIN-14, or text in capitals; never the number of an own token."""
    try:
        reading = barcodes.read(text)
    except WrongCheckDigitError:
        raise
    except ShopError:
        raise BadCodeError(code=text[:40]) from None
    return reading.code


def _item_reference(new: NewCode) -> str:
    code = new.code.strip()
    if not (code.isascii() and code.isdigit()):
        raise BadCodeError(code=code[:40])
    return code


def _refuse_covered(session: Session, code: str) -> None:
    """Refuse an exact code whose digits an own scale label could have; the label would never be read again."""
    if len(code) != 14 or code[0] != "0" or not code.isdigit():  # noqa: PLR2004 - GTIN-14
        return
    for template in session.scalars(select(BarcodeTemplate).where(BarcodeTemplate.is_active)):
        match = instore.match(template.name, template.pattern, code[1:])
        if match is None or not match.is_inner_right:
            continue
        used = select(ProductCode.id).where(ProductCode.template == template.name, ProductCode.code == match.code)
        if session.scalar(used) is not None:
            raise TemplateCollisionError(code=barcodes.short_form(code))


def _refuse_covering(session: Session, name: str, pattern: str, items: set[str]) -> None:
    """Refuse item references by which an exact code would be taken for a scale label."""
    start = "0" + pattern.split("{", 1)[0]
    plain = select(ProductCode.code).where(ProductCode.template == "", ProductCode.code.startswith(start))
    for code in session.scalars(plain):
        match = instore.match(name, pattern, code[1:])
        if match is not None and match.is_inner_right and match.code in items:
            raise TemplateCollisionError(code=barcodes.short_form(code))


def _pattern(session: Session, name: str) -> str:
    template = session.get(BarcodeTemplate, name)
    if template is None:
        raise BadTemplateError(pattern=name)
    return template.pattern


def _audit(session: Session, site_id: int | None, actor: str, action: str, product_id: int, **detail: Any) -> None:
    if site_id is not None:
        audit.record(session, site_id, actor, action, f"product:{product_id}", **detail)
