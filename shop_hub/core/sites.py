"""Sites: one village shop each. Stock, prices, sales, lockers and devices belong to a site."""

from sqlalchemy import CheckConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core.db import Base
from shop_hub.core.errors import NotFoundError


class Site(Base):
    """One shop. `slug` is the first part of its MQTT topics and never changes."""

    __tablename__ = "site"
    __table_args__ = (CheckConstraint("length(slug) BETWEEN 1 AND 40", name="slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    street: Mapped[str] = mapped_column(default="")
    postcode: Mapped[str] = mapped_column(default="")
    place: Mapped[str] = mapped_column(default="")
    land: Mapped[str] = mapped_column(default="BB")
    timezone: Mapped[str] = mapped_column(default="Europe/Berlin")
    phone: Mapped[str] = mapped_column(default="")

    @property
    def label(self) -> str:
        """Return the name with the place, which is not said twice: "Dorfladen Lindenau"."""
        return self.name if self.place in self.name else f"{self.name} {self.place}"


def by_slug(session: Session, slug: str) -> Site:
    """Return the site with this slug.

    Raises:
        NotFoundError: there is none.
    """
    site = session.scalar(select(Site).where(Site.slug == slug))
    if site is None:
        raise NotFoundError(what="site")
    return site
