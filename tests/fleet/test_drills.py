"""The page that breaks things, in the demo and nowhere else."""

import pytest

from devices.simulators.config import SimulatorConfig
from devices.simulators.control import ControlPort
from devices.simulators.faults import faults_of
from devices.simulators.village import Village
from shop_hub.app import create_app
from shop_hub.core import outbox
from shop_hub.core.access import Role
from shop_hub.core.settings import Demo, Settings
from shop_hub.fleet import drills, words
from tests.backoffice.office import Browser, make_operator
from tests.conftest import make_site

PAGE = "/office/devices/break"


@pytest.fixture
def machines(tmp_path):
    """A station and a printer without a broker, and the port at which they take orders."""
    entry = {"password": "x", "key": "5a" * 32}
    devices = [
        {"id": "station", "kind": "locker", "name": "Paketstation", **entry},
        {"id": "drucker", "kind": "printer", "kiosk": "K1", "folder": tmp_path / "slips", **entry},
    ]
    made = {"site": "dorf", "broker": {"port": 1}, "folder": tmp_path / "machines", "devices": devices}
    village = Village(SimulatorConfig.model_validate(made))
    village.start()
    control = ControlPort(village)
    yield village, control
    control.close()
    village.stop()


def office(database, folder, role=Role.ADMINISTRATOR, **more) -> Browser:
    app = create_app(Settings(data=folder / "data", **{"production": False, **more}), database)
    app.select_language = lambda: "en"
    make_operator(app, make_site(database), role)
    browser = Browser(app.test_client())
    browser.sign_in(role.value)
    return browser


def test_a_jam_is_made_and_mended_on_the_page(machines, sqlite_database, tmp_path):
    village, control = machines
    browser = office(sqlite_database, tmp_path, demo=Demo(simulators_port=control.port))
    page = browser.get(PAGE).text
    assert "Paketstation" in page
    assert page.count(">box-07</option>") >= 1

    jam = {"device": "station", "fault": "jam", "place": "box-07"}
    assert browser.post(PAGE, {**jam, "action": "break"}).status_code == 303
    assert village.control("station", "look", {})["box-07"]["faults"] == {"jam": True}
    assert 'name="place" value="box-07"' in browser.get(PAGE).text

    assert browser.post(PAGE, {**jam, "action": "mend"}).status_code == 303
    assert village.control("station", "look", {})["box-07"]["faults"] == {}


def test_nobody_waits_for_the_machines(machines, sqlite_database, tmp_path, monkeypatch):
    browser = office(sqlite_database, tmp_path, demo=Demo(simulators_port=machines[1].port))
    written = []

    def talk(self, *what, **more):
        with sqlite_database.transaction() as other:
            outbox.enqueue(other, "mail", f"meanwhile {len(written)}", {}, site_id=None)
        written.append(what)
        return real(self, *what, **more)

    real = drills.ControlClient.do
    monkeypatch.setattr(drills.ControlClient, "do", talk)
    form = {"device": "station", "fault": "jam", "place": "box-07", "action": "break"}
    assert browser.post(PAGE, form).status_code == 303
    assert written == [("station", "break")]


def test_what_cannot_be_broken_is_refused(machines, sqlite_database, tmp_path):
    browser = office(sqlite_database, tmp_path, demo=Demo(simulators_port=machines[1].port))
    for wrong in ({"device": "tower"}, {"fault": "rust"}, {"place": "box-99"}):
        form = {"device": "station", "fault": "jam", "place": "box-07", "action": "break"}
        assert browser.post(PAGE, {**form, **wrong}).status_code == 422


def test_a_real_shop_has_no_such_page(machines, sqlite_database, tmp_path):
    browser = office(sqlite_database, tmp_path, production=True, demo=Demo(simulators_port=machines[1].port))
    assert browser.get(PAGE).status_code == 404
    assert PAGE not in browser.get("/office/devices/").text


def test_without_simulators_there_is_nothing_to_break(sqlite_database, tmp_path):
    browser = office(sqlite_database, tmp_path)
    assert browser.get(PAGE).status_code == 404
    assert PAGE not in browser.get("/office/devices/").text


def test_only_administrators_break_things(machines, sqlite_database, tmp_path):
    browser = office(sqlite_database, tmp_path, Role.MANAGER, demo=Demo(simulators_port=machines[1].port))
    assert browser.get(PAGE).status_code == 403
    assert PAGE not in browser.get("/office/devices/").text


def test_silent_simulators_are_said_to_be_silent(machines, sqlite_database, tmp_path):
    machines[1].close()
    browser = office(sqlite_database, tmp_path, demo=Demo(simulators_port=machines[1].port))
    assert browser.get(PAGE).status_code == 503


def test_every_fault_has_words():
    kinds = ("locker", "vending", "atm", "door", "terminal", "printer", "thermometer", "scanner")
    assert {fault for kind in kinds for fault in faults_of(kind)} == set(words.FAULT)
