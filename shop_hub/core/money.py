"""Money in integer cents, quantities in integer thousandths, rates in permille."""

from collections.abc import Iterable, Mapping


def line_total_cents(unit_price_cents: int, quantity_milli: int) -> int:
    """Return the price of a line, rounded half up (away from zero) to the cent."""
    product = unit_price_cents * quantity_milli
    sign = -1 if product < 0 else 1
    return sign * ((abs(product) + 500) // 1000)


def included_vat_cents(gross_cents: int, vat_permille: int) -> int:
    """Return the VAT inside a gross sum, rounded half up: once per rate and receipt, never per line."""
    sign = -1 if gross_cents < 0 else 1
    divisor = 1000 + vat_permille
    return sign * ((2 * abs(gross_cents) * vat_permille + divisor) // (2 * divisor))


def gross_by_rate(lines: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Sum (vat_permille, gross_cents) pairs per rate, sorted by rate."""
    sums: dict[int, int] = {}
    for vat_permille, gross_cents in lines:
        sums[vat_permille] = sums.get(vat_permille, 0) + gross_cents
    return dict(sorted(sums.items()))


def vat_by_rate(gross: Mapping[int, int]) -> dict[int, int]:
    """Return the included VAT of each rate."""
    return {rate: included_vat_cents(cents, rate) for rate, cents in gross.items()}


def base_price_cents(price_cents: int, content_milli: int) -> int:
    """Return the price per reference unit (1 kg, 1 l, 1 piece; PAngV §5) for a pack.

    Args:
        content_milli: content in thousandths of the reference unit: grams for kg, millilitres for l.
    """
    return (2 * price_cents * 1000 + content_milli) // (2 * content_milli)
