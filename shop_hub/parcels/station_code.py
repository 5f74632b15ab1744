"""The station's rotating QR code: who scans it stands before the screen now (decisions.md 20).

Nothing is stored: the code is a keyed hash of station and time window, good in its own window and the next.
"""

import base64
import hmac
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.tokens import Purpose, normalise
from shop_hub.lockers.models import Locker
from shop_hub.parcels.errors import StaleStationCodeError


@dataclass(frozen=True)
class StationCode:
    """The text of the QR code and how long it stays on the screen."""

    text: str
    seconds_left: int


def current(hasher: SecretHasher, locker: Locker, window_s: int) -> StationCode:
    """Return the code of this moment."""
    now = int(clock.now().timestamp())
    return StationCode(_code(hasher, locker.public_id, now // window_s), window_s - now % window_s)


def station_of(session: Session, hasher: SecretHasher, text: str, window_s: int) -> Locker:
    """Return the station whose code was scanned within the last two windows.

    Raises:
        StaleStationCodeError: too old, or no code of ours.
    """
    scanned = normalise(text)
    window = int(clock.now().timestamp()) // window_s
    for locker in session.scalars(select(Locker).order_by(Locker.id)):
        for each in (window, window - 1):
            if hmac.compare_digest(_code(hasher, locker.public_id, each).encode(), scanned.encode()):
                return locker
    raise StaleStationCodeError


def _code(hasher: SecretHasher, public_id: UUID, window: int) -> str:
    digest = hmac.digest(hasher.derive("station-code"), f"{public_id}:{window}".encode(), "sha256")
    return Purpose.STATION.value + base64.b32encode(digest[:16]).decode().rstrip("=")
