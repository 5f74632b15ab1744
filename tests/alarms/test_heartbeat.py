"""The heartbeat that an outside service waits for: it beats while the hub can write, and only then."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from shop_hub.alarms.jobs import jobs
from shop_hub.core.settings import Alarms, Settings


@pytest.fixture
def listener():
    """Somebody outside; `status` is what they answer, once they may, and `elsewhere` where they point to."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        status = 200
        elsewhere = ""
        may_answer = threading.Event()

        def do_GET(self):
            heard.append(self.path)
            self.may_answer.wait(10)
            self.send_response(self.status)
            if self.elsewhere:
                self.send_header("Location", self.elsewhere)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    Handler.may_answer.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.heard, server.handler = heard, Handler
    yield server
    Handler.may_answer.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


def job(address: str):
    """Return the job that beats, or None."""
    settings = Settings(alarms=Alarms(heartbeat_url=address, heartbeat_minutes=7))
    return next((one for one in jobs(SimpleNamespace(settings=settings)) if one.name == "heartbeat"), None)


def beat(database, found) -> None:
    with database.transaction() as session:
        found.run(session)


def settle() -> None:
    """Wait until no beat is under way."""
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(20)
            assert not thread.is_alive()


def test_it_beats_once_the_transaction_is_committed(listener, sqlite_database):
    found = job(f"http://127.0.0.1:{listener.server_port}/ping/laden")
    assert found.every.total_seconds() == 7 * 60

    with sqlite_database.transaction() as session:
        found.run(session)
        settle()
        assert listener.heard == []

    settle()
    assert listener.heard == ["/ping/laden"]


def test_a_hub_that_cannot_write_does_not_claim_to_live(listener, sqlite_database):
    found = job(f"http://127.0.0.1:{listener.server_port}/ping")

    with pytest.raises(ZeroDivisionError), sqlite_database.transaction() as session:
        found.run(session)
        raise ZeroDivisionError

    settle()
    assert listener.heard == []


def test_a_stranger_who_lets_wait_holds_up_nothing_and_is_asked_once_at_a_time(listener, sqlite_database, caplog):
    found = job(f"http://127.0.0.1:{listener.server_port}/ping")
    listener.handler.may_answer.clear()

    for _turn in range(3):
        beat(sqlite_database, found)

    assert caplog.text.count("still under way") == 2
    listener.handler.may_answer.set()
    settle()
    assert listener.heard == ["/ping"]
    beat(sqlite_database, found)
    settle()
    assert listener.heard == ["/ping"] * 2
    assert "did not arrive" not in caplog.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_outside_points_the_hub_to_another_address(listener, sqlite_database, caplog, status):
    address = f"http://127.0.0.1:{listener.server_port}"
    listener.handler.status, listener.handler.elsewhere = status, f"{address}/inside"

    beat(sqlite_database, job(f"{address}/ping"))

    settle()
    assert listener.heard == ["/ping"]
    assert "did not arrive" in caplog.text


def test_somebody_who_does_not_answer_or_refuses_stops_nothing(listener, sqlite_database, caplog):
    listener.handler.status = 500
    for address in (f"http://127.0.0.1:{listener.server_port}/ping", "http://127.0.0.1:9/ping"):
        beat(sqlite_database, job(address))
        settle()

    assert caplog.text.count("the heartbeat did not arrive") == 2


def test_without_an_address_there_is_none():
    assert job("") is None


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.org/x", "hc-ping.com/x", "https://"])
def test_only_addresses_of_the_web_are_taken(address):
    with pytest.raises(ValidationError):
        Alarms(heartbeat_url=address)
