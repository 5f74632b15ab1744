"""Public holidays of the German Länder: the library `holidays`, without its other countries.

`import holidays.countries.germany` loads two hundred countries with it: 9 MiB and a quarter of a second of each start.
"""

from datetime import date
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import holidays

if TYPE_CHECKING:
    from holidays.countries.germany import Germany


def _germany() -> "type[Germany]":
    file = Path(holidays.__file__).parent / "countries" / "germany.py"
    spec = spec_from_file_location("holidays.countries.germany", file)
    if spec is None or spec.loader is None:
        raise ImportError(name=str(file))
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Germany] = module.Germany
    return found


_Germany = _germany()
LANDS = tuple(name for name in _Germany.subdivisions if len(name) == 2)  # noqa: PLR2004 - "Augsburg" is a town


@lru_cache(maxsize=64)
def public_holidays(land: str, year: int) -> frozenset[date]:
    """Return the public holidays of a Land (two letters) in a year; of an unknown one those that all have."""
    return frozenset(_Germany(subdiv=land if land in LANDS else None, years=year))
