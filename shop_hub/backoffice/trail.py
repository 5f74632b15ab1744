"""Reads of the audit trail for its page."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit
from shop_hub.core.audit import AuditEntry, AuditHead, Broken
from shop_hub.people.models import Courier, Operator, Person

PAGE = 50


@dataclass(frozen=True)
class Filter:
    """What to show; empty fields do not filter. `before` is the number of the last entry of the page before."""

    actor: str = ""
    action: str = ""
    object_: str = ""
    until: datetime | None = None
    before: int = 0


@dataclass(frozen=True)
class Line:
    """An act with the names that belong to its numbers today; erased people have none."""

    number: int
    at: datetime
    actor: str
    actor_name: str
    action: str
    object_: str
    object_name: str
    detail: dict[str, object]


@dataclass(frozen=True)
class Page:
    """A part of the trail, newest first."""

    lines: list[Line]
    actions: list[str]
    next_before: int


@dataclass(frozen=True)
class Chain:
    """State of the chain: its length, its newest hash, and what does not fit."""

    length: int
    head: str
    broken: list[Broken]


def page(session: Session, site_id: int, wanted: Filter) -> Page:
    """Return up to 50 acts of a site."""
    found = select(AuditEntry).where(AuditEntry.site_id == site_id)
    if wanted.actor:
        found = found.where(AuditEntry.actor.contains(wanted.actor, autoescape=True))
    if wanted.action:
        found = found.where(AuditEntry.action == wanted.action)
    if wanted.object_:
        found = found.where(AuditEntry.object.contains(wanted.object_, autoescape=True))
    if wanted.until:
        found = found.where(AuditEntry.at <= wanted.until)
    if wanted.before:
        found = found.where(AuditEntry.number < wanted.before)
    entries = list(session.scalars(found.order_by(AuditEntry.number.desc()).limit(PAGE + 1)))
    actions = session.scalars(
        select(AuditEntry.action).where(AuditEntry.site_id == site_id).distinct().order_by(AuditEntry.action)
    )
    shown = entries[:PAGE]
    names = _names(session, shown)
    lines = [
        Line(
            entry.number,
            entry.at,
            entry.actor,
            names.get(entry.actor, ""),
            entry.action,
            entry.object,
            names.get(entry.object, ""),
            entry.detail,
        )
        for entry in shown
    ]
    return Page(lines, list(actions), shown[-1].number if len(entries) > PAGE else 0)


def chain(session: Session, site_id: int) -> Chain:
    """Recompute the chain of a site (about 80,000 entries a second)."""
    head = session.get(AuditHead, site_id)
    broken = audit.broken_entries(session, site_id)
    return Chain(head.number if head else 0, head.hash if head else "", broken)


def _names(session: Session, entries: list[AuditEntry]) -> dict[str, str]:
    """Return the names behind "operator:3", "member:17", "person:17", "courier:2" with three statements at most."""
    numbers: dict[str, set[int]] = {}
    for entry in entries:
        for text in (entry.actor, entry.object):
            kind, _, number = text.partition(":")
            if number.isdigit():
                numbers.setdefault(kind, set()).add(int(number))
    people = numbers.get("member", set()) | numbers.get("person", set())
    names = {}
    for person in session.scalars(select(Person).where(Person.id.in_(people))) if people else ():
        names[f"member:{person.id}"] = names[f"person:{person.id}"] = person.name
    operators, couriers = numbers.get("operator"), numbers.get("courier")
    for operator in session.scalars(select(Operator).where(Operator.id.in_(operators))) if operators else ():
        names[f"operator:{operator.id}"] = operator.name
    for courier in session.scalars(select(Courier).where(Courier.id.in_(couriers))) if couriers else ():
        names[f"courier:{courier.id}"] = courier.name
    return names
