"""The heartbeat that an outside service waits for: it beats while the hub can write, and only then."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from shop_hub.alarms.jobs import jobs
from shop_hub.core.settings import Alarms, Settings


@pytest.fixture
def listener():
    """Somebody outside; `status` is what they answer."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            heard.append(self.path)
            self.send_response(type(self).status)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.heard, server.handler = heard, Handler
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def job(address: str):
    """Return the job that beats, or None."""
    settings = Settings(alarms=Alarms(heartbeat_url=address, heartbeat_minutes=7))
    return next((one for one in jobs(SimpleNamespace(settings=settings)) if one.name == "heartbeat"), None)


def test_it_beats_once_the_transaction_is_committed(listener, sqlite_database):
    found = job(f"http://127.0.0.1:{listener.server_port}/ping/laden")
    assert found.every.total_seconds() == 7 * 60

    with sqlite_database.transaction() as session:
        found.run(session)
        assert listener.heard == []

    assert listener.heard == ["/ping/laden"]


def test_a_hub_that_cannot_write_does_not_claim_to_live(listener, sqlite_database):
    found = job(f"http://127.0.0.1:{listener.server_port}/ping")

    with pytest.raises(ZeroDivisionError), sqlite_database.transaction() as session:
        found.run(session)
        raise ZeroDivisionError

    assert listener.heard == []


def test_somebody_who_does_not_answer_or_refuses_stops_nothing(listener, sqlite_database, caplog):
    listener.handler.status = 500
    for address in (f"http://127.0.0.1:{listener.server_port}/ping", "http://127.0.0.1:9/ping"):
        with sqlite_database.transaction() as session:
            job(address).run(session)

    assert caplog.text.count("the heartbeat did not arrive") == 2


def test_without_an_address_there_is_none():
    assert job("") is None


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.org/x", "hc-ping.com/x", "https://"])
def test_only_addresses_of_the_web_are_taken(address):
    with pytest.raises(ValidationError):
        Alarms(heartbeat_url=address)
