"""From a box of hardware to a working parcel station, by nothing but the backoffice on a phone.

Everything is real but the metal: hub with its worker, broker, `python -m devices.locker` in a process of its own, and
boards that speak CU16 byte by byte on a pseudo terminal. Both boards come with the address of the factory.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer

import pytest
from playwright.sync_api import Locator, Page, expect
from werkzeug.serving import make_server

from devices.agent.pairing import KEYS_FILE
from devices.broker.accounts import Account, Role
from devices.broker.nats import NatsBroker
from devices.simulators.lockends import PtyEnd
from devices.simulators.locker import Compartment, SimulatedBoards
from devices.simulators.world import StateFile
from shop_hub.app import create_app
from shop_hub.core.access import Role as Staff
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.fleet import provisioning
from shop_hub.runtime import Runtime
from tests.backoffice.office import PASSWORD, make_operator
from tests.browser.checks import axe_check
from tests.browser.conftest import LiveHub
from tests.conftest import make_site

pytestmark = pytest.mark.browser
STATION = "/office/station-setup/"
NUMBERS = {"box-01": 12, "box-02": 11, "box-03": 21, "box-04": 22}
"""What stands on the doors; the wires are in another order."""
BOARDS = {"board-1": ("box-01", "box-02"), "board-2": ("box-03", "box-04")}


@pytest.fixture(scope="session")
def hardware() -> Iterator[SimulatedBoards]:
    """Two boards with two doors each, on one line."""
    layout = [Compartment(node=node, board=board) for board, nodes in BOARDS.items() for node in nodes]
    boards = SimulatedBoards(layout, schedule=lambda delay, act: Timer(delay, act).start(), file=StateFile(None))
    boards.board_fault("board-2", "twin", "board-1")
    yield boards
    boards.close()


@pytest.fixture(scope="session")
def live_hub(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub with its worker and a broker, in which nothing is registered yet."""
    folder = tmp_path_factory.mktemp("set-up")
    shutil.copy(sqlite_template, folder / "hub.sqlite3")
    hasher = create_app(Settings(data=folder, production=False)).hasher
    password = provisioning.broker_password(hasher, "lindenau_station", 2)  # the second: pairing makes new keys
    accounts = [Account("hub", "secret", Role.HUB, ("lindenau",)), Account.for_device("lindenau", "station", password)]
    broker = NatsBroker(folder / "broker", accounts)
    broker.start()
    mqtt = Mqtt(host=broker.host, port=broker.port, password="secret")
    settings = Settings(data=folder, production=False, mqtt=mqtt)
    database = Database(settings.database)
    site = make_site(database)
    app = create_app(settings, database)
    make_operator(app, site, Staff.ADMINISTRATOR, "technikerin")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    runtime = Runtime(app)
    runtime.start()
    yield LiveHub(app, database, site.id, f"http://127.0.0.1:{server.port}")
    runtime.stop()
    server.shutdown()
    broker.stop()
    database.dispose()


@pytest.fixture
def raspberry(hardware: SimulatedBoards, live_hub: LiveHub, tmp_path: Path) -> Iterator:
    """Return what the technician does at the station's computer: pair it with a code, and let it run."""
    line = PtyEnd(hardware.line)
    running: list[subprocess.Popen[bytes]] = []

    def set_up(code: str) -> None:
        pair = [sys.executable, "-m", "devices.agent", "pair", code, "--hub", live_hub.url, "--insecure"]
        subprocess.run([*pair, "--folder", str(tmp_path)], check=True)
        assert (tmp_path / KEYS_FILE).exists()
        command = [sys.executable, "-m", "devices.locker", "--folder", str(tmp_path), "--open-within-s", "1.5"]
        running.append(subprocess.Popen([*command, "--line", f"kerong-cu16={line.path}", "--pulse-ms", "200"]))

    yield set_up
    for process in running:
        process.terminate()
        process.wait(10)
    line.close()


@pytest.fixture
def phone(page: Page, live_hub: LiveHub) -> Page:
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_default_timeout(20_000)
    page.goto(f"{live_hub.url}/office/login")
    page.get_by_label("Benutzername").fill("technikerin")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").tap()
    expect(page.get_by_role("heading", name="Heute", exact=True)).to_be_visible()
    return page


def register(phone: Page, url: str) -> str:
    """Enter the station and return the code that is shown once."""
    phone.goto(f"{url}/office/devices/new")
    phone.get_by_label("Name", exact=True).fill("Paketstation")
    phone.get_by_label("Kurzname").fill("station")
    phone.get_by_label("Art").select_option("locker")
    phone.get_by_role("button", name="Hinzufügen").tap()
    expect(phone.get_by_text("30 Minuten")).to_be_visible()
    return re.search(r"pair ([A-Z0-9]{12})", phone.locator("main").inner_text())[1]


