"""Goods under watch: a group that was too warm for too long is not sold until a person has decided about it.

The limit belongs to the goods, not to the fridge: meat spoils where cheese does not (Reg. (EC) 852/2004 Art. 5, and
Annex II chapter IX no. 5: the cold chain must not be interrupted, short times for handling aside). Nothing ends a block
by itself: that it is cold again does not make spoiled goods good.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shop_hub.catalog import queries as catalog
from shop_hub.climate import queries
from shop_hub.climate.errors import (
    AlreadyDecidedError,
    NoteMissingError,
    StillHeldError,
    StillWarmError,
    WrongLimitsError,
)
from shop_hub.climate.models import Decision, Probe, SaleBlock, Stand, UncooledProduct, WatchedGoods
from shop_hub.core import audit, clock, events
from shop_hub.core.errors import BadInputError, NotFoundError

COLDEST_MILLI, WARMEST_MILLI = -100_000, 150_000
LONGEST_S = 86_400
_LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How a product group is watched: at most so warm (thousandths of a degree), and for how long at most above it."""

    group_id: int
    max_milli: int
    block_after_s: int
    stand: Stand = Stand.SHELF


def watch(session: Session, probe: Probe, new: Watch, *, actor: str) -> WatchedGoods:
    """Watch a product group with a probe, or change how it is watched. Goods that are held stay so at another stand.

    Raises:
        WrongLimitsError: no plausible limit or time.
    """
    if not COLDEST_MILLI <= new.max_milli <= WARMEST_MILLI or not 0 <= new.block_after_s <= LONGEST_S:
        raise WrongLimitsError(field="max_milli")
    found = session.scalar(
        select(WatchedGoods).where(WatchedGoods.probe_id == probe.id, WatchedGoods.group_id == new.group_id)
    )
    if found is None:
        found = WatchedGoods(site_id=probe.site_id, probe_id=probe.id, **vars(new))
        session.add(found)
    block = _open_block(session, found)
    if block is not None and block.stand is not new.stand:
        block.stand = new.stand
        _tell(session, probe.site_id)
    found.max_milli, found.block_after_s, found.stand = new.max_milli, new.block_after_s, new.stand
    session.flush()
    _audit(session, probe, actor, "goods-watched", new.group_id, max=new.max_milli, after_s=new.block_after_s)
    return found


def unwatch(session: Session, site_id: int, public_id: UUID, *, actor: str) -> None:
    """Watch a group no longer.

    Raises:
        NotFoundError: the site watches nothing with this id.
        StillHeldError: the group is held because of this probe.
    """
    found = session.scalar(
        select(WatchedGoods).where(WatchedGoods.public_id == public_id, WatchedGoods.site_id == site_id)
    )
    if found is None:
        raise NotFoundError(what="watched goods")
    if _open_block(session, found) is not None:
        raise StillHeldError
    _audit(session, session.get_one(Probe, found.probe_id), actor, "goods-unwatched", found.group_id)
    session.delete(found)


def judge(session: Session, probe: Probe, milli: int, at: datetime) -> None:
    """Compare a reading with the limits of all goods in the probe's reach; hold what was too warm for too long."""
    for found in session.scalars(select(WatchedGoods).where(WatchedGoods.probe_id == probe.id)):
        block = _open_block(session, found)
        if milli > found.max_milli:
            _warm(session, found, block, milli, at)
        else:
            _cold(session, found, block, at)


def decide(session: Session, site_id: int, public_id: UUID, decision: Decision, reason: str, *, actor: str) -> None:
    """Write down what became of held goods. The sale goes on as soon as it is cold there.

    Args:
        reason: what was found, e.g. the temperature inside the goods, and how much was thrown away.

    Raises:
        NotFoundError: the site has no such block.
        NoteMissingError: no reason.
        AlreadyDecidedError: somebody was quicker.
        StillWarmError: goods are released only where it is cold now, and known to be.
    """
    block = session.scalar(
        select(SaleBlock).where(SaleBlock.public_id == public_id, SaleBlock.site_id == site_id).with_for_update()
    )
    if block is None:
        raise NotFoundError(what="sale-block")
    if not reason.strip():
        raise NoteMissingError(field="reason")
    if block.decision is not None:
        raise AlreadyDecidedError
    is_cold = _is_cold(session, block)
    if decision is Decision.RELEASED and not is_cold:
        raise StillWarmError
    block.decision, block.decided_at, block.decided_by = decision, clock.now(), actor
    block.reason = reason.strip()[:_LONGEST_REASON]
    block.ended_at = clock.now() if is_cold else None
    audit.record(session, site_id, actor, f"goods-{decision}", f"sale-block:{block.id}", reason=block.reason)
    _tell(session, site_id)


