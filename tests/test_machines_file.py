"""The machines of a real village, entered from one file: config/machines.toml is the example and the test."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from devices.simulators import config as simulators
from shop_hub import machines
from shop_hub.atm.models import CashMachine
from shop_hub.climate.models import Probe
from shop_hub.core.db import Database
from shop_hub.core.errors import OperatingError, ShopError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.entrance.models import Entrance
from shop_hub.fleet import provisioning
from shop_hub.fleet.models import Device, DeviceKind, Kiosk
from shop_hub.lockers.models import Compartment
from shop_hub.vending.models import VendingSlot
from tests.conftest import make_site

EXAMPLE = Path(__file__).parents[1] / "config" / "machines.toml"
PRINTER = '[[device]]\nid = "drucker"\nkind = "printer"\nname = "Drucker"\nkiosk = "K1"\n'


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", database_url=database.engine.url.render_as_string(hide_password=False))


def enter(settings: Settings, tmp_path: Path, text: str, **more: str) -> list[str]:
    file = tmp_path / "machines.toml"
    file.write_text(text)
    return machines.enter(settings, file, tmp_path / "keys", **more)


def counts(database: Database) -> list[int]:
    with database.reading() as session:
        tables = (Kiosk, Device, Compartment, VendingSlot, CashMachine, Entrance, Probe)
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def test_the_example_makes_a_whole_village_once(
    settings: Settings, database: Database, site: Site, tmp_path: Path
) -> None:
    first = machines.enter(settings, EXAMPLE, tmp_path / "keys")
    assert first[1:3] == ["station: registered and set up", "automat: registered and set up"]
    whole = counts(database)
    assert whole == [1, 8, 6, 30, 1, 1, 1]
    again = machines.enter(settings, EXAMPLE, tmp_path / "keys", site=site.slug)
    assert (counts(database), again[1]) == (whole, "station: was there")


def test_the_keys_are_those_of_the_machines_and_only_for_their_owner(
    settings: Settings, database: Database, site: Site, tmp_path: Path
) -> None:
    machines.enter(settings, EXAMPLE, tmp_path / "keys")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    note = json.loads((tmp_path / "keys" / "tuer.json").read_text())
    with database.reading() as session:
        device = session.scalars(select(Device).where(Device.slug == "tuer")).one()
        issued = provisioning.credentials(session, SecretHasher(settings.secret()), device)
    assert (note["site"], note["password"], note["key"]) == (site.slug, issued.password, issued.key_hex)


@pytest.mark.usefixtures("site")
def test_the_simulators_can_stand_in_for_all_of_them(settings: Settings, tmp_path: Path) -> None:
    machines.enter(settings, EXAMPLE, tmp_path / "keys")
    config = simulators.load(tmp_path / "keys" / "simulators.json")
    assert [device.id for device in config.devices] == [
        "station",
        "automat",
        "geldautomat",
        "tuer",
        "kuehlregal",
        "kartengeraet",
        "drucker",
        "scanner",
    ]


def test_a_device_registered_in_the_backoffice_is_set_up(
    settings: Settings, database: Database, site: Site, tmp_path: Path
) -> None:
    hasher = SecretHasher(settings.secret())
    with database.transaction() as session:
        new = provisioning.NewDevice("geldautomat", DeviceKind.ATM, "Geldautomat")
        provisioning.create(session, hasher, site.id, new, actor="operator:1")
    enter(settings, tmp_path, '[[device]]\nid = "geldautomat"\nkind = "atm"\nname = "Automat"\nbank = "Bank"\n')
    assert counts(database) == [0, 1, 0, 0, 1, 0, 0]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("text", "refusal", "words"),
    [
        (PRINTER, OperatingError, "there is no kiosk K1"),
        ('[[device]]\nid = "A b"\nkind = "terminal"\nname = "x"\n', ShopError, "device-slug-wrong"),
        ('[[device]]\nid = "a"\nkind = "fax"\nname = "x"\n', ValidationError, "fax"),
        ('[[device]]\nid = "a"\nkind = "terminal"\nname = "x"\nport = 1\n', ValidationError, "port"),
        ('[[device]]\nid = "first"\nkind = "door"\nname = "x"\n', OperatingError, "as another kind"),
    ],
)
def test_a_file_with_a_fault_enters_nothing(settings: Settings, tmp_path: Path, text: str, refusal, words: str) -> None:
    good = '[[device]]\nid = "first"\nkind = "terminal"\nname = "x"\n'
    with pytest.raises(refusal, match=words):
        enter(settings, tmp_path, good + text)
    assert not (tmp_path / "keys").exists()
    assert enter(settings, tmp_path, good)[0] == "first: registered"


def test_among_several_shops_one_is_named(settings: Settings, database: Database, tmp_path: Path) -> None:
    with pytest.raises(OperatingError, match="There is no such shop"):
        enter(settings, tmp_path, "")
    make_site(database, "a")
    make_site(database, "b")
    with pytest.raises(OperatingError, match="name the shop"):
        enter(settings, tmp_path, "")
    assert len(enter(settings, tmp_path, '[[kiosk]]\nname = "x"\nregister_code = "K1"\n', site="b")) == 2
