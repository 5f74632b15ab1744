"""The operator's rules for parcels, taken from the settings when the hub starts (config/default.toml, [parcels])."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from shop_hub.core.settings import Parcels
from shop_hub.parcels.deadlines import deadline

_rules = Parcels()


def use(rules: Parcels) -> None:
    """Set the rules of this hub."""
    global _rules  # noqa: PLW0603 - set once at start
    _rules = rules


def keep_until(session: Session, site_id: int, start: datetime) -> datetime:
    """Return until when a parcel that was put in at `start` waits for its recipient."""
    return deadline(session, site_id, start, _rules.pickup_days)


def reopen_grace() -> timedelta:
    """Return how long after closing a recipient may open the door again."""
    return timedelta(seconds=_rules.reopen_grace_s)


def personal_data_kept() -> timedelta:
    """Return how long after the end of a parcel its names are kept."""
    return timedelta(days=_rules.personal_data_days)


def station_code_s() -> int:
    """Return how many seconds the station's QR code stays the same."""
    return _rules.station_qr_s
