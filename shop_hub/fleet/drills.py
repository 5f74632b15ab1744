"""Breaking things on purpose, in the demo only: the simulated machines take orders at their control port."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devices.simulators.control import ControlClient
from devices.simulators.world import ControlError
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.settings import Settings
from shop_hub.fleet.errors import MachinesAwayError


@dataclass(frozen=True)
class Breakable:
    """One thing that can break at a machine: where it may, and where it is broken now ("" = as a whole)."""

    fault: str
    places: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def whole(self) -> tuple[str, ...]:
        """Return the places that are not broken."""
        return tuple(place for place in self.places or ("",) if place not in self.broken)


@dataclass(frozen=True)
class Machine:
    """A simulated machine."""

    slug: str
    name: str
    kind: str
    faults: tuple[Breakable, ...]


def is_possible(settings: Settings) -> bool:
    """Tell whether there are simulated machines to break: never in a real shop."""
    return bool(settings.demo.simulators_port) and not settings.production


def machines(settings: Settings) -> list[Machine]:
    """Return the simulated machines with what can break.

    Raises:
        NotFoundError: this is no demo.
        MachinesAwayError: the simulators do not answer.
    """
    with _control(settings) as control:
        answer = control.do("", "faults")
    found = answer if isinstance(answer, dict) else {}
    return [_machine(slug, about) for slug, about in found.items() if isinstance(about, dict)]


def change(settings: Settings, slug: str, fault: str, place: str, *, mend: bool) -> None:
    """Break something, or mend it.

    Raises:
        NotFoundError: this is no demo.
        MachinesAwayError: the simulators do not answer.
        BadInputError: there is no such machine, fault or place, or it is not possible now.
    """
    with _control(settings) as control:
        control.do(slug, "mend" if mend else "break", fault=fault, place=place)


@contextmanager
def _control(settings: Settings) -> Iterator[ControlClient]:
    if not is_possible(settings):
        raise NotFoundError(what="page")
    try:
        control = ControlClient(settings.demo.simulators_port)
    except OSError as error:
        raise MachinesAwayError from error
    try:
        yield control
    except ControlError as error:
        raise BadInputError(field="fault") from error
    except OSError as error:
        raise MachinesAwayError from error
    finally:
        control.close()


def _machine(slug: str, about: Mapping[str, Any]) -> Machine:
    things = about["faults"].items()
    breakable = (Breakable(name, tuple(thing["places"]), tuple(thing["broken"])) for name, thing in things)
    return Machine(slug=slug, name=str(about["name"]), kind=str(about["kind"]), faults=tuple(breakable))
