"""Lines of baskets and receipts, and what they add up to. Pure functions, integer cents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shop_hub.catalog.models import StockPolicy, Unit
from shop_hub.catalog.queries import FoundProduct
from shop_hub.checkout.models import LineKind
from shop_hub.core.money import gross_by_rate, included_vat_cents, line_total_cents, vat_by_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Goods or their deposit. `refers_to` is the position of the goods whose deposit it is."""

    position: int
    kind: LineKind
    refers_to: int | None
    product_id: int
    name: str
    name_en: str
    unit: Unit
    quantity_milli: int
    unit_price_cents: int
    fixed_total_cents: int | None
    vat_permille: int
    base_price_cents: int | None
    base_unit: str
    deposit_type_id: int | None
    lot: str
    stock_policy: StockPolicy
    min_age: int

    @property
    def total_cents(self) -> int:
        """Return what the line costs: what its label says, or price times quantity rounded half up."""
        if self.fixed_total_cents is not None:
            return self.fixed_total_cents
        return line_total_cents(self.unit_price_cents, self.quantity_milli)


@dataclass(frozen=True, slots=True)
class VatRow:
    """The sums of one VAT rate on a receipt."""

    permille: int
    gross_cents: int
    vat_cents: int

    @property
    def net_cents(self) -> int:
        """Return gross without VAT."""
        return self.gross_cents - self.vat_cents


def lines_of(found: FoundProduct, position: int, quantity_milli: int | None = None) -> list[Line]:
    """Return the line of goods, and that of their deposit if they bear one, at `position` and the next."""
    quantity = found.quantity_milli if quantity_milli is None else quantity_milli
    goods = Line(
        position=position,
        kind=LineKind.GOODS,
        refers_to=None,
        product_id=found.product_id,
        name=found.name,
        name_en=found.name_en,
        unit=found.unit,
        quantity_milli=quantity,
        unit_price_cents=found.unit_price_cents,
        fixed_total_cents=found.fixed_total_cents,
        vat_permille=found.vat_permille,
        base_price_cents=found.base_price.cents if found.base_price else None,
        base_unit=found.base_price.unit.value if found.base_price else "",
        deposit_type_id=None,
        lot=found.lot or "",
        stock_policy=found.stock_policy,
        min_age=found.min_age,
    )
    if found.deposit is None:
        return [goods]
    return [goods, _deposit(goods, *found.deposit)]


def total(lines: Iterable[Line]) -> int:
    """Return the sum of lines in cents."""
    return sum(line.total_cents for line in lines)


def deposit_total(lines: Iterable[Line]) -> int:
    """Return the deposit among lines in cents."""
    return sum(line.total_cents for line in lines if line.kind is LineKind.DEPOSIT)


def gross(lines: Iterable[Line]) -> dict[int, int]:
    """Return the gross sum of each VAT rate; a deposit shares the rate of its goods."""
    return gross_by_rate((line.vat_permille, line.total_cents) for line in lines)


def vat_rows(rated: Iterable[tuple[int, int]]) -> list[VatRow]:
    """Return VAT per rate, once from the gross sum of each rate (shop.md 3.3), from (permille, gross cents)."""
    sums = gross_by_rate(rated)
    return [VatRow(permille, sums[permille], vat) for permille, vat in vat_by_rate(sums).items()]


def postings(lines: Sequence[Line], paid_from: str) -> list[tuple[str, int]]:
    """Return what a sale does to the accounts.

    VAT of each rate comes from its gross sum. Deposit is a liability without its VAT; revenue is what remains, so that
    the sum is zero whatever the rounding.

    Args:
        paid_from: account the money comes from, e.g. "member:7" or "card-clearing".
    """
    entries = [(paid_from, -total(lines))]
    deposits = gross_by_rate((line.vat_permille, line.total_cents) for line in lines if line.kind is LineKind.DEPOSIT)
    for permille, cents in gross(lines).items():
        vat = included_vat_cents(cents, permille)
        held = deposits.get(permille, 0) - included_vat_cents(deposits.get(permille, 0), permille)
        entries += [(f"vat:{permille}", vat), ("deposit", held), (f"revenue:{permille}", cents - vat - held)]
    return entries


def opposite(lines: Iterable[Line]) -> list[Line]:
    """Return the lines of a reversal."""
    return [
        replace(
            line,
            quantity_milli=-line.quantity_milli,
            fixed_total_cents=None if line.fixed_total_cents is None else -line.fixed_total_cents,
        )
        for line in lines
    ]


def _deposit(goods: Line, type_id: int, cents: int) -> Line:
    return replace(
        goods,
        position=goods.position + 1,
        kind=LineKind.DEPOSIT,
        refers_to=goods.position,
        unit=Unit.PIECE,
        unit_price_cents=cents,
        fixed_total_cents=None,
        base_price_cents=None,
        base_unit="",
        deposit_type_id=type_id,
    )
