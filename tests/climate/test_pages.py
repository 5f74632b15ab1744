"""The temperature pages: overview, curve, notes, limits, CSV."""

import pytest

from shop_hub.climate import queries
from shop_hub.core.access import Role
from tests.climate.test_climate import dispatcher, measure, probe  # noqa: F401 - fixtures
from tests.machines import Visitor


@pytest.fixture
def office(app, client, site, measure):  # noqa: F811
    measure(-30, *([4600] * 6), *([9000] * 22))
    return Visitor(app, client, site.id).become(Role.MANAGER)


def test_the_overview_shows_an_alarm(office):
    page = office.get("/office/climate/")
    assert "Kühlregal" in page
    assert "too warm" in page
    assert "number-bad" in page


@pytest.mark.parametrize("days", ["1", "7", "30", "365", "x"])
def test_a_probe_has_a_curve_for_each_period(office, probe, days):  # noqa: F811
    page = office.get(f"/office/climate/{probe.public_id}?days={days}")
    assert page.count('class="chart-line"') == 1
    assert "style=" not in page


def test_an_alarm_is_noted(database, office, probe):  # noqa: F811
    with database.reading() as session:
        (alarm,) = queries.alarms(session, probe.id)
    page = f"/office/climate/{probe.public_id}"
    office.post(f"/office/climate/alarms/{alarm.public_id}/note", page, note="Tür stand offen, Milch entsorgt")
    assert "Milch entsorgt" in office.get(page)
    office.become(Role.VOLUNTEER)
    office.post(f"/office/climate/alarms/{alarm.public_id}/note", page, status=403, note="x")


def test_limits_take_comma_and_point(database, site, office, probe):  # noqa: F811
    page = f"/office/climate/{probe.public_id}"
    assert "The new limits hold." in office.post(f"{page}/limits", page, low="-1,5", high="8.25", minutes="5")
    with database.reading() as session:
        found = queries.probe(session, site.id, probe.public_id)
    assert (found.min_milli, found.max_milli, found.alarm_after_s) == (-1500, 8250, 300)
    for wrong in (
        {"low": "x"},
        {"high": "-20"},
        {"minutes": "-1"},
        {"low": "NaN"},
        {"high": "1e99"},
        {"high": "1e999999"},
    ):
        office.post(f"{page}/limits", page, status=422, **{"low": "1", "high": "7", "minutes": "20"} | wrong)


def test_readings_come_as_csv(office, probe):  # noqa: F811
    text = office.get(f"/office/climate/{probe.public_id}/readings.csv")
    lines = text.removeprefix("\ufeff").split("\r\n")
    assert lines[0] == "probe;time;celsius;silent_until"
    assert any(line.startswith("Kühlregal;") and line.endswith(";4,6;") for line in lines)
    silent = [line for line in lines[1:] if line and not line.endswith(";")]
    assert silent
    assert all(line.split(";")[2] == "" for line in silent)


@pytest.mark.parametrize("query", ["", "?days=365", "?from=2026-01-01&to=2026-01-31"])
def test_the_record_comes_as_pdf(office, probe, query):  # noqa: F811
    page = f"/office/climate/{probe.public_id}/record.pdf"
    answer = office.client.get(page + query)
    assert answer.status_code == 200
    assert answer.data.startswith(b"%PDF-")
    assert answer.mimetype == "application/pdf"
    office.become(Role.VOLUNTEER).get(page, status=403)


@pytest.mark.parametrize(
    "query",
    ["?from=x", "?from=2026-02-01&to=2026-01-01", "?from=2020-01-01&to=2026-01-01", "?to=0001-01-01", "?to=9999-12-31"],
)
def test_a_record_of_no_period_is_refused(office, probe, query):  # noqa: F811
    office.get(f"/office/climate/{probe.public_id}/record.pdf{query}", status=422)
