"""Addresses of services: which are taken, what of them is shown, and that a message really arrives."""

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shop_hub.alarms import sending
from shop_hub.alarms.errors import BadAddressError, NoServicesError
from shop_hub.alarms.models import Way


@pytest.fixture
def service():
    """A service on this machine that keeps what it gets; `status` is what it answers."""
    got, hosts = [], []

    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_POST(self):
            hosts.append(self.headers["Host"])
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(type(self).status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.got, server.hosts, server.handler = got, hosts, Handler
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_mail_address_is_reached_by_mail():
    assert sending.check("ines@example.org") == (Way.MAIL, "ines@example.org")


def test_a_service_s_secrets_are_not_shown():
    way, shown = sending.check("ntfys://user:geheim@ntfy.example.org/dorfladen")
    assert way is Way.SERVICE
    assert shown.startswith("ntfys://")
    assert "geheim" not in shown


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "a@b, c@d",
        "file:///etc/passwd",
        "syslog://",
        "dbus://",
        "mailto://a:b@example.org",
        "tgram://",
        "json://127.0.0.1:8080/x",
        "jsons://[::1]/x",
        "gotify://localhost/token",
        "ntfy://169.254.169.254/x",
        "ntfy://0.0.0.0/x",
        "json://2130706433/x",
        "json://0x7f.1/x",
        "json://[fe80::1%25eth0]/x",
        "json://[::ffff:7f00:1]:8080/x",
        "json://[::ffff:127.0.0.1]:8080/x",
        "json://[::ffff:a9fe:a9fe]/x",
        "json://[::7f00:1]/x",
        "json://[2002:7f00:1::]/x",
        "json://[64:ff9b::7f00:1]/x",
        "json://[64:ff9b::a9fe:a9fe]/x",
        "json://localhost.:8080/x",
        "json://LOCALHOST.:8080/x",
        "json://hub.localhost/x",
        "json://127.0.0.1.:8080/x",
        "json://example.org\\@127.0.0.1/x",
        "ntfy://127%2e0.0.1/x",
        "ntfy://" + "x" * 600,
    ],
)
def test_anything_else_is_refused(address):
    with pytest.raises(BadAddressError):
        sending.check(address)


@pytest.mark.parametrize("host", ["[::ffff:7f00:1]", "localhost.", "127.0.0.1."])
def test_nothing_is_sent_to_this_machine_however_it_is_written(service, host):
    with pytest.raises(sending.NotDeliveredError):
        sending.send(f"json://{host}:{service.server_port}/x", "x", "y")
    assert service.got == []


@pytest.mark.parametrize(
    "address", ["json://[2001:db8::1]/x", "json://[::ffff:c000:201]/x", "gotify://192.168.1.5/token"]
)
def test_servers_elsewhere_are_taken(address):
    assert sending.check(address)[0] is Way.SERVICE


def test_a_name_that_leads_to_this_machine_is_found_out_when_it_is_sent(service, monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(sending.socket, "getaddrinfo", lambda *_arguments, **_more: answer)
    with pytest.raises(sending.NotDeliveredError):
        sending.send(f"json://trick.example.org:{service.server_port}/x", "x", "y")
    assert service.got == []


@pytest.fixture
def reachable(monkeypatch):
    """The test's service stands on this machine."""
    monkeypatch.setattr(sending, "_is_outside", lambda _address: True)


@pytest.mark.usefixtures("reachable")
def test_a_message_arrives_at_the_service(service):
    sending.send(f"json://127.0.0.1:{service.server_port}/laden", "Kühlregal zu warm", "Bitte nachsehen.")
    ((path, body),) = service.got
    assert path == "/laden"
    assert (body["title"], body["message"]) == ("Kühlregal zu warm", "Bitte nachsehen.")


@pytest.mark.usefixtures("reachable")
def test_a_service_that_refuses_is_tried_again_later(service):
    service.handler.status = 500
    with pytest.raises(sending.NotDeliveredError):
        sending.send(f"json://127.0.0.1:{service.server_port}/laden", "x", "y")


@pytest.mark.usefixtures("reachable")
def test_a_service_cannot_send_us_elsewhere(service):
    service.handler.status = 307
    with pytest.raises(sending.NotDeliveredError):
        sending.send(f"json://127.0.0.1:{service.server_port}/laden?redirect=yes", "x", "y")
    assert [path for path, _ in service.got] == ["/laden"]


@pytest.fixture
def rebound(monkeypatch):
    """A name that leads to another address of this machine whenever it is asked for again; return what was asked."""
    asked = []
    real = socket.getaddrinfo

    def look_up(host, port, *more, **options):
        if host != "trick.example.org":
            return real(host, port, *more, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.usefixtures("reachable")
def test_a_name_that_changes_its_mind_between_check_and_connection_gains_nothing(service, rebound):
    """DNS rebinding: the address that was checked is the one that is connected to, under the same name."""
    sending.send(f"json://trick.example.org:{service.server_port}/laden", "x", "y")

    assert [path for path, _ in service.got] == ["/laden"]
    assert rebound == ["trick.example.org"]
    assert service.hosts == [f"trick.example.org:{service.server_port}"]


@pytest.mark.usefixtures("reachable")
def test_with_tls_the_name_is_still_the_one_of_the_address(rebound):
    named = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        threading.Thread(target=lambda: _shake_hands(server, context), daemon=True).start()
        with pytest.raises(sending.NotDeliveredError):
            sending.send(f"jsons://trick.example.org:{server.getsockname()[1]}/laden", "x", "y")
    assert named == ["trick.example.org"]
    assert rebound == ["trick.example.org"]


def _shake_hands(server, context):
    with contextlib.suppress(OSError):
        context.wrap_socket(server.accept()[0], server_side=True)


@pytest.mark.usefixtures("reachable")
def test_while_a_message_is_sent_no_other_server_is_spoken_to(service, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{service.server_port}")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(sending.NotDeliveredError):
        sending.send("json://192.0.2.7:9/laden", "x", "y")
    assert service.got == []


@pytest.mark.usefixtures("reachable")
def test_a_server_s_second_address_is_tried_when_the_first_does_not_answer(service, monkeypatch):
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.9", "127.0.0.1")]
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: answers if "two" in host else real(host, *a, **k))

    sending.send(f"json://two.example.org:{service.server_port}/laden", "x", "y")

    assert len(service.got) == 1


def test_without_the_library_only_mail_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NoServicesError):
        sending.check("ntfy://ntfy.example.org/dorfladen")
    with pytest.raises(sending.NotDeliveredError):
        sending.send("ntfy://ntfy.example.org/dorfladen", "x", "y")


def test_the_library_is_not_loaded_before_something_is_sent():
    code = "import sys, shop_hub.app, shop_hub.alarms.mails, shop_hub.alarms.views; print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False"
