"""The tear-off slip with the code of a notice, printed at the kiosk where it was written."""

from flask_babel import gettext
from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.board import slips
from shop_hub.board.models import Post
from shop_hub.core.hashing import SecretHasher
from shop_hub.fleet import queries as fleet
from shop_hub.fleet import service as devices
from shop_hub.fleet.models import DeviceKind

NODE = "printer"
TTL_MS = 10_000


def has_printer(session: Session, kiosk_id: int) -> bool:
    """Tell whether a printer stands at this kiosk that can print now."""
    return fleet.can_print(session, kiosk_id)


def print_slip(session: Session, hasher: SecretHasher, post: Post, kiosk_id: int) -> None:
    """Ask the printer of a kiosk for the slip; the document holds the code and is blanked after printing.

    Raises:
        DeviceOfflineError, DeviceBusyError: nothing is printed; the code stays on the screen.
    """
    printer = fleet.bound_to(session, kiosk_id, DeviceKind.PRINTER)
    if printer is None:
        return
    code = slips.spaced(slips.code_of(hasher, post.public_id))
    lines: list[JsonValue] = [
        post.title,
        "",
        gettext("Your code: %(code)s", code=code),
        gettext("With this code you can change your notice, or take it down."),
        gettext("At the kiosk: Notice board, then “My notice”."),
    ]
    document: dict[str, JsonValue] = {"title": gettext("Your notice"), "lines": lines, "qr": ""}
    devices.request(session, printer.id, NODE, "print", {"document": document}, by=f"post:{post.id}", ttl_ms=TTL_MS)
