import threading

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub


@pytest.fixture
def client(app: ShopHub) -> FlaskClient:
    return app.test_client()


def slugs(app: ShopHub) -> list[str]:
    with app.database.reading() as session:
        return sorted(session.scalars(select(Site.slug)))


def make(client: FlaskClient, slug: str, key: str = "key-0001"):
    return client.post("/api/sites", json={"slug": slug}, headers={"Idempotency-Key": key})


def test_a_repeated_key_gets_the_stored_answer_and_no_second_effect(app: ShopHub, client: FlaskClient) -> None:
    first, second = make(client, "a"), make(client, "a")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_data() == second.get_data()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert slugs(app) == ["a"]


def test_the_same_key_with_another_body_is_refused(app: ShopHub, client: FlaskClient) -> None:
    make(client, "a")
    answer = make(client, "b")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency-key-reused")
    assert slugs(app) == ["a"]


def test_a_missing_key_is_refused(app: ShopHub, client: FlaskClient) -> None:
    answer = client.post("/api/sites", json={"slug": "a"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency-key-missing")
    assert slugs(app) == []


def test_a_refusal_is_repeated_too_and_its_effect_is_rolled_back(app: ShopHub, client: FlaskClient) -> None:
    first, second = make(client, "sold-out"), make(client, "sold-out")
    assert (first.status_code, second.status_code) == (409, 409)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.get_json() == {
        "type": "urn:shop-hub:sold-out",
        "title": "None left.",
        "status": 409,
        "code": "sold-out",
        "params": {"left": 0},
    }
    assert slugs(app) == []


def test_a_crash_keeps_nothing_so_that_the_same_key_may_try_again(app: ShopHub, client: FlaskClient) -> None:
    answers = [
        client.post("/api/crash", json={}, headers={"Idempotency-Key": "key-0001"}).status_code for _ in range(2)
    ]
    assert answers == [500, 500]
    assert slugs(app) == []


def test_twins_with_one_key_have_one_effect(app: ShopHub) -> None:
    answers: list[bytes] = []

    def send() -> None:
        answers.append(make(app.test_client(), "a").get_data())

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert slugs(app) == ["a"]


def test_a_counted_attempt_survives_the_refusal(client: FlaskClient) -> None:
    statuses = [client.post("/api/guess").status_code for _ in range(4)]
    assert statuses == [409, 409, 429, 429]


def test_a_route_without_rule_is_refused_to_everyone(client: FlaskClient) -> None:
    assert client.get("/undeclared").status_code == 401
    assert client.get("/undeclared", headers={"X-Roles": "administrator"}).status_code == 403


def test_a_role_opens_only_what_declares_it(client: FlaskClient) -> None:
    roles = {"": 401, "kiosk": 403, "volunteer": 403, "operator": 200}
    assert {role: client.get("/office", headers={"X-Roles": role}).status_code for role in roles} == roles


def test_a_form_without_token_or_from_a_foreign_page_is_refused(client: FlaskClient) -> None:
    token = client.get("/token").get_data(as_text=True)
    assert client.post("/form").status_code == 403
    assert client.post("/form", data={"csrf_token": token}).status_code == 200
    assert client.post("/form", data={"csrf_token": token}, headers={"Origin": "http://evil"}).status_code == 403
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/form", data={"csrf_token": token}, headers=cross).status_code == 403


def test_a_copied_cookie_is_worthless_after_logout(app: ShopHub, client: FlaskClient) -> None:
    token = client.get("/token").get_data(as_text=True)
    copied = client.get_cookie("visit").value
    assert client.get("/who").get_json() == {"seen": True}
    assert client.post("/logout", data={"csrf_token": token}).status_code == 200
    thief = app.test_client()
    thief.set_cookie("visit", copied)
    assert thief.get("/who").get_json() == {"seen": False}


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for path in ("/who", "/nothing-here", "/undeclared"):
        headers = client.get(path).headers
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_a_405_names_the_allowed_methods(client: FlaskClient) -> None:
    answer = client.delete("/api/sites")
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})
