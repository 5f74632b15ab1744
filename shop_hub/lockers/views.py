"""Setting a station up, on a phone before it: find the boards, open each door once, give it its number."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import DeviceKind
from shop_hub.lockers import queries, setups, words
from shop_hub.lockers.models import LockState, SetupLock, SetupState, Size, StationSetup

blueprint = Blueprint("station_setup", __name__, url_prefix="/office/station-setup", template_folder="templates")
menu.add(
    menu.MenuItem(
        label=N_("Station set-up"), endpoint="station_setup.index", icon="settings", role=Role.MANAGER, sort=82
    )
)

_DONE = (LockState.MAPPED, LockState.UNUSED)


@blueprint.get("/")
@access(Role.MANAGER)
def index() -> ResponseReturnValue:
    """Show the stations, and which of them is being set up."""
    devices = [one for one in fleet.devices(session(), principal().site) if one.kind is DeviceKind.LOCKER]
    running = {device.id: setups.of_device(session(), device.id) for device in devices}
    ready = {device.id: fleet.is_ready(session(), device.id) for device in devices}
    return render_template("lockers/stations.html", devices=devices, running=running, ready=ready)


@blueprint.post("/<uuid:device_id>")
@access(Role.MANAGER)
@idempotent
def start(device_id: UUID) -> ResponseReturnValue:
    """Begin to set a station up."""
    device = fleet.by_public_id(session(), principal().site, device_id)
    return _to_page(setups.start(session(), device, actor=principal().actor))


@blueprint.get("/runs/<uuid:public_id>")
@access(Role.MANAGER)
def page(public_id: UUID) -> ResponseReturnValue:
    """Show the lock that is tried next, and all others below."""
    return render_template("lockers/setup.html", **_page(public_id))


@blueprint.get("/runs/<uuid:public_id>/now")
@access(Role.MANAGER)
def page_now(public_id: UUID) -> ResponseReturnValue:
    """Return the part of the page that follows the station."""
    return render_template("lockers/_setup.html", **_page(public_id))


@blueprint.post("/runs/<uuid:public_id>/scan")
@access(Role.MANAGER)
@idempotent
def scan(public_id: UUID) -> ResponseReturnValue:
    """Look for boards again."""
    setup = _setup(public_id)
    setups.scan(session(), setup, actor=principal().actor)
    return _to_page(setup)


@blueprint.post("/runs/<uuid:public_id>/locks/<uuid:lock_id>/test")
@access(Role.MANAGER)
@idempotent
def test(public_id: UUID, lock_id: UUID) -> ResponseReturnValue:
    """Fire one lock once."""
    setup = _setup(public_id)
    lock = setups.find_lock(session(), setup, lock_id)
    setups.test(session(), setup, lock, actor=principal().actor)
    return _to_page(setup, lock)


@blueprint.post("/runs/<uuid:public_id>/locks/<uuid:lock_id>/answer")
@access(Role.MANAGER)
@idempotent
def answer(public_id: UUID, lock_id: UUID) -> ResponseReturnValue:
    """Take what the technician saw: one door with a number, more than one, or that nothing hangs on these locks."""
    setup = _setup(public_id)
    lock = setups.find_lock(session(), setup, lock_id)
    match request.form.get("saw", ""):
        case "one":
            setups.assign(session(), setup, lock, *_number_and_size())
        case "two":
            setups.report_two_doors(session(), setup, lock, actor=principal().actor)
        case "nothing":
            setups.leave_out(session(), setup, lock)
        case "rest":
            setups.leave_out_rest(session(), setup, lock)
        case _:
            raise BadInputError(field="saw")
    return _to_page(setup)


@blueprint.post("/runs/<uuid:public_id>/write")
@access(Role.MANAGER)
@idempotent
def write(public_id: UUID) -> ResponseReturnValue:
    """Have the station take the new door map."""
    setup = _setup(public_id)
    setups.write(session(), setup, actor=principal().actor)
    return _to_page(setup)


@blueprint.post("/runs/<uuid:public_id>/end")
@access(Role.MANAGER)
@idempotent
def end(public_id: UUID) -> ResponseReturnValue:
    """Give up; everything stays as it was."""
    setups.end(session(), _setup(public_id), actor=principal().actor)
    flash(_("The set-up was ended. The door map stays as it was."), "info")
    return redirect(url_for("station_setup.index"), 303)


def _setup(public_id: UUID) -> StationSetup:
    return setups.find(session(), principal().site, public_id)


def _to_page(setup: StationSetup, lock: SetupLock | None = None) -> ResponseReturnValue:
    chosen = lock.public_id if lock is not None else None
    return redirect(url_for("station_setup.page", public_id=setup.public_id, lock=chosen), 303)


def _number_and_size() -> tuple[int, Size]:
    try:
        return int(request.form.get("number", "")), Size(request.form.get("size", ""))
    except ValueError:
        raise BadInputError(field="number") from None


def _page(public_id: UUID) -> dict[str, Any]:
    setup = _setup(public_id)
    found = setups.locks(session(), setup)
    lock = _current(setup, found)
    device = fleet.device(session(), setup.device_id)
    sizes = queries.sizes(session(), device.id)
    number = (lock.number if lock else None) or setups.next_number(found)
    return {
        "setup": setup,
        "device": device,
        "locks": found,
        "lock": lock,
        "number": number,
        "size": (lock.size if lock else None) or sizes.get(number, Size.M),
        "sizes": [(size.value, size.value) for size in Size],
        "tried": sum(one.state in _DONE for one in found),
        "waits": setup.state in (SetupState.SCANNING, SetupState.WRITING)
        or any(one.state is LockState.TESTING for one in found),
        "is_connected": fleet.is_ready(session(), device.id),
        "setups": setups,
        "words": words,
    }


def _current(setup: StationSetup, found: list[SetupLock]) -> SetupLock | None:
    """Return the lock that was asked for, else the next one to try on a board that is clear."""
    wanted = request.args.get("lock", "")
    for lock in found:
        if str(lock.public_id) == wanted:
            return lock
    return next((lock for lock in found if lock.state not in _DONE and setups.is_clear(setup, lock.board)), None)
