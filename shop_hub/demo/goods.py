"""Fills the demo village's shelves."""

from datetime import timedelta

from sqlalchemy.orm import Session

from shop_hub.catalog import service as catalog
from shop_hub.catalog.models import DepositKind, StockPolicy, Unit, VatClass
from shop_hub.catalog.service import NewCode, NewProduct
from shop_hub.core import clock
from shop_hub.core.sites import Site
from shop_hub.demo import tables
from shop_hub.stock import service as stock
from shop_hub.stock.models import Supplier
from shop_hub.stock.service import NewLot

LONG_AGO = timedelta(days=400)
UNITS = {"g": (Unit.KILOGRAM, 1), "ml": (Unit.LITRE, 1), "piece": (Unit.PIECE, 1000)}
DEPOSITS = (
    ("einweg-25", "Einweg-Pfand", DepositKind.ONE_WAY, 25),
    ("mehrweg-8", "Mehrweg-Pfand Flasche", DepositKind.RETURNABLE, 8),
    ("mehrweg-15", "Mehrweg-Pfand Flasche", DepositKind.RETURNABLE, 15),
    ("crate-150", "Pfand Kasten", DepositKind.RETURNABLE, 150),
)
TEMPLATES = (("ean13_instore_chk", "2{code:5}{i}{embed:5}{ec}"),)


def add_rates(session: Session) -> None:
    """Enter VAT rates, deposits and the layout of scale labels."""
    since = clock.now() - LONG_AGO
    for vat_class, permille in ((VatClass.STANDARD, 190), (VatClass.REDUCED, 70), (VatClass.ZERO, 0)):
        catalog.put_vat_rate(session, vat_class, permille, valid_from=since)
    for key, name, kind, cents in DEPOSITS:
        catalog.put_deposit_type(session, key, name, kind=kind, cents=cents, valid_from=since)
    for name, pattern in TEMPLATES:
        catalog.put_template(session, name, pattern)


def add_goods(session: Session, site: Site) -> dict[str, int]:
    """Enter all products with price and stock; return their ids by printed GTIN."""
    for row in tables.rows("product_groups"):
        catalog.put_group(
            session, row["key"], row["name_de"], symbol=row["symbol"], name_en=row["name_en"], sort=int(row["sort"])
        )
    for row in tables.rows("suppliers"):
        session.add(Supplier(name=row["name"], email=row["email"], phone=row["phone"]))
    ids: dict[str, int] = {}
    for row in sorted(tables.rows("products"), key=lambda row: row["contains_gtin"] != ""):
        ids[row["gtin"]] = _add_product(session, site, row, ids)
    _fill_shelves(session, site, ids)
    return ids


def _add_product(session: Session, site: Site, row: tables.Row, ids: dict[str, int]) -> int:
    unit, factor = UNITS[row["fill_unit"]]
    drained = tables.number(row["drained_g"])
    new = NewProduct(
        name=row["name"],
        name_en=row["name_en"],
        group=row["group"],
        vat_class=VatClass(row["vat"]),
        content_milli=int(row["fill_quantity"]) * factor,
        content_unit=unit,
        drained_milli=drained,
        deposit=row["deposit"] or None,
        contains_id=ids.get(row["contains_gtin"]),
        contains_pieces=tables.number(row["contains_pieces"]),
        min_age=int(row["min_age"]),
        is_vending_forbidden=row["vending_forbidden"] == "yes",
        stock_policy=StockPolicy(row["stock_policy"]),
        codes=(NewCode(code=row["gtin"]),),
    )
    product = catalog.create_product(session, new)
    catalog.set_price(session, site.id, product.id, int(row["price_cents"]), actor="system")
    return product.id


def _fill_shelves(session: Session, site: Site, ids: dict[str, int]) -> None:
    today = clock.today(site.timezone)
    for row in tables.rows("products"):
        product_id = ids[row["gtin"]]
        least = int(row["min_level"]) * 1000
        stock.set_assortment(session, site.id, product_id, min_milli=least, place=row["shelf"])
        if row["on_hand"] == "0":
            continue
        days = tables.number(row["best_before_days"])
        date = today + timedelta(days=days) if days else None
        is_use_by = row["date_kind"] == "use_by"
        lot = NewLot(use_by=date if is_use_by else None, best_before=None if is_use_by else date) if date else None
        stock.receive(session, site.id, product_id, int(row["on_hand"]) * 1000, lot=lot, actor="system", ref="demo")
