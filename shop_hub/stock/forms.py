"""What volunteers type about stock, as values of the services; words for what they read."""

from collections.abc import Mapping
from datetime import date

from shop_hub.core import typed
from shop_hub.core.errors import N_, BadInputError
from shop_hub.stock.models import MoveReason
from shop_hub.stock.receipts import Entry
from shop_hub.stock.service import NewLot

LONGEST_NOTE = 200
COUNT_REASONS = {
    MoveReason.COUNT: N_("counted"),
    MoveReason.THEFT: N_("missing, perhaps stolen"),
}
WASTE_REASONS = {
    MoveReason.EXPIRED: N_("date has passed"),
    MoveReason.WASTE: N_("broken or spoilt"),
    MoveReason.OWN_USE: N_("used in the shop or given away"),
    MoveReason.THEFT: N_("stolen"),
}
REASONS = {
    MoveReason.RECEIPT: N_("delivered"),
    MoveReason.SALE: N_("sold"),
    MoveReason.RETURN: N_("given back"),
    MoveReason.WASTE: N_("broken or spoilt"),
    MoveReason.EXPIRED: N_("date has passed"),
    MoveReason.THEFT: N_("missing, perhaps stolen"),
    MoveReason.OWN_USE: N_("used in the shop or given away"),
    MoveReason.COUNT: N_("counted"),
    MoveReason.TRANSFER: N_("carried to another place"),
    MoveReason.REVERSAL: N_("undone"),
}


def entry(form: Mapping[str, str]) -> Entry:
    """Read a line of a goods receipt.

    Raises:
        BadInputError: `field` is no quantity or no day.
    """
    return Entry(
        good_milli=typed.milli(form.get("good") or "0", "good"),
        broken_milli=typed.milli(form.get("broken") or "0", "broken"),
        lot=lot(form),
    )


def lot(form: Mapping[str, str]) -> NewLot:
    """Read number and date of a batch.

    Raises:
        BadInputError: it is no day.
    """
    day = _day(form, "date")
    is_use_by = form.get("date_kind") == "use_by"
    return NewLot(code=form.get("lot", ""), best_before=None if is_use_by else day, use_by=day if is_use_by else None)


def reason(form: Mapping[str, str], choices: Mapping[MoveReason, str]) -> MoveReason:
    """Read why goods are missing or thrown away.

    Raises:
        BadInputError: none of the choices.
    """
    found = form.get("reason", "")
    if found not in set(choices):
        raise BadInputError(field="reason")
    return MoveReason(found)


def note(form: Mapping[str, str]) -> str:
    """Read a remark."""
    return " ".join(form.get("note", "").split())[:LONGEST_NOTE]


def optional_milli(form: Mapping[str, str], name: str) -> int | None:
    """Read a quantity that may be left out.

    Raises:
        BadInputError: it is no quantity.
    """
    text = form.get(name, "").strip()
    return typed.milli(text, name) if text else None


def _day(form: Mapping[str, str], name: str) -> date | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(field=name) from None
