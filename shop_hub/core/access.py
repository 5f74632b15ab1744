"""Who asks, and who may: roles, the asking principal, and the access rule of each route. Deny by default."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from flask import g

from shop_hub.core.errors import NotFoundError

View = TypeVar("View", bound=Callable[..., object])


class Role(StrEnum):
    """Everyone has ANONYMOUS. Staff roles contain those below them."""

    ANONYMOUS = "anonymous"
    KIOSK = "kiosk"
    VILLAGER = "villager"
    COURIER = "courier"
    VOLUNTEER = "volunteer"
    OPERATOR = "operator"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"
    TILL = "till"
    CARRIER = "carrier"
    MONITOR = "monitor"


STAFF = (Role.VOLUNTEER, Role.OPERATOR, Role.MANAGER, Role.ADMINISTRATOR)


def staff_roles(highest: Role) -> frozenset[Role]:
    """Return a staff role with all below it."""
    return frozenset(STAFF[: STAFF.index(highest) + 1])


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks. `site_id` is the site that this request acts on; ids are None when there is no such person or thing."""

    roles: frozenset[Role] = frozenset({Role.ANONYMOUS})
    site_id: int | None = None
    kiosk_id: int | None = None
    member_id: int | None = None
    courier_id: int | None = None
    carrier_id: int | None = None
    operator_id: int | None = None
    token_id: int | None = None

    @property
    def actor(self) -> str:
        """Return kind and number for the audit trail; never a name."""
        for kind in ("operator", "courier", "member", "token", "kiosk"):
            number = getattr(self, f"{kind}_id")
            if number is not None:
                return f"{kind}:{number}"
        return "anonymous"

    @property
    def site(self) -> int:
        """Return the site of this request.

        Raises:
            NotFoundError: the asker belongs to no site.
        """
        if self.site_id is None:
            raise NotFoundError(what="site")
        return self.site_id

    def has(self, *roles: Role) -> bool:
        """Tell whether the principal has one of these roles."""
        return not self.roles.isdisjoint(roles)


def access(*roles: Role) -> Callable[[View], View]:
    """Declare who may call a view: anyone who has one of `roles`. A route without this rule is refused to all."""

    def mark(view: View) -> View:
        view.access_roles = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return mark


def allowed_roles(view: object) -> frozenset[Role]:
    """Return the declared roles of a view; empty if it declares none."""
    return getattr(view, "access_roles", frozenset())


def principal() -> Principal:
    """Return who asks in this request."""
    asking: Principal = g.principal
    return asking