def set_uncooled(session: Session, site_id: int, product_id: int, *, uncooled: bool, actor: str) -> None:
    """Say that a product of a watched group needs no cooling and stays for sale, or that it does.

    Raises:
        BadInputError: there is no such product.
    """
    if not catalog.names(session, [product_id]):
        raise BadInputError(field="product")
    session.execute(
        delete(UncooledProduct).where(UncooledProduct.site_id == site_id, UncooledProduct.product_id == product_id)
    )
    if uncooled:
        session.add(UncooledProduct(site_id=site_id, product_id=product_id))
    audit.record(session, site_id, actor, "goods-uncooled", f"product:{product_id}", uncooled=uncooled)
    _tell(session, site_id)


def _warm(session: Session, found: WatchedGoods, block: SaleBlock | None, milli: int, at: datetime) -> None:
    found.outside_since = min(found.outside_since or at, at)
    found.worst_milli = milli if found.worst_milli is None else max(found.worst_milli, milli)
    if block is not None:
        block.worst_milli = max(block.worst_milli, milli)
    elif _is_too_long(found, at):
        _hold(session, found)


def _cold(session: Session, found: WatchedGoods, block: SaleBlock | None, at: datetime) -> None:
    if block is None and _is_too_long(found, at):  # it began and ended while the hub was away
        _hold(session, found)
    elif block is not None and block.decided_at is not None:
        block.ended_at = max(at, block.began_at)
        if _were_others_warm(found, block.decided_at, at):
            session.flush()
            found.outside_since = max(found.outside_since or at, block.decided_at)
            _hold(session, found)
        _tell(session, found.site_id)
    found.outside_since, found.worst_milli = None, None


def _were_others_warm(found: WatchedGoods, decided_at: datetime, at: datetime) -> bool:
    """Tell whether goods that came after a decision into a place that was still warm were there for too long."""
    if found.outside_since is None:
        return False
    return at - max(found.outside_since, decided_at) >= timedelta(seconds=found.block_after_s)


def _is_too_long(found: WatchedGoods, at: datetime) -> bool:
    return found.outside_since is not None and at - found.outside_since >= timedelta(seconds=found.block_after_s)


def _hold(session: Session, found: WatchedGoods) -> None:
    block = SaleBlock(
        site_id=found.site_id,
        probe_id=found.probe_id,
        group_id=found.group_id,
        stand=found.stand,
        outside_since=found.outside_since,
        began_at=clock.now(),
        max_milli=found.max_milli,
        worst_milli=found.worst_milli,
    )
    session.add(block)
    session.flush()
    audit.record(session, found.site_id, "system", "goods-held", f"sale-block:{block.id}", worst=found.worst_milli)
    _tell(session, found.site_id)


def _is_cold(session: Session, block: SaleBlock) -> bool:
    """Tell whether the place is known to be below the limit that was passed."""
    found = queries.probe_by_id(session, block.site_id, block.probe_id)
    return found.milli is not None and found.milli <= block.max_milli


def _open_block(session: Session, found: WatchedGoods) -> SaleBlock | None:
    return session.scalar(
        select(SaleBlock).where(
            SaleBlock.probe_id == found.probe_id, SaleBlock.group_id == found.group_id, SaleBlock.ended_at.is_(None)
        )
    )


def _audit(session: Session, probe: Probe, actor: str, action: str, group_id: int, **more: int) -> None:
    audit.record(session, probe.site_id, actor, action, f"probe:{probe.id}", group=group_id, **more)
    events.publish(session, "climate", probe.site_id)


def _tell(session: Session, site_id: int) -> None:
    for topic in ("climate", "alerts", "vending"):
        events.publish(session, topic, site_id)
