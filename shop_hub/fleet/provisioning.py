"""Devices come and go: registration, keys and passwords, maps, revocation, and the broker's list of accounts.

A device's MAC key and broker password are derived from the hub's secret, its name and its key generation. They are
shown once when the device is set up and stored nowhere; raising the generation makes the old ones worthless.
"""

import base64
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from devices.protocol import topics
from shop_hub.core import audit, clock, events
from shop_hub.core.errors import BadInputError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.sites import Site
from shop_hub.fleet.errors import ReasonMissingError, SlugTakenError, WrongSlugError
from shop_hub.fleet.models import (
    DeadLetter,
    Device,
    DeviceCommand,
    DeviceHealth,
    DeviceKind,
    DevicePairing,
    Kiosk,
    Link,
)
from shop_hub.fleet.wake import tell_change

_LONGEST_SLUG = 40
_LONGEST_REASON = 200


@dataclass(frozen=True)
class NewDevice:
    """A device to register. `kiosk_id` binds a scanner or printer to its kiosk."""

    slug: str
    kind: DeviceKind
    name: str
    kiosk_id: int | None = None
    map_revision: int = 0


@dataclass(frozen=True)
class Provisioned:
    """What is typed or copied into a device once: it cannot be shown again without new keys."""

    device_id: int
    site: str
    slug: str
    user: str
    password: str
    key_hex: str


def device_key(hasher: SecretHasher, site: str, slug: str, generation: int) -> bytes:
    """Return the key that signs a device's commands."""
    return hasher.derive(f"device:{site}/{slug}:{generation}")


def broker_password(hasher: SecretHasher, user: str, generation: int = 1) -> str:
    """Return the broker password of an account (52 characters of base32)."""
    return base64.b32encode(hasher.derive(f"broker:{user}:{generation}")).decode().rstrip("=")


def create(session: Session, hasher: SecretHasher, site_id: int, new: NewDevice, *, actor: str) -> Provisioned:
    """Register a device and return what it needs to know.

    Raises:
        WrongSlugError, SlugTakenError, BadInputError: as `enter` says.
    """
    return credentials(session, hasher, enter(session, site_id, new, actor=actor))


def enter(session: Session, site_id: int, new: NewDevice, *, actor: str) -> Device:
    """Register a device.

    Raises:
        WrongSlugError: the short name has other characters than a-z, 0-9 and hyphen, or is "hub".
        SlugTakenError: the site has one with this name.
        BadInputError: a kiosk of another site.
    """
    _check(session, site_id, new)
    device = Device(
        site_id=site_id,
        slug=new.slug,
        kind=new.kind,
        name=new.name.strip() or new.slug,
        kiosk_id=new.kiosk_id,
        map_revision=new.map_revision,
    )
    session.add(device)
    session.flush()
    audit.record(session, site_id, actor, "device-registered", f"device:{device.id}", kind=new.kind.value)
    tell_change(session)
    events.publish(session, "device", site_id, device=device.id)
    return device


def credentials(session: Session, hasher: SecretHasher, device: Device) -> Provisioned:
    """Return what a device needs to know to speak."""
    site = session.get_one(Site, device.site_id)
    user = topics.user_name(site.slug, device.slug)
    return Provisioned(
        device_id=device.id,
        site=site.slug,
        slug=device.slug,
        user=user,
        password=broker_password(hasher, user, device.key_generation),
        key_hex=device_key(hasher, site.slug, device.slug, device.key_generation).hex(),
    )


def renew_keys(session: Session, hasher: SecretHasher, device: Device, *, actor: str, reason: str) -> Provisioned:
    """Make the device's key and password worthless and return new ones, e.g. after a theft.

    Raises:
        ReasonMissingError: nobody said why.
    """
    reason = _reason(reason)
    device.key_generation += 1
    session.flush()
    tell_change(session)
    audit.record(session, device.site_id, actor, "device-keys-renewed", f"device:{device.id}", reason=reason)
    return credentials(session, hasher, device)


def revoke(session: Session, device: Device, *, actor: str, reason: str) -> None:
    """Take a device out of service: it gets no commands, its messages are not believed, its account and code go.

    Raises:
        ReasonMissingError: nobody said why.
    """
    reason = _reason(reason)
    device.is_revoked = True
    device.link = Link.NEVER
    session.add(DeviceHealth(site_id=device.site_id, device_id=device.id, link=Link.NEVER, at=clock.now()))
    session.execute(delete(DevicePairing).where(DevicePairing.device_id == device.id))
    session.flush()
    tell_change(session)
    audit.record(session, device.site_id, actor, "device-revoked", f"device:{device.id}", reason=reason)
    events.publish(session, "device", device.site_id, device=device.id)


def set_map(session: Session, device: Device, revision: int, *, actor: str) -> None:
    """Set the revision of the door map or planogram on which commands are decided from now on."""
    device.map_revision = revision
    session.flush()
    tell_change(session)
    audit.record(session, device.site_id, actor, "device-map-changed", f"device:{device.id}", revision=revision)


def give_up(session: Session, command: DeviceCommand, *, actor: str) -> None:
    """Stop waiting for a device's answer; the worker then records the outcome as unknown."""
    command.given_up_by = actor
    session.flush()
    audit.record(session, command.site_id, actor, "command-given-up", f"command:{command.id}", op=command.op)


def see_letters(session: Session, site_id: int, *, actor: str) -> None:
    """Note that a person has looked at the unusable messages of a site and of unknown senders."""
    session.execute(
        update(DeadLetter)
        .where((DeadLetter.site_id == site_id) | DeadLetter.site_id.is_(None), DeadLetter.seen_by == "")
        .values(seen_by=actor)
    )
    events.publish(session, "device", site_id)


def _reason(text: str) -> str:
    reason = " ".join(text.split())[:_LONGEST_REASON]
    if not reason:
        raise ReasonMissingError(field="reason")
    return reason


def _check(session: Session, site_id: int, new: NewDevice) -> None:
    if not topics.is_id(new.slug) or new.slug == topics.HUB or len(new.slug) > _LONGEST_SLUG:
        raise WrongSlugError(field="slug")
    taken = select(Device.id).where(Device.site_id == site_id, Device.slug == new.slug)
    if session.scalar(taken) is not None:
        raise SlugTakenError(field="slug")
    if new.kiosk_id is not None:
        kiosk = session.get(Kiosk, new.kiosk_id)
        if kiosk is None or kiosk.site_id != site_id:
            raise BadInputError(field="kiosk")
