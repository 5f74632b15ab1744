"""Verbs about operators: accounts, roles per site, passwords, and the access of programs."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, limits, tokens
from shop_hub.core.access import Role
from shop_hub.core.db import paused
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.limits import Limit
from shop_hub.core.tokens import Issued, Purpose, Token, TokenState
from shop_hub.core.visits import WebVisit
from shop_hub.people import aside, passwords
from shop_hub.people.errors import (
    LastAdministratorError,
    NameTakenError,
    OtherSitesError,
    StaleResetError,
    WrongLoginError,
)
from shop_hub.people.models import Operator, OperatorRole

ACCOUNT_LIMIT = Limit("login-account", tries=8, window=timedelta(minutes=15))
ADDRESS_LIMIT = Limit("login-address", tries=30, window=timedelta(minutes=15))
RESET_LIMIT = Limit("password-reset", tries=10, window=timedelta(minutes=15))
RESET_LIFE = timedelta(hours=24)
API_ROLES = (Role.TILL, Role.CARRIER, Role.MONITOR)
LONGEST_USER_NAME = 40
LONGEST_CODE = 100


@dataclass(frozen=True, kw_only=True)
class NewOperator:
    """Who is to work in the backoffice."""

    user_name: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    language: str = "de"


def create_operator(session: Session, new: NewOperator) -> Operator:
    """Enter an operator, without password and role.

    Raises:
        NameTakenError: the user name exists.
        BadInputError: the user name is empty, too long or holds blanks.
    """
    user_name = new.user_name.strip().lower()
    if not 1 <= len(user_name) <= LONGEST_USER_NAME or len(user_name.split()) != 1:
        raise BadInputError(field="user_name")
    if session.scalar(select(Operator.id).where(Operator.user_name == user_name)) is not None:
        raise NameTakenError(field="user_name")
    values = {**dataclasses.asdict(new), "user_name": user_name}
    operator = Operator(**values, created_at=clock.now(), roles=[])
    session.add(operator)
    session.flush()
    return operator


def get_operator(session: Session, operator_id: int) -> Operator:
    """Return an operator.

    Raises:
        NotFoundError: there is none.
    """
    operator = session.get(Operator, operator_id)
    if operator is None:
        raise NotFoundError(what="operator")
    return operator


def check_may_manage(session: Session, operator: Operator, *, by: int) -> None:
    """Let the operator `by` lock an account or renew its password: accounts are global, so it takes all their shops.

    Raises:
        OtherSitesError: the account has a role at a site where `by` is no administrator.
    """
    if operator.id not in manageable(session, [operator], by=by):
        raise OtherSitesError


def manageable(session: Session, operators: Iterable[Operator], *, by: int) -> set[int]:
    """Return the ids of those whose account the operator `by` may manage."""
    asking = session.get(Operator, by)
    own = {row.site_id for row in (asking.roles if asking else ()) if row.role is Role.ADMINISTRATOR}
    return {operator.id for operator in operators if {row.site_id for row in operator.roles} <= own}


def set_role(session: Session, operator_id: int, site_id: int, role: Role | None, *, actor: str = "system") -> None:
    """Give an operator a role at a site, or take it away; open sessions see it at their next request.

    A role at one more site ends one-time codes for a new password: the other site's administrators made them.

    Raises:
        LastAdministratorError: the site would be left without one.
    """
    operator = get_operator(session, operator_id)
    before = operator.role_at(site_id)
    if before is role:
        return
    if before is Role.ADMINISTRATOR:
        _keep_one_administrator(session, site_id, operator_id)
    if before is None and operator.roles:
        tokens.revoke_all(session, Purpose.PASSWORD, operator.id)  # whoever made one may not manage this account now
    operator.roles = [row for row in operator.roles if row.site_id != site_id]
    session.flush()
    if role is not None:
        operator.roles.append(OperatorRole(operator_id=operator.id, site_id=site_id, role=role))
    session.flush()
    audit.record(session, site_id, actor, "role-changed", f"operator:{operator.id}", role=role.value if role else None)


def block_operator(session: Session, operator_id: int, *, is_blocked: bool, site_id: int, actor: str) -> None:
    """Lock an operator out at once, or let the operator in again.

    Raises:
        LastAdministratorError: a site would be left without one.
    """
    operator = get_operator(session, operator_id)
    if is_blocked:
        for row in operator.roles:
            if row.role is Role.ADMINISTRATOR:
                _keep_one_administrator(session, row.site_id, operator_id)
        _end_visits(session, operator_id)
    operator.is_blocked = is_blocked
    action = "operator-blocked" if is_blocked else "operator-unblocked"
    audit.record(session, site_id, actor, action, f"operator:{operator.id}")


def set_password(session: Session, hasher: SecretHasher, operator_id: int, password: str) -> None:
    """Set a password and sign the operator out everywhere.

    Raises:
        ShortPasswordError, CommonPasswordError: it is refused.
    """
    keep_password(session, operator_id, hash_password(session, hasher, operator_id, password))


def hash_password(session: Session, hasher: SecretHasher, operator_id: int, password: str) -> str:
    """Return the hash of a new password for `keep_password`; call it before anything was written.

    Raises:
        ShortPasswordError, CommonPasswordError: it is refused.
    """
    operator = get_operator(session, operator_id)
    passwords.check(password, operator.user_name)
    return aside.slow_hash(session, hasher, _context(operator), password)


def keep_password(session: Session, operator_id: int, password_hash: str) -> None:
    """Let a hashed password count from now on, and sign the operator out everywhere."""
    get_operator(session, operator_id).password_hash = password_hash
    _end_visits(session, operator_id)


def authenticate(session: Session, hasher: SecretHasher, user_name: str, password: str, *, address: str) -> Operator:
    """Return the operator whose name and password are right; call it before anything was written.

    The try is counted first, per account and per address. An unknown name takes the same time and gets the same words.

    Raises:
        TooManyAttemptsError: the password was not looked at.
        WrongLoginError: unknown, blocked, without role, or wrong password.
    """
    user_name = user_name.strip().lower()[:LONGEST_USER_NAME]
    counters = [(ADDRESS_LIMIT, address), (ACCOUNT_LIMIT, user_name)]
    limits.count(session, *counters)
    operator = session.scalar(select(Operator).where(Operator.user_name == user_name))
    with paused(session):
        context = _context(operator) if operator else "operator:"
        is_right = hasher.verify(context, password, operator.password_hash if operator else None)
    if operator is None or not is_right or operator.is_blocked or not operator.roles:
        raise WrongLoginError
    limits.take_back(session, *counters)
    operator.last_login_at = clock.now()
    return operator


def issue_reset(session: Session, operator_id: int, *, site_id: int, actor: str = "system") -> Issued:
    """Make a one-time code with which an operator sets a new password within 24 hours; earlier codes end."""
    operator = get_operator(session, operator_id)
    tokens.revoke_all(session, Purpose.PASSWORD, operator.id)
    audit.record(session, site_id, actor, "password-reset-issued", f"operator:{operator.id}")
    return tokens.issue(session, Purpose.PASSWORD, operator.id, expires_at=clock.now() + RESET_LIFE)


def redeem_reset(session: Session, hasher: SecretHasher, code: str, password: str, *, address: str) -> Operator:
    """Set a new password with a one-time code; the code is used up only when the password is accepted.

    Raises:
        StaleResetError: unknown, used or old code.
        ShortPasswordError, CommonPasswordError: the password is refused, the code stays good.
        TooManyAttemptsError: too many codes were tried from this address.
    """
    limits.count(session, (RESET_LIMIT, address))
    token = tokens.find(session, Purpose.PASSWORD, "".join(code[:LONGEST_CODE].split()))
    if token is None:
        raise StaleResetError
    operator = get_operator(session, token.subject_id)
    passwords.check(password, operator.user_name)
    with paused(session):
        hashed = hasher.hash(_context(operator), password)
    if not tokens.move(session, token.id, TokenState.ISSUED, TokenState.USED):
        raise StaleResetError
    operator.password_hash = hashed
    _end_visits(session, operator.id)
    return operator


def issue_api_token(
    session: Session, site_id: int, role: Role, *, label: str, days: int, carrier_id: int | None = None
) -> Issued:
    """Let a program call the API of a site; the text is shown once.

    Args:
        role: till, carrier or monitor; a carrier's program acts for `carrier_id` only.

    Raises:
        BadInputError: no such role for programs, or a carrier's program without carrier.
    """
    if role not in API_ROLES:
        raise BadInputError(field="role")
    if (role is Role.CARRIER) != (carrier_id is not None):
        raise BadInputError(field="carrier_id")
    data: dict[str, object] = {"role": role.value}
    if carrier_id is not None:
        data["carrier_id"] = carrier_id
    expires_at = clock.now() + timedelta(days=days)
    return tokens.issue(
        session, Purpose.API, carrier_id or site_id, site_id=site_id, label=label, data=data, expires_at=expires_at
    )


def revoke_api_token(session: Session, token_id: int, *, site_id: int, actor: str) -> None:
    """End a program's access at once.

    Raises:
        NotFoundError: no such token at this site.
    """
    token = session.get(Token, token_id)
    if token is None or token.purpose is not Purpose.API or token.site_id != site_id:
        raise NotFoundError(what="token")
    if tokens.move(session, token.id, TokenState.ISSUED, TokenState.REVOKED):
        audit.record(session, site_id, actor, "api-token-revoked", f"token:{token.id}")


def _context(operator: Operator) -> str:
    return f"operator:{operator.public_id}"


def _end_visits(session: Session, operator_id: int) -> None:
    session.execute(delete(WebVisit).where(WebVisit.operator_id == operator_id))


def _keep_one_administrator(session: Session, site_id: int, operator_id: int) -> None:
    others = session.scalar(
        select(func.count())
        .select_from(OperatorRole)
        .join(Operator, Operator.id == OperatorRole.operator_id)
        .where(
            OperatorRole.site_id == site_id,
            OperatorRole.role == Role.ADMINISTRATOR,
            OperatorRole.operator_id != operator_id,
            Operator.is_blocked.is_(False),
        )
    )
    if not others:
        raise LastAdministratorError
