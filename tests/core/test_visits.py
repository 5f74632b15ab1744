"""What a browser's visit must never do: come back after it ended, or undo what a twin wrote."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.core.visits import Visit, VisitInterface, WebVisit
from shop_hub.core.web import ShopHub


@pytest.fixture
def keeper(app: ShopHub) -> VisitInterface:
    assert isinstance(app.session_interface, VisitInterface)
    return app.session_interface


def load(app: ShopHub, keeper: VisitInterface, visit_id: str) -> Visit:
    with app.test_request_context("/", headers={"Cookie": f"visit={visit_id}"}) as context:
        return keeper.open_session(app, context.request)


def start(app: ShopHub, keeper: VisitInterface, **data: object) -> str:
    visit = Visit("A" * 26)
    visit.update(data)
    keeper._write(visit)
    assert dict(load(app, keeper, visit.id)) == data
    return visit.id


def test_a_signed_out_visit_does_not_come_back_with_a_request_in_flight(app: ShopHub, keeper: VisitInterface) -> None:
    visit_id = start(app, keeper, _user_id="1")
    in_flight = load(app, keeper, visit_id)
    ending = load(app, keeper, visit_id)
    ending.end()
    keeper._write(ending)
    in_flight["language"] = "en"
    keeper._write(in_flight)
    assert dict(load(app, keeper, visit_id)) == {}


def test_a_twin_does_not_undo_what_the_first_request_wrote(app: ShopHub, keeper: VisitInterface) -> None:
    visit_id = start(app, keeper, language="de", basket=1)
    first, twin = load(app, keeper, visit_id), load(app, keeper, visit_id)
    first["sales"] = ["7"]
    del first["basket"]
    keeper._write(first)
    twin["language"] = "en"
    keeper._write(twin)
    assert dict(load(app, keeper, visit_id)) == {"language": "en", "sales": ["7"]}


def test_a_mere_touch_changes_nothing_but_the_time(app: ShopHub, keeper: VisitInterface) -> None:
    visit_id = start(app, keeper, language="de")
    touching, writing = load(app, keeper, visit_id), load(app, keeper, visit_id)
    writing["sales"] = ["7"]
    keeper._write(writing)
    with clock.shifted(timedelta(minutes=2)):
        keeper._write(touching)
        assert dict(load(app, keeper, visit_id)) == {"language": "de", "sales": ["7"]}
    with app.database.reading() as session:
        assert session.scalars(select(WebVisit.seen_at)).one() > clock.now() + timedelta(minutes=1)


def test_a_refused_form_is_refused_and_not_broken_when_the_visit_is_due(app: ShopHub) -> None:
    client: FlaskClient = app.test_client()
    client.get("/token")
    for later in (0, 61, 122):
        with clock.shifted(timedelta(seconds=later)):
            assert client.post("/form").status_code == 403
