"""What is forgotten by itself, and what a person's erasure does in the features above."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from shop_hub.board import service as board
from shop_hub.board.models import Post, PostKind, PostState
from shop_hub.board.service import Draft
from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.limits import Attempt
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Token
from shop_hub.core.visits import WebVisit
from shop_hub.core.web import ShopHub
from shop_hub.ledger import service as ledger
from shop_hub.people import jobs, privacy, service, staff
from shop_hub.people.models import Person
from tests.backoffice.office import Browser, make_operator


@pytest.fixture
def person(app: ShopHub, site: Site) -> Person:
    with app.database.transaction() as session:
        new = service.NewPerson(home_site_id=site.id, first_name="Erna", last_name="Vogt")
        return service.create_person(session, new)


def test_visits_counters_and_one_time_codes_are_forgotten_but_cards_stay(
    app: ShopHub, site: Site, person: Person
) -> None:
    operator = make_operator(app, site, Role.OPERATOR, "malte")
    Browser(app.test_client()).sign_in("malte", "wrong guess")
    Browser(app.test_client()).sign_in("malte")
    with app.database.transaction() as session:
        staff.issue_reset(session, operator.id, site_id=site.id)
        service.issue_card(session, person.id)

    def left() -> tuple[int, ...]:
        with app.database.reading() as session:
            return tuple(
                session.scalar(select(func.count()).select_from(table)) or 0 for table in (WebVisit, Attempt, Token)
            )

    def forget(days: int) -> None:
        with clock.shifted(timedelta(days=days)), app.database.transaction() as session:
            jobs.forget(session)

    before = left()
    assert before[0] >= 1
    assert before[1:] == (2, 2)
    forget(6)
    assert left() == before
    forget(8)
    assert left() == (0, 2, 1)
    forget(31)
    assert left() == (0, 0, 1)


def test_export_and_erasure_reach_money_parcels_and_notices(app: ShopHub, site: Site, person: Person) -> None:
    with app.database.transaction() as session:
        ledger.top_up(session, site.id, person.id, 500, source="cash-box", actor="operator:1", ref="test-0001")
        draft = Draft(kind=PostKind.OFFER, text="Ich verschenke Äpfel.", contact_text="Erna Vogt", person_id=person.id)
        board.write(session, site.id, draft, actor="operator:1", publish=True)
    with app.database.transaction() as session:
        exported = privacy.export_person(session, person.id)
    assert [move["cents"] for move in exported["account"]] == [500]
    assert [notice["contact"] for notice in exported["board"]] == ["Erna Vogt"]
    assert (exported["parcels"], exported["purchases"]) == ([], [])
    with app.database.transaction() as session:
        ledger.post(session, site.id, "pay-out", "test-0002", [(f"member:{person.id}", -500), ("cash-box", 500)])
        privacy.erase_person(session, person.id)
    with app.database.reading() as session:
        post = session.scalars(select(Post)).one()
    assert (post.state, post.contact_text, post.person_id) == (PostState.WITHDRAWN, "", None)
