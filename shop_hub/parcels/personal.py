"""One villager's parcels: what is given out, what is forgotten (DSGVO Art. 15, 17)."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shop_hub.parcels.errors import ParcelsStillHereError
from shop_hub.parcels.models import FINAL, Parcel
from shop_hub.people.models import Carrier


def export(session: Session, person_id: int) -> Any:
    """Return all parcels that still bear this person's name, oldest first."""
    rows = session.execute(
        select(Parcel, Carrier.name)
        .join(Carrier, Carrier.id == Parcel.carrier_id)
        .where(Parcel.person_id == person_id)
        .order_by(Parcel.id)
    )
    return [
        {
            "carrier": carrier,
            "number": parcel.number,
            "recipient": parcel.recipient_name,
            "sender": parcel.sender,
            "state": parcel.state.value,
            "ready_at": parcel.ready_at.isoformat() if parcel.ready_at else None,
            "ended_at": parcel.ended_at.isoformat() if parcel.ended_at else None,
        }
        for parcel, carrier in rows
    ]


def erase(session: Session, person_id: int) -> None:
    """Take the name off parcels that are done with.

    Raises:
        ParcelsStillHereError: some are on their way or in a compartment; they need their recipient.
    """
    is_own = Parcel.person_id == person_id
    count = session.scalar(select(func.count(Parcel.id)).where(is_own, Parcel.state.not_in(FINAL)))
    if count:
        raise ParcelsStillHereError(count=count)
    session.execute(update(Parcel).where(is_own).values(person_id=None, recipient_name="", sender=""))