def press(phone: Page, name: str, *, confirm: str = "") -> None:
    phone.get_by_role("button", name=name).first.tap()
    if confirm:
        phone.locator("dialog[open]").get_by_role("button", name=confirm).tap()


def lock(phone: Page, board: int, channel: int) -> Locator:
    found = phone.get_by_role("heading", name=f"Platine {board}, Schloss {channel}", exact=True)
    expect(found).to_be_visible()
    return found


def open_and_number(phone: Page, hardware: SimulatedBoards) -> None:
    """Open the next door, see which one it is, close it, and type what stands on it."""
    press(phone, "Diese Tür öffnen")
    number = phone.get_by_label("Welche Nummer steht auf der Tür")
    expect(number).to_be_visible()
    (node,) = [node for node, box in hardware.look().items() if box["open"]]
    hardware.close_door(node)
    number.fill(str(NUMBERS[node]))
    press(phone, "Speichern, nächstes Schloss")


def opens_by_its_number(phone: Page, url: str, hardware: SimulatedBoards) -> None:
    """It works: a door is opened by the number on it, and the contact is believed."""
    phone.get_by_role("link", name="Zur Station").click()
    row = phone.get_by_role("row").filter(has=phone.get_by_role("link", name="11", exact=True))
    expect(row).to_contain_text("frei")
    row.get_by_role("link", name="11", exact=True).click()
    phone.get_by_label("Grund").first.fill("Probe nach dem Einrichten")
    press(phone, "Tür öffnen", confirm="Tür öffnen")
    expect(phone.get_by_text("Tür 11 soll sich öffnen")).to_be_visible()
    phone.goto(f"{url}/office/parcels/station")
    row = phone.get_by_role("row").filter(has=phone.get_by_role("link", name="11", exact=True))
    expect(row).to_contain_text("offen")
    assert hardware.pulses[-1] == "box-02"
    hardware.close_door("box-02")
    expect(row).to_contain_text("geschlossen")


def names_its_driver(phone: Page, url: str) -> None:
    phone.goto(f"{url}/office/devices/")
    phone.get_by_role("row").get_by_role("link", name="Paketstation").click()
    expect(phone.get_by_text("kerong-cu16")).to_be_visible()
    expect(phone.get_by_text("shop-hub ")).to_be_visible()


def test_from_a_box_of_hardware_to_a_working_station(phone, live_hub, hardware, raspberry, screenshot) -> None:
    raspberry(register(phone, live_hub.url))
    phone.goto(f"{live_hub.url}{STATION}")
    expect(phone.get_by_text("Die Station ist verbunden")).to_be_visible()
    screenshot("station")
    axe_check(phone)
    press(phone, "Türen einrichten", confirm="Jetzt beginnen")

    # Two boards with one address: as long as all doors are shut they answer alike, and nobody can tell.
    lock(phone, 1, 1)
    screenshot("lock")
    axe_check(phone)
    press(phone, "Diese Tür öffnen")
    expect(phone.get_by_label("Welche Nummer steht auf der Tür")).to_be_visible()
    assert [node for node, box in hardware.look().items() if box["open"]] == ["box-01", "box-03"]
    screenshot("two-doors")
    press(phone, "Mehr als eine Tür ging auf", confirm="Ja, Station anhalten")
    expect(phone.get_by_text("Zwei Platinen haben dieselbe Adresse").first).to_be_visible()
    screenshot("stopped")
    axe_check(phone)
    fired, overlaps = list(hardware.pulses), hardware.overlaps

    hardware.repair_board("board-2")
    for node in ("box-01", "box-03"):
        hardware.close_door(node)
    press(phone, "Platinen noch einmal suchen")
    for board in (1, 2):
        for channel in (1, 2):
            lock(phone, board, channel)
            open_and_number(phone, hardware)
        lock(phone, board, 3)
        press(phone, "Ab hier ist nichts mehr angeschlossen", confirm="Ja, auslassen")
    expect(phone.get_by_role("heading", name="Alle Schlösser sind fertig")).to_be_visible()
    phone.set_viewport_size({"width": 1366, "height": 768})
    screenshot("all-done")
    axe_check(phone)
    press(phone, "Türplan schreiben")
    expect(phone.get_by_text("Die Station arbeitet mit ihrem neuen Türplan")).to_be_visible()
    screenshot("done")
    axe_check(phone)
    assert hardware.pulses == [*fired, "box-01", "box-02", "box-03", "box-04"]
    assert hardware.overlaps == overlaps

    opens_by_its_number(phone, live_hub.url, hardware)
    names_its_driver(phone, live_hub.url)
