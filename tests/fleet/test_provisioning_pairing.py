"""A machine gets its keys by a one-time code: once, in time, and nobody by guessing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from devices.agent import __main__ as command
from devices.agent import pairing as machine
from devices.agent.journal import Journal
from devices.broker import certificates
from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.core.limits import Attempt
from shop_hub.core.settings import Mqtt
from shop_hub.fleet import kiosks, pairing, provisioning
from shop_hub.fleet.errors import WrongPairingCodeError
from shop_hub.fleet.models import Device, DeviceKind, Kiosk
from shop_hub.fleet.provisioning import NewDevice
from tests.conftest import _fresh_postgresql, _fresh_sqlite

ADDRESS = "192.0.2.7"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request, tmp_path):
    """Both databases, instead of this folder's pairings of database and broker."""
    if request.param == "sqlite":
        yield from _fresh_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
    else:
        yield from _fresh_postgresql(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def station(app, site):
    with app.database.transaction() as session:
        new = NewDevice("station", DeviceKind.LOCKER, "Paketstation", map_revision=3)
        made = provisioning.create(session, app.hasher, site.id, new, actor="test")
        return session.get_one(Device, made.device_id)


def issue(app, device) -> str:
    with app.database.transaction() as session:
        return pairing.issue_code(session, app.hasher, session.get_one(Device, device.id), actor="operator:1")


def stored(app, device) -> Device:
    with app.database.reading() as session:
        return session.get_one(Device, device.id)


def ask(client, code, address=ADDRESS):
    body = json.dumps({"code": code})
    return client.post(
        "/api/v1/devices/pair", data=body, content_type="application/json", environ_base={"REMOTE_ADDR": address}
    )


class TestHub:
    def test_a_code_brings_the_keys(self, app, client, station):
        answer = ask(client, issue(app, station))

        assert answer.status_code == 200
        assert answer.json == {
            "site": "lindenau",
            "device": "station",
            "kind": "locker",
            "name": "Paketstation",
            "map": 3,
            "kiosk": "",
            "user": "lindenau_station",
            "password": provisioning.broker_password(app.hasher, "lindenau_station", 2),
            "key": provisioning.device_key(app.hasher, "lindenau", "station", 2).hex(),
            "broker": {"host": "127.0.0.1", "port": 1883, "tls": False, "ca": ""},
        }
        assert stored(app, station).key_generation == 2

    @pytest.mark.parametrize("dress", ["{}", "  {} ", "https://shop.example/#{}", "{:.4}-rest", "lower"])
    def test_it_is_read_as_typed_or_scanned(self, app, client, station, dress):
        code = issue(app, station)
        typed = {"lower": code.lower(), "{:.4}-rest": f"{code[:4]}-{code[4:8]} {code[8:]}"}.get(dress)

        assert ask(client, typed or dress.format(code)).status_code == 200

    def test_it_works_once(self, app, client, station):
        code = issue(app, station)

        assert [ask(client, code).status_code for _ in range(2)] == [200, 422]
        assert stored(app, station).key_generation == 2

    def test_of_many_at_once_one_gets_the_keys(self, app, station):
        code = issue(app, station)
        gate = threading.Barrier(6)

        def run(number: int) -> int:
            gate.wait()
            return ask(app.test_client(), code, f"192.0.2.{number}").status_code

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(run, range(6))) == [200, 422, 422, 422, 422, 422]
        assert stored(app, station).key_generation == 2

    def test_it_ends_after_half_an_hour(self, app, client, station, monkeypatch):
        code, now = issue(app, station), clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=31))

        assert ask(client, code).status_code == 422

    def test_a_new_code_ends_the_one_before(self, app, client, station):
        first, second = issue(app, station), issue(app, station)

        assert [ask(client, code).status_code for code in (first, second)] == [422, 200]

    def test_codes_of_kiosks_and_devices_are_nothing_to_each_other(self, app, client, station, site):
        code = issue(app, station)
        with app.database.transaction() as session:
            kiosk = kiosks.create(session, site.id, "Theke", "K1", actor="test")
            kiosk_code = kiosks.issue_code(session, session.get_one(Kiosk, kiosk.id), actor="test")

        assert ask(client, kiosk_code).status_code == 422
        with app.database.transaction() as session, pytest.raises(WrongPairingCodeError):
            kiosks.pair(session, code, address="x")
        assert ask(client, code).status_code == 200

    def test_wrong_codes_are_counted_and_the_sixth_is_not_looked_at(self, app, client, station):
        code = issue(app, station)

        assert [ask(client, f"WRONG{number}").status_code for number in range(5)] == [422] * 5
        refused = ask(client, code)
        assert (refused.status_code, refused.json["code"]) == (429, "too-many-attempts")
        assert ask(client, code, "192.0.2.8").status_code == 200

    def test_many_machines_of_one_house_are_paired_one_after_the_other(self, app, client, station):
        assert [ask(client, issue(app, station)).status_code for _ in range(8)] == [200] * 8
        with app.database.reading() as session:
            assert session.scalar(select(Attempt.count).where(Attempt.scope == "device-pair")) == 0

    def test_a_device_out_of_service_has_no_code_any_more(self, app, client, station):
        code = issue(app, station)
        with app.database.transaction() as session:
            found = session.get_one(Device, station.id)
            provisioning.revoke(session, found, actor="operator:1", reason="stolen")

        assert ask(client, code).status_code == 422
        assert stored(app, station).is_revoked

    def test_a_fresh_code_puts_another_machine_in_its_place(self, app, client, station):
        with app.database.transaction() as session:
            found = session.get_one(Device, station.id)
            provisioning.revoke(session, found, actor="operator:1", reason="stolen")

        assert ask(client, issue(app, station)).status_code == 200
        assert not stored(app, station).is_revoked

    @pytest.mark.parametrize("body", ["", "{}", '{"code": 7}', '{"code": ""}', '{"code": "x", "y": 1}', "[]", '"x"'])
    def test_a_body_of_another_shape_is_refused(self, client, station, body):  # noqa: ARG002 - there is a device to get
        answer = client.post("/api/v1/devices/pair", data=body, content_type="application/json")

        assert answer.status_code == 422

    def test_who_did_what_stands_in_the_audit_trail_and_no_secret(self, app, client, station):
        code = issue(app, station)
        keys = ask(client, code).json

        with app.database.reading() as session:
            entries = session.scalars(select(AuditEntry).where(AuditEntry.object == f"device:{station.id}")).all()
            found = [(entry.actor, entry.action) for entry in entries]
            everything = repr([vars(entry) for entry in entries])
        assert found[-3:] == [
            ("operator:1", "device-code-issued"),
            (f"device:{station.id}", "device-keys-renewed"),
            (f"device:{station.id}", "device-paired"),
        ]
        assert not [secret for secret in (code, keys["key"], keys["password"]) if secret in everything]

    def test_a_device_is_told_the_way_that_is_meant_for_devices(self, app, client, station, tmp_path, monkeypatch):
        certificates.make(tmp_path, ["broker.lan"])
        ca_file = tmp_path / certificates.CA
        mqtt = Mqtt(devices_host="broker.lan", devices_port=8883, ca_file=str(ca_file))
        monkeypatch.setattr(app, "settings", app.settings.model_copy(update={"mqtt": mqtt}))

        broker = ask(client, issue(app, station)).json["broker"]

        assert broker == {"host": "broker.lan", "port": 8883, "tls": True, "ca": ca_file.read_text()}


