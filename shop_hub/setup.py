"""Sets a real village up."""

from dataclasses import dataclass

from sqlalchemy import select

from shop_hub import models as _models  # noqa: F401 - all tables
from shop_hub.catalog import defaults
from shop_hub.core import audit
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.errors import NotFoundError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.people import staff
from shop_hub.people.models import Operator
from shop_hub.people.staff import NewOperator


@dataclass(frozen=True)
class NewVillage:
    """What `shop-hub setup` asks for."""

    site: str
    slug: str
    place: str
    land: str
    administrator: str
    password: str


def set_up(settings: Settings, new: NewVillage) -> str:
    """Create the site and its first administrator; return what to do next."""
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            site = Site(slug=new.slug, name=new.site, place=new.place, land=new.land)
            session.add(site)
            session.flush()
            defaults.install(session)
            who = staff.create_operator(session, NewOperator(user_name=new.administrator))
            staff.set_role(session, who.id, site.id, Role.ADMINISTRATOR)
            staff.set_password(session, hasher, who.id, new.password)
    finally:
        database.dispose()
    address = f"http://{settings.http.host}:{settings.http.port}"
    return f"Done. Start the hub with `shop-hub run`, then sign in at {address}/office/ as {new.administrator}."


def reset_password(settings: Settings, user_name: str, password: str) -> None:
    """Give an operator a new password; all sign-ins of the person end.

    Raises:
        shop_hub.core.errors.NotFoundError: no such operator.
    """
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            who = session.scalar(select(Operator).where(Operator.user_name == user_name.strip().lower()))
            if who is None:
                raise NotFoundError(what="operator")
            staff.set_password(session, hasher, who.id, password)
    finally:
        database.dispose()
