"""What must be true of parcels at any time, recomputed by `shop-hub verify`."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.core.tokens import Purpose, Token, TokenState
from shop_hub.core.verify import Check, Deviation
from shop_hub.lockers.models import Allocation, Compartment
from shop_hub.parcels.models import FINAL, STORED, Parcel, ParcelEvent, ParcelState
from shop_hub.parcels.states import ALLOWED


def states_follow_from_events(session: Session) -> Iterator[Deviation]:
    """Fold the events of each parcel: gapless numbers, each step allowed, the last one is the present state."""
    events: dict[int, list[ParcelEvent]] = {}
    for event in session.scalars(select(ParcelEvent).order_by(ParcelEvent.parcel_id, ParcelEvent.sequence)):
        events.setdefault(event.parcel_id, []).append(event)
    for parcel_id, state, sequence in session.execute(select(Parcel.id, Parcel.state, Parcel.sequence)):
        chain = events.get(parcel_id, [])
        if [event.sequence for event in chain] != list(range(1, sequence + 1)):
            yield Deviation("parcel-events", f"parcel {parcel_id}", f"events 1 to {sequence}", f"{len(chain)} events")
        elif chain[-1].to_state is not state:
            yield Deviation("parcel-state", f"parcel {parcel_id}", chain[-1].to_state, state)
        elif not _is_allowed(chain):
            yield Deviation("parcel-events", f"parcel {parcel_id}", "allowed steps", "a forbidden step")


def stored_parcels_have_their_compartment(session: Session) -> Iterator[Deviation]:
    """A parcel that lies here has an occupied or suspect compartment to itself."""
    rows = session.execute(
        select(Parcel.id, Compartment.number, Compartment.allocation)
        .outerjoin(Compartment, Compartment.id == Parcel.compartment_id)
        .where(Parcel.state.in_(STORED))
    )
    for parcel_id, number, allocation in rows:
        if allocation not in (Allocation.OCCUPIED, Allocation.SUSPECT):
            yield Deviation("parcel-place", f"parcel {parcel_id}", "an occupied compartment", f"{number}: {allocation}")


def occupied_compartments_have_a_parcel(session: Session) -> Iterator[Deviation]:
    """Nothing is called occupied or reserved without a parcel for it."""
    held = select(Parcel.compartment_id).where(Parcel.state.not_in(FINAL), Parcel.compartment_id.is_not(None))
    reopened = select(Parcel.compartment_id).where(
        Parcel.state == ParcelState.COLLECTED, Parcel.compartment_id.is_not(None)
    )
    rows = session.execute(
        select(Compartment.id, Compartment.number, Compartment.allocation).where(
            Compartment.allocation.in_((Allocation.OCCUPIED, Allocation.RESERVED)),
            Compartment.id.not_in(held),
            Compartment.id.not_in(reopened),
        )
    )
    for _, number, allocation in rows:
        yield Deviation("compartment", f"compartment {number}", "a parcel", f"{allocation} without parcel")


def ended_parcels_have_no_keys(session: Session) -> Iterator[Deviation]:
    """No token opens anything for a parcel that is gone."""
    rows = session.execute(
        select(Parcel.id, func.count(Token.id))
        .join(Token, (Token.subject_id == Parcel.id) & (Token.purpose == Purpose.PICKUP))
        .where(Parcel.state.in_(FINAL), Token.state.in_((TokenState.ISSUED, TokenState.CLAIMED)))
        .group_by(Parcel.id)
    )
    for parcel_id, live in rows:
        yield Deviation("parcel-token", f"parcel {parcel_id}", "no live token", f"{live}")


def _is_allowed(chain: list[ParcelEvent]) -> bool:
    before = None
    for event in chain:
        is_step = event.from_state is before and (
            before is None or event.to_state is before or event.to_state in ALLOWED[before]
        )
        if not is_step:
            return False
        before = event.to_state
    return True


CHECKS: tuple[Check, ...] = (
    states_follow_from_events,
    stored_parcels_have_their_compartment,
    occupied_compartments_have_a_parcel,
    ended_parcels_have_no_keys,
)
