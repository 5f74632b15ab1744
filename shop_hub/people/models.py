"""Tables of people: villagers, operators with their roles, carriers with their couriers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop_hub.core.access import Role
from shop_hub.core.db import Base, enum_column
from shop_hub.core.ids import uuid7


class Notify(StrEnum):
    """How a villager hears from the shop."""

    MAIL = "mail"
    KIOSK = "kiosk"


class Person(Base):
    """A villager. Global, with the site where the person registered.

    `search_key` holds name and address in lower case without accents; SQLite can only lower ASCII letters itself.
    """

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("age_level IN (0, 16, 18)", name="age_level"),
        CheckConstraint("text_size IN (100, 150, 200)", name="text_size"),
        CheckConstraint("notify <> 'mail' OR email <> ''", name="mail_needs_address"),
        Index("ix_person_name", "home_site_id", "last_name", "first_name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    home_site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    first_name: Mapped[str]
    last_name: Mapped[str]
    street: Mapped[str] = mapped_column(default="")
    house_number: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="de")
    notify: Mapped[Notify] = mapped_column(enum_column(Notify), default=Notify.KIOSK)
    text_size: Mapped[int] = mapped_column(default=100)
    has_phone: Mapped[bool] = mapped_column(default=True)
    accessible: Mapped[bool] = mapped_column(default=False)
    objects_to_lockers: Mapped[bool] = mapped_column(default=False)
    age_level: Mapped[int] = mapped_column(default=0)
    pin_hash: Mapped[str | None]
    is_blocked: Mapped[bool] = mapped_column(default=False)
    search_key: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]

    @property
    def name(self) -> str:
        """Return the full name."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def short_name(self) -> str:
        """Return what a public screen may show after sign-in: first name and initial."""
        return f"{self.first_name} {self.last_name[:1]}.".strip() if self.last_name else self.first_name

    @property
    def address(self) -> str:
        """Return street and house number."""
        return f"{self.street} {self.house_number}".strip()


class Operator(UserMixin, Base):
    """Someone who works in the backoffice. Flask-Login's user."""

    __tablename__ = "operator"
    __table_args__ = (CheckConstraint("user_name = lower(user_name)", name="user_name_lower"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    user_name: Mapped[str] = mapped_column(unique=True)
    first_name: Mapped[str] = mapped_column(default="")
    last_name: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="de")
    password_hash: Mapped[str | None]
    is_blocked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    roles: Mapped[list["OperatorRole"]] = relationship(
        cascade="all, delete-orphan", order_by="OperatorRole.site_id", lazy="selectin"
    )

    @property
    def is_active(self) -> bool:
        """Tell Flask-Login whether this user may sign in."""
        return not self.is_blocked

    @property
    def name(self) -> str:
        """Return the full name, or the user name."""
        return f"{self.first_name} {self.last_name}".strip() or self.user_name

    def role_at(self, site_id: int) -> Role | None:
        """Return the highest role at a site, or None."""
        return next((row.role for row in self.roles if row.site_id == site_id), None)


class OperatorRole(Base):
    """What an operator may do at a site; the role contains those below it."""

    __tablename__ = "operator_role"
    __table_args__ = (
        CheckConstraint("role IN ('volunteer', 'operator', 'manager', 'administrator')", name="staff_role"),
    )

    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id", ondelete="CASCADE"), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))


class Carrier(Base):
    """A company that delivers parcels. `code` is its name in labels, API and topics and never changes."""

    __tablename__ = "carrier"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    colour: Mapped[str] = mapped_column(default="#14492f")
    text_colour: Mapped[str] = mapped_column(default="#ffffff")
    label_format: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    is_blocked: Mapped[bool] = mapped_column(default=False)


class Courier(Base):
    """Someone who delivers for a carrier."""

    __tablename__ = "courier"
    __table_args__ = (Index("ix_courier_carrier", "carrier_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    carrier_id: Mapped[int] = mapped_column(ForeignKey("carrier.id"))
    name: Mapped[str]
    language: Mapped[str] = mapped_column(default="de")
    pin_hash: Mapped[str | None]
    is_blocked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    carrier: Mapped[Carrier] = relationship(lazy="joined")
