import subprocess
import sys
from datetime import date

import pytest
from holidays.countries.germany import Germany

from shop_hub.core.germany import LANDS, public_holidays


@pytest.mark.parametrize("land", LANDS)
def test_each_land_has_the_holidays_of_the_library(land: str):
    assert public_holidays(land, 2026) == frozenset(Germany(subdiv=land, years=2026))


def test_there_are_sixteen_and_they_differ():
    assert len(LANDS) == 16
    easter_sunday, epiphany = date(2026, 4, 5), date(2026, 1, 6)
    assert (easter_sunday in public_holidays("BB", 2026), epiphany in public_holidays("BB", 2026)) == (True, False)
    assert (easter_sunday in public_holidays("BY", 2026), epiphany in public_holidays("BY", 2026)) == (False, True)


def test_an_unknown_land_has_the_holidays_that_all_have():
    assert public_holidays("", 2026) == frozenset.intersection(*(public_holidays(land, 2026) for land in LANDS))


def test_no_other_country_is_loaded():
    look = (
        "import sys, shop_hub.core.germany; print(sum(name.startswith('holidays.countries') for name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "0"