class TestMachine:
    @pytest.fixture
    def hub(self, app):
        """Return the address of the hub, served over HTTP."""
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
        server.server_close()

    def test_the_command_keeps_the_keys_for_this_user_only(self, app, station, hub, tmp_path, capsys):
        folder = tmp_path / "machine"

        status = command.main(["pair", issue(app, station), "--hub", hub, "--folder", str(folder)])

        assert status == 0
        said = capsys.readouterr().out
        config = machine.load(folder)
        assert (config.site, config.device, config.map_revision) == ("lindenau", "station", 3)
        assert config.key == provisioning.device_key(app.hasher, "lindenau", "station", 2)
        assert (folder / "device.json").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in folder.iterdir()] == ["device.json"]
        assert config.password not in said

    def test_the_text_of_the_picture_says_it_all(self, app, station, hub, tmp_path):
        text = f"{hub}/#{issue(app, station)}"

        assert command.main(["pair", text, "--folder", str(tmp_path / "machine")]) == 0

    def test_a_used_code_leaves_the_keys_in_use_alone(self, app, station, hub, tmp_path, capsys):
        code = issue(app, station)
        arguments = ["pair", code, "--hub", hub, "--folder", str(tmp_path / "machine")]
        command.main(arguments)
        before = (tmp_path / "machine" / "device.json").read_bytes()

        assert command.main(arguments) == 1

        assert "Get a new one in the office" in capsys.readouterr().err
        assert (tmp_path / "machine" / "device.json").read_bytes() == before

    def test_another_device_in_the_same_folder_does_not_get_the_memory_of_the_first(
        self, app, site, station, hub, tmp_path
    ):
        folder = tmp_path / "machine"
        with app.database.transaction() as session:
            made = provisioning.create(
                session, app.hasher, site.id, NewDevice("other", DeviceKind.LOCKER, "Andere"), actor="test"
            )
            other = session.get_one(Device, made.device_id)
        for device, kept in ((station, []), (station, ["journal"]), (other, []), (other, ["journal"])):
            assert command.main(["pair", issue(app, device), "--hub", hub, "--folder", str(folder)]) == 0
            assert [path.name for path in folder.glob("journal*")] == kept
            journal = Journal(machine.load(folder).journal)
            if not kept:
                assert journal.note("door-map") is None
                journal.write_note("door-map", device.slug)
            assert journal.note("door-map") == device.slug
            journal.close()
        former = [path for path in folder.glob("former-*/journal*") if path.name == "journal"]
        assert len(former) == 1

    def test_a_folder_that_cannot_be_written_costs_no_code(self, app, station, hub, tmp_path, capsys):
        code = issue(app, station)
        (tmp_path / "in-the-way").write_text("")

        assert command.main(["pair", code, "--hub", hub, "--folder", str(tmp_path / "in-the-way" / "machine")]) == 1
        assert "cannot be kept" in capsys.readouterr().err
        assert command.main(["pair", code, "--hub", hub, "--folder", str(tmp_path / "machine")]) == 0

    @pytest.mark.parametrize("hub", ["http://shop.example", "http://192.0.2.1:8080", "ftp://127.0.0.1", "file:///x/y"])
    def test_a_code_is_not_sent_where_others_can_read_it(self, hub, tmp_path, monkeypatch):
        monkeypatch.setattr(machine, "_ask", lambda *_: pytest.fail("it was sent"))

        with pytest.raises(machine.PairingError):
            machine.pair(machine.Code.read("CODE", hub), tmp_path)

    @pytest.mark.parametrize("answer", [b"{}", b"<html>", b'{"site": 1}', b"x" * 100_000])
    def test_what_is_no_hub_is_said_so(self, tmp_path, answer):
        server = make_server("127.0.0.1", 0, lambda _environ, start: (start("200 OK", []), [answer])[1])
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            with pytest.raises(machine.PairingError, match="no hub of this version"):
                machine.pair(machine.Code("CODE", f"http://127.0.0.1:{server.server_port}"), tmp_path)
        finally:
            thread.join()
            server.server_close()

    def test_a_hub_that_is_away_is_said_so(self, tmp_path):
        with pytest.raises(machine.PairingError, match="was not reached"):
            machine.pair(machine.Code("CODE", "http://127.0.0.1:9"), tmp_path)

    def test_without_keys_there_is_no_agent(self, tmp_path):
        with pytest.raises(machine.PairingError, match="Pair the device first"):
            machine.load(tmp_path)
