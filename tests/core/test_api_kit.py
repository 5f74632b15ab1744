import json

import pytest
from flask import Blueprint
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from shop_hub.core import api
from shop_hub.core.access import Role
from shop_hub.core.errors import NotFoundError
from shop_hub.core.web import ShopHub


class Thing(api.ApiModel):
    name: str
    cents: int


@pytest.fixture
def client(app: ShopHub, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(api, "operations", {})
    blueprint = Blueprint("things", __name__, url_prefix="/api/v1")

    @api.operation(blueprint, "POST", "/things", roles=(Role.TILL,), body=Thing, result=Thing, status=201)
    def create_thing(body: Thing) -> Thing:
        """Create a thing."""
        return body

    @api.operation(
        blueprint,
        "GET",
        "/things/<string:name>",
        roles=(Role.TILL,),
        query=api.PageQuery,
        result=api.Page[Thing],
        errors=(NotFoundError,),
    )
    def get_things(name: str, query: api.PageQuery) -> api.Page[Thing]:
        """List things."""
        if name == "none":
            raise NotFoundError
        return api.Page[Thing](items=[Thing(name=name, cents=query.limit)], next=api.encode_cursor("7"))

    app.register_blueprint(blueprint)
    return app.test_client()


TILL = {"X-Roles": "till"}


def test_a_right_body_becomes_a_model(client: FlaskClient) -> None:
    answer = client.post("/api/v1/things", json={"name": "a", "cents": 5}, headers=TILL)
    assert (answer.status_code, answer.get_json()) == (201, {"name": "a", "cents": 5})


@pytest.mark.parametrize(
    ("body", "type_", "status"),
    [
        (b'{"secret": ', "application/json", 422),
        (b"[1, 2, 3]", "application/json", 422),
        (b'{"name": "a"}', "application/json", 422),
        (b'{"name": "a", "cents": "x"}', "application/json", 422),
        (b'{"name": "a", "cents": "1"}', "application/json", 422),
        (b'{"name": "a", "cents": true}', "application/json", 422),
        (b'{"name": "a", "cents": 1, "more": 1}', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_wrong_body_is_a_problem_that_echoes_nothing(client: FlaskClient, body, type_, status) -> None:
    answer = client.post("/api/v1/things", data=body, content_type=type_, headers=TILL)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert body.decode(errors="replace") not in answer.get_data(as_text=True)


def test_who_has_no_token_is_asked_for_one(client: FlaskClient) -> None:
    answer = client.post("/api/v1/things", json={"name": "a", "cents": 5})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_lists_are_pages_with_an_opaque_cursor(client: FlaskClient) -> None:
    answer = client.get("/api/v1/things/x?limit=3", headers=TILL).get_json()
    assert answer["items"] == [{"name": "x", "cents": 3}]
    assert api.decode_cursor(answer["next"]) == "7"
    assert client.get("/api/v1/things/x?limit=0", headers=TILL).status_code == 422


@pytest.mark.parametrize("cursor", ["%", "ä", "A", "/w=="])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(api.BadCursorError):
        api.decode_cursor(cursor)


def test_the_document_is_valid_openapi(client: FlaskClient) -> None:
    assert client is not None
    document = api.document("test", "1")
    validate(json.loads(json.dumps(document)))
    assert set(document["paths"]) == {"/api/v1/things", "/api/v1/things/{name}"}
    assert set(document["paths"]["/api/v1/things/{name}"]["get"]["responses"]) == {"200", "401", "403", "404", "422"}
