"""Words for what programs write: acts and things of the audit trail, long codes in groups."""

from flask_babel import gettext

from shop_hub.core.errors import N_
from shop_hub.core.formats import money

ACTIONS = {
    "person-created": N_("person entered"),
    "person-changed": N_("person changed"),
    "person-erased": N_("person erased"),
    "person-exported": N_("data of a person given out"),
    "card-issued": N_("card issued"),
    "card-blocked": N_("card blocked"),
    "pin-set": N_("PIN set"),
    "account-topped-up": N_("money paid in"),
    "courier-created": N_("courier entered"),
    "courier-blocked": N_("courier blocked"),
    "courier-unblocked": N_("courier unblocked"),
    "badge-issued": N_("badge issued"),
    "carrier-created": N_("carrier entered"),
    "signed-in": N_("signed in"),
    "password-changed": N_("password changed"),
    "password-reset-issued": N_("one-time code made"),
    "role-changed": N_("role changed"),
    "operator-blocked": N_("account blocked"),
    "operator-unblocked": N_("account opened again"),
    "api-token-issued": N_("program access made"),
    "api-token-revoked": N_("program access ended"),
    "kiosk-created": N_("kiosk entered"),
    "kiosk-code-issued": N_("pairing code made"),
    "kiosk-paired": N_("kiosk paired"),
    "kiosk-unpaired": N_("kiosk unpaired"),
    "notice-handed-in": N_("notice handed in"),
    "notice-written": N_("notice written"),
    "notice-edited": N_("notice edited"),
    "notice-changed": N_("notice changed by its writer"),
    "notice-published": N_("notice published"),
    "notice-rejected": N_("notice refused"),
    "notice-extended": N_("notice extended"),
    "notice-withdrawn": N_("notice taken down"),
    "door-opened": N_("door opened"),
    "product-created": N_("product entered"),
    "product-changed": N_("product changed"),
    "price-set": N_("price set"),
    "code-added": N_("code added"),
    "code-removed": N_("code removed"),
    "stock-corrected": N_("stock corrected"),
    "goods-wasted": N_("goods taken out"),
    "goods-received": N_("delivery booked"),
    "goods-receipt-undone": N_("delivery undone"),
    "supplier-created": N_("supplier entered"),
    "assortment-set": N_("wanted stock set"),
    "task-done": N_("task done"),
    "task-dismissed": N_("task put aside"),
}
KINDS = {
    "operator": N_("Staff"),
    "member": N_("Villager"),
    "person": N_("Villager"),
    "courier": N_("Courier"),
    "carrier": N_("Carrier"),
    "token": N_("Program"),
    "kiosk": N_("Kiosk"),
    "post": N_("Notice"),
    "system": N_("the shop computer"),
    "device": N_("Device"),
    "sale": N_("Sale"),
    "parcel": N_("Parcel"),
    "product": N_("Product"),
    "compartment": N_("Compartment"),
    "goods-receipt": N_("Delivery"),
    "supplier": N_("Supplier"),
    "task": N_("Task"),
}
GROUP = 4


def action(code: str) -> str:
    """Return an act in words; one that is not in the list is shown as it is written."""
    return gettext(ACTIONS[code]) if code in ACTIONS else code.replace("-", " ")


def thing(text: str) -> str:
    """Return "operator:3" as "Staff 3"."""
    kind, _, number = text.partition(":")
    word = gettext(KINDS[kind]) if kind in KINDS else kind
    return f"{word} {number}".strip()


def detail(values: dict[str, object]) -> str:
    """Return the details of an act on one line."""
    return ", ".join(f"{name.replace('_', ' ')}: {_value(name, value)}" for name, value in values.items())


def in_groups(text: str) -> str:
    """Return a long code in groups of four, easier to read aloud."""
    return " ".join(text[place : place + GROUP] for place in range(0, len(text), GROUP))


def _value(name: str, value: object) -> str:
    if name == "cents" and isinstance(value, int):
        return money(value)
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return "-" if value is None else str(value)
