"""A browser for the backoffice without script: signs in, keeps the form token, sends forms."""

import re
from dataclasses import dataclass

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shop_hub.core.access import Role
from shop_hub.core.ids import uuid7
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from shop_hub.people import staff
from shop_hub.people.models import Operator

PASSWORD = "vier kraniche ziehen nach norden"
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


def make_operator(app: ShopHub, site: Site, role: Role, user_name: str = "") -> Operator:
    """Enter an operator with the password of these tests."""
    with app.database.transaction() as session:
        operator = staff.create_operator(session, staff.NewOperator(user_name=user_name or role.value))
        staff.set_role(session, operator.id, site.id, role)
        staff.set_password(session, app.hasher, operator.id, PASSWORD)
        return operator


@dataclass
class Browser:
    """One browser at the backoffice."""

    client: FlaskClient

    def get(self, path: str, **more: object) -> TestResponse:
        return self.client.get(path, **more)

    def token(self, path: str = "/office/password") -> str:
        return TOKEN.findall(self.client.get(path).text)[0]

    def post(self, path: str, form: dict[str, object] | None = None, *, token: str | None = None) -> TestResponse:
        values = {"csrf_token": self.token() if token is None else token, "idempotency_key": str(uuid7())}
        return self.client.post(path, data={**values, **(form or {})})

    def sign_in(self, user_name: str, password: str = PASSWORD, next_: str = "") -> TestResponse:
        return self.post("/office/login", {"user_name": user_name, "password": password, "next": next_})

    @property
    def visit_id(self) -> str:
        cookie = self.client.get_cookie("visit")
        return cookie.value if cookie else ""
