"""What operators type about products, as values of the service."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import TypeVar

from shop_hub.catalog.models import DatePolicy, Product, StockPolicy, Unit, VatClass
from shop_hub.catalog.service import NewProduct
from shop_hub.core import clock, typed
from shop_hub.core.errors import N_, BadInputError

Choice = TypeVar("Choice")
CONTENTS = {
    "g": (Unit.KILOGRAM, 1),
    "kg": (Unit.KILOGRAM, 1000),
    "ml": (Unit.LITRE, 1),
    "l": (Unit.LITRE, 1000),
    "piece": (Unit.PIECE, 1000),
    "m": (Unit.METRE, 1000),
}
CONTENT_NAMES = {"g": "g", "kg": "kg", "ml": "ml", "l": "l", "piece": N_("pieces"), "m": "m"}
UNIT_NAMES = {Unit.PIECE: N_("by the piece"), Unit.KILOGRAM: N_("by weight (kg)"), Unit.LITRE: N_("by the litre")}
WORDS = {Unit.PIECE: N_("piece"), Unit.KILOGRAM: "kg", Unit.LITRE: "l", Unit.METRE: "m"}
VAT_NAMES = {
    VatClass.REDUCED: N_("reduced (food, books)"),
    VatClass.STANDARD: N_("full (drinks, household)"),
    VatClass.ZERO: N_("none"),
}
AGES = {0: N_("for everyone"), 16: N_("from 16 years"), 18: N_("from 18 years")}


def new_product(form: Mapping[str, str], contains_id: int | None = None) -> NewProduct:
    """Read the form of a product.

    Args:
        contains_id: the product whose bottles are in the crate, found by the code in the form.

    Raises:
        BadInputError: `field` is missing or none of the choices.
    """
    content = _content(form)
    return NewProduct(
        name=form.get("name", ""),
        name_en=form.get("name_en", ""),
        maker=form.get("maker", ""),
        group=form.get("group", ""),
        unit=_one_of(Unit, form, "unit"),
        vat_class=_one_of(VatClass, form, "vat_class"),
        content_milli=content[0] if content else None,
        content_unit=content[1] if content else None,
        drained_milli=_grams(form, "drained"),
        deposit=form.get("deposit") or None,
        contains_id=contains_id,
        contains_pieces=_pieces(form) if contains_id else None,
        min_age=_age(form),
        is_vending_forbidden="is_vending_forbidden" in form,
        stock_policy=_one_of(StockPolicy, form, "stock_policy"),
        date_policy=_one_of(DatePolicy, form, "date_policy"),
        is_active="is_active" in form,
    )


def price_cents(form: Mapping[str, str]) -> int:
    """Read the price.

    Raises:
        BadInputError: it is no amount.
    """
    return typed.cents(form.get("price", ""), "price")


def valid_from(form: Mapping[str, str], timezone: str) -> datetime | None:
    """Read from which day on a price holds; None is now.

    Raises:
        BadInputError: it is no day.
    """
    text = form.get("valid_from", "").strip()
    if not text:
        return None
    try:
        return clock.local_midnight(date.fromisoformat(text), timezone)
    except ValueError:
        raise BadInputError(field="valid_from") from None


def values(product: Product, group: str, deposit: str, contains_code: str) -> dict[str, object]:
    """Return a product as its form shows it."""
    number, unit = content_of(product.content_milli, product.content_unit)
    return {
        "name": product.name,
        "name_en": product.name_en,
        "maker": product.maker,
        "group": group,
        "unit": product.unit.value,
        "vat_class": product.vat_class.value,
        "content": number,
        "content_unit": unit,
        "drained": str(product.drained_milli or ""),
        "deposit": deposit,
        "contains_code": contains_code,
        "contains_pieces": product.contains_pieces or "",
        "min_age": product.min_age,
        "is_vending_forbidden": product.is_vending_forbidden,
        "stock_policy": product.stock_policy.value,
        "date_policy": product.date_policy.value,
        "is_active": product.is_active,
    }


def content_of(milli: int | None, unit: Unit | None) -> tuple[str, str]:
    """Return a content as a person writes it: ("500", "g")."""
    if milli is None or unit is None:
        return "", "g"
    small = {Unit.KILOGRAM: "g", Unit.LITRE: "ml"}.get(unit)
    if small and milli % 1000:
        return str(milli), small
    return f"{milli / 1000:g}".replace(".", ","), unit.value


def _content(form: Mapping[str, str]) -> tuple[int, Unit] | None:
    if not form.get("content", "").strip():
        return None
    if form.get("content_unit") not in CONTENTS:
        raise BadInputError(field="content")
    unit, factor = CONTENTS[form["content_unit"]]
    return typed.milli(form["content"], "content") * factor // 1000, unit


def _grams(form: Mapping[str, str], name: str) -> int | None:
    text = form.get(name, "").strip()
    return typed.milli(text, name) // 1000 if text else None


def _pieces(form: Mapping[str, str]) -> int:
    pieces, rest = divmod(typed.milli(form.get("contains_pieces", ""), "contains"), 1000)
    if rest:
        raise BadInputError(field="contains")
    return pieces


def _age(form: Mapping[str, str]) -> int:
    if form.get("min_age") not in {str(age) for age in AGES}:
        raise BadInputError(field="min_age")
    return int(form["min_age"])


def _one_of(kind: type[Choice], form: Mapping[str, str], name: str) -> Choice:
    try:
        return kind(form.get(name, ""))  # type: ignore[call-arg]
    except ValueError:
        raise BadInputError(field=name) from None
