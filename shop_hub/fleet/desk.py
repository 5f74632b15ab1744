"""Devices from the command line, for who sits at the hub and has no browser at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.errors import OperatingError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.fleet import pairing, provisioning
from shop_hub.fleet.models import Device

_ACTOR = "command-line"
SOON = "A running hub follows within a second or two."


@dataclass(frozen=True, slots=True)
class Desk:
    """A transaction on the devices of a hub."""

    session: Session
    hasher: SecretHasher

    def lines(self) -> list[str]:
        """Return a line per device: its name at the broker, kind, link, and what is special."""
        rows = self.session.execute(select(Site.slug, Device).join(Site).order_by(Site.slug, Device.slug))
        return [
            f"{site}_{device.slug:<24} {device.kind:<12} {device.link:<8} "
            f"{'out of service' if device.is_revoked else ''}".rstrip()
            for site, device in rows
        ]

    def code(self, name: str) -> str:
        """Return a fresh one-time code for a device."""
        return pairing.issue_code(self.session, self.hasher, self._find(name), actor=_ACTOR)

    def renew(self, name: str, reason: str) -> list[str]:
        """Make new keys and return what is typed into the device."""
        issued = provisioning.renew_keys(self.session, self.hasher, self._find(name), actor=_ACTOR, reason=reason)
        return [f"user: {issued.user}", f"password: {issued.password}", f"key: {issued.key_hex}"]

    def revoke(self, name: str, reason: str) -> None:
        """Take a device out of service."""
        provisioning.revoke(self.session, self._find(name), actor=_ACTOR, reason=reason)

    def _find(self, name: str) -> Device:
        """Return a device by `<site>_<short name>`."""
        site, _, slug = name.partition("_")
        found = self.session.scalar(select(Device).join(Site).where(Site.slug == site, Device.slug == slug))
        if found is None:
            raise OperatingError(f"There is no device {name}. See `shop-hub devices list`.")
        return found


@contextmanager
def opened(settings: Settings) -> Iterator[Desk]:
    """Open the desk for one transaction."""
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            yield Desk(session, hasher)
    finally:
        database.dispose()
