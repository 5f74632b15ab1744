"""A receipt on paper: the document for a kiosk's slip printer (devices/printer)."""

from flask_babel import gettext
from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.catalog.models import Unit
from shop_hub.checkout.models import LineKind
from shop_hub.checkout.queries import Receipt, ReceiptLine
from shop_hub.core.formats import day, hour, money, quantity, rate
from shop_hub.fleet import service as fleet

NODE = "printer"
WIDTH = 32
MOST_LINES = 40
"""A message to a device holds 4 kB."""


def print_receipt(session: Session, printer_id: int, receipt: Receipt, *, qr: str, language: str) -> None:
    """Have a receipt printed.

    Raises:
        DeviceOfflineError, DeviceBusyError: nothing is printed.
    """
    lines: list[JsonValue] = [*_lines(receipt, language)]
    document: dict[str, JsonValue] = {"title": receipt.shop[:60], "lines": lines, "qr": qr}
    fleet.request(session, printer_id, NODE, "print", {"document": document}, by=f"receipt:{receipt.public_id}")


def _lines(receipt: Receipt, language: str) -> list[str]:
    body = [text for line in receipt.lines for text in _line(line, language)]
    if len(body) > MOST_LINES:
        left = len(body) - MOST_LINES
        body = [*body[:MOST_LINES], gettext("and %(number)s more lines: see the QR code", number=left)]
    foot = [_row(gettext("Total"), money(receipt.total_cents))]
    if receipt.deposit_cents:
        foot.append(_row(gettext("of which deposit"), money(receipt.deposit_cents)))
    foot += [
        _row(gettext("includes %(rate)s %% VAT", rate=rate(row.permille)), money(row.vat_cents)) for row in receipt.vat
    ]
    number = gettext("Receipt %(number)s", number=receipt.number)
    return [
        receipt.street,
        receipt.place,
        "",
        *body,
        "-" * WIDTH,
        *foot,
        "",
        f"{number}, {day(receipt.at)}, {hour(receipt.at)}",
    ]


def _line(line: ReceiptLine, language: str) -> list[str]:
    if line.kind is LineKind.DEPOSIT:
        return [_row(f"  {gettext('Deposit')}", money(line.total_cents))]
    name = line.label(language)
    if line.unit is Unit.PIECE and line.quantity_milli in (1000, -1000):
        return [_row(name, money(line.total_cents))]
    unit = "" if line.unit is Unit.PIECE else line.unit.value
    times = f"  {quantity(line.quantity_milli, unit)} x {money(line.unit_price_cents)}"
    return [name[:WIDTH], _row(times, money(line.total_cents))]


def _row(left: str, right: str) -> str:
    return f"{left[: WIDTH - len(right) - 1]:<{WIDTH - len(right)}}{right}"
