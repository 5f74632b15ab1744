"""Things to do at the shelf. A task is opened once, however often its cause comes back."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, update
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.ids import uuid7
from shop_hub.core.prepared import Prepared
from shop_hub.stock.errors import UnknownTaskError
from shop_hub.stock.models import Task, TaskKind, TaskState

_task = cast("Table", Task.__table__)
_insert = Prepared(lambda insert: insert(_task).on_conflict_do_nothing())


def open_counts(session: Session, site_id: int, location_id: int, product_ids: Iterable[int]) -> None:
    """Ask for a count of products at a location, in one statement; a task that is open already stays."""
    tasks = [
        {"subject": f"{location_id}/{product_id}", "product_id": product_id, "location_id": location_id}
        for product_id in product_ids
    ]
    _open(session, site_id, TaskKind.COUNT, *tasks)


def open_pull(session: Session, site_id: int, product_id: int, *, lot: str, day: str) -> bool:
    """Ask to take goods off the shelf whose use-by date has passed (Regulation (EU) 1169/2011, Art. 24)."""
    detail = {"lot": lot, "day": day}
    task = {"subject": f"{product_id}/{lot}/{day}", "product_id": product_id, "detail": detail}
    return _open(session, site_id, TaskKind.PULL, task)


def report_unknown_code(session: Session, site_id: int, code: str) -> bool:
    """Note a code that the catalogue does not know, so that an operator can add the product."""
    code = "".join(letter for letter in code if letter.isprintable())[:40]
    return _open(session, site_id, TaskKind.UNKNOWN_CODE, {"subject": code, "detail": {"code": code}})


def close(session: Session, site_id: int, task_id: UUID, *, actor: str, is_dismissed: bool = False) -> None:
    """End a task by hand.

    Raises:
        UnknownTaskError: it is not open, or of another site.
    """
    state = TaskState.DISMISSED if is_dismissed else TaskState.DONE
    ended = _end(session, site_id, Task.public_id == task_id, state=state, actor=actor)
    if not ended:
        raise UnknownTaskError
    audit.record(session, site_id, actor, f"task-{state.value}", f"task:{task_id}")


def counted(session: Session, site_id: int, location_id: int, product_id: int, *, actor: str) -> None:
    """End the count task of a product at a location, if there is one."""
    subject = f"{location_id}/{product_id}"
    what = (Task.kind == TaskKind.COUNT) & (Task.subject == subject)
    _end(session, site_id, what, state=TaskState.DONE, actor=actor)


def _open(session: Session, site_id: int, kind: TaskKind, *tasks: dict[str, Any]) -> bool:
    """Open those tasks that are not open; tell whether there was any."""
    if not tasks:
        return False
    common = {"site_id": site_id, "kind": kind, "state": TaskState.OPEN, "created_at": clock.now(), "closed_by": ""}
    blank: dict[str, Any] = {"product_id": None, "location_id": None, "detail": {}}
    rows = [{**blank, **common, "public_id": uuid7(), **task} for task in tasks]
    is_new = bool(_insert.run_many(session, rows))
    if is_new:
        events.publish(session, "tasks", site_id)
    return is_new


def _end(session: Session, site_id: int, what: Any, *, state: TaskState, actor: str) -> bool:
    result = session.execute(
        update(Task)
        .where(Task.site_id == site_id, Task.state == TaskState.OPEN, what)
        .values(state=state, closed_at=clock.now(), closed_by=actor)
        .execution_options(synchronize_session=False)
    )
    if result.rowcount:  # type: ignore[attr-defined]
        events.publish(session, "tasks", site_id)
        return True
    return False
