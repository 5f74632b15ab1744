"""A kiosk's till in a browser without script."""

import re
from functools import cached_property
from uuid import uuid4

from sqlalchemy import select
from werkzeug.test import TestResponse

from shop_hub.checkout.models import Sale
from shop_hub.core import tokens
from shop_hub.core.tokens import Purpose
from shop_hub.core.web import ShopHub
from shop_hub.people import service as people
from tests.checkout.shop import Shop

PIN = "4711"


class Till:
    """A paired kiosk's browser without script."""

    def __init__(self, app: ShopHub, shop: Shop) -> None:
        self.app, self.shop = app, shop
        self.client = app.test_client()
        with shop.session() as session:
            cookie = tokens.issue(session, Purpose.KIOSK, shop.kiosk_id, site_id=shop.site.id).text
        self.client.set_cookie("kiosk", cookie, path="/kiosk")

    @cached_property
    def card(self) -> str:
        """The member's card; its PIN is hashed only where a test needs it."""
        with self.shop.session() as session:
            people.set_pin(session, self.app.hasher, self.shop.member_id, PIN)
            return people.issue_card(session, self.shop.member_id).text

    def get(self, path: str, **more: str) -> TestResponse:
        return self.client.get(path, headers=more)

    def post(self, path: str, key: str = "", **form: object) -> TestResponse:
        page = self.client.get("/kiosk/shop").text
        token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
        assert token is not None
        return self.client.post(path, data={"csrf_token": token[1], "idempotency_key": key or str(uuid4()), **form})

    def scan(self, *codes: str) -> None:
        for code in codes:
            assert self.post("/kiosk/shop/scan", code=code).status_code == 303

    def sign_in(self, following: str = "pay", pin: str = PIN) -> TestResponse:
        return self.post("/kiosk/shop/pin", card=self.card, pin=pin, next=following)


def text(response: TestResponse) -> str:
    """Return the words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text)).replace("\xa0", " ")


def last_sale(shop: Shop) -> Sale:
    with shop.database.reading() as session:
        return session.scalars(select(Sale).order_by(Sale.id.desc())).first()  # type: ignore[return-value]
