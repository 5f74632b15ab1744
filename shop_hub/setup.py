"""Sets a real village up."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from devices.protocol import topics
from shop_hub import models as _models  # noqa: F401 - all tables
from shop_hub.catalog import defaults
from shop_hub.core import audit
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.errors import OperatingError
from shop_hub.core.germany import LANDS
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.people import staff
from shop_hub.people.models import Operator
from shop_hub.people.staff import NewOperator

LONGEST_SLUG = 40


@dataclass(frozen=True)
class NewVillage:
    """What `shop-hub setup` asks for."""

    site: str
    slug: str
    place: str
    street: str
    postcode: str
    land: str
    administrator: str
    password: str


def set_up(settings: Settings, new: NewVillage) -> str:
    """Create the site and its first administrator; return what to do next.

    Raises:
        OperatingError: a name that cannot be used; nothing was created.
        shop_hub.core.errors.ShopError: user name or password is refused; nothing was created.
    """
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            _check(session, new)
            site = Site(
                slug=new.slug,
                name=new.site.strip(),
                street=new.street.strip(),
                postcode=new.postcode.strip(),
                place=new.place.strip(),
                land=new.land,
            )
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
        OperatingError: no such operator.
        shop_hub.people.errors.ShortPasswordError, shop_hub.people.errors.CommonPasswordError: it is refused.
    """
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            who = session.scalar(select(Operator).where(Operator.user_name == user_name.strip().lower()))
            if who is None:
                raise OperatingError(f"There is no operator named {user_name}.")
            staff.set_password(session, hasher, who.id, password)
    finally:
        database.dispose()


def _check(session: Session, new: NewVillage) -> None:
    if not topics.is_id(new.slug) or len(new.slug) > LONGEST_SLUG:
        raise OperatingError("The short name may only have small letters a-z, digits and hyphens, up to 40.")
    if session.scalar(select(Site.id).where(Site.slug == new.slug)) is not None:
        raise OperatingError(f"There is a shop with the short name {new.slug} already.")
    if new.land not in LANDS:
        raise OperatingError(f"The Land must be one of {', '.join(LANDS)}.")
    if not new.site.strip() or not new.place.strip():
        raise OperatingError("The shop needs a name and a village.")
