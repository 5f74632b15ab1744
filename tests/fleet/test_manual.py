"""The page and documents for makers of devices."""

import json

import pytest
from click.testing import CliRunner

from devices.protocol import contract
from devices.protocol.channels import CHANNELS
from devices.protocol.kinds import KINDS
from shop_hub.cli import main
from shop_hub.core.access import Role
from shop_hub.fleet import manual
from tests.backoffice.office import Browser, make_operator
from tests.conftest import make_site


@pytest.fixture
def database(page_database):
    return page_database


@pytest.fixture
def page(app, database):
    make_operator(app, make_site(database), Role.VOLUNTEER)
    browser = Browser(app.test_client())
    browser.sign_in("volunteer")
    return browser.get("/office/devices/contract").text


def test_the_documents_are_open_to_everybody(app):
    client = app.test_client()
    document = client.get("/api/devices/asyncapi.json").json
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {channel.name for channel in CHANNELS}
    assert client.get("/api/devices/schemas.json").json == contract.schemas()


def test_the_page_shows_every_topic_rule_and_kind(page):
    for channel in CHANNELS:
        assert channel.address in page
    assert page.count("<li>") >= len(contract.RULES)
    for kind in KINDS:
        assert f'<th scope="row">{kind}</th>' in page
    for link in ("/api/devices/asyncapi.json", "/api/devices/schemas.json"):
        assert f'href="{link}"' in page


def test_the_page_shows_the_golden_example(page):
    golden = manual.golden()
    assert golden.mac in page
    assert golden.key in page
    assert golden.signed.startswith(golden.topic + "\\0{")
    assert "dorf/5/station/box-03/command/set\\0{" in page


def test_fields_are_shown_as_the_messages_have_them():
    machine, slot = manual.kinds()["vending"]
    assert machine.commands == ["vend {slot, order}", "plan {revision, slots}"]
    assert "vended (order, stock)" in slot.events
    assert "state: ok, empty, jam, warm, doubt" in slot.properties


def test_the_command_line_prints_the_documents():
    run = CliRunner()
    assert json.loads(run.invoke(main, ["devices", "contract"]).output)["asyncapi"] == "3.0.0"
    assert json.loads(run.invoke(main, ["devices", "contract", "--schemas"]).output) == contract.schemas()
