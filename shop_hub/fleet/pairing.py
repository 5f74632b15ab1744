"""A machine gets its keys by a one-time code: shown in the office, typed or scanned at the machine, worthless after.

The code is looked at only after the try was counted. Keys are made when it is used, so that no one has them before, and
those of a machine that stood there before are worthless from then on.
"""

import secrets
from datetime import timedelta

from sqlalchemy import and_, delete, select, update
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, limits, tokens
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.limits import Limit
from shop_hub.fleet import provisioning
from shop_hub.fleet.errors import WrongPairingCodeError
from shop_hub.fleet.kiosks import SIGNS
from shop_hub.fleet.models import Device, DevicePairing
from shop_hub.fleet.provisioning import Provisioned

LENGTH = 12
"""24 signs each, 55 bits: nobody guesses it in its half hour, even from many addresses at once."""
CODE_LIFE = timedelta(minutes=30)
PAIR_LIMIT = Limit("device-pair", tries=5, window=timedelta(minutes=15))
_LONGEST = 300


def issue_code(session: Session, hasher: SecretHasher, device: Device, *, actor: str) -> str:
    """Make the code of a device, for half an hour; an earlier one ends. The device in use goes on until it is used."""
    code = "".join(secrets.choice(SIGNS) for _ in range(LENGTH))
    session.execute(delete(DevicePairing).where(DevicePairing.device_id == device.id))
    row = DevicePairing(device_id=device.id, site_id=device.site_id, hash=_hash(hasher, code), used_at=None)
    row.expires_at = clock.now() + CODE_LIFE
    session.add(row)
    session.flush()
    audit.record(session, device.site_id, actor, "device-code-issued", f"device:{device.id}")
    return code


def pair(session: Session, hasher: SecretHasher, code: str, *, address: str) -> Provisioned:
    """Give the machine that knows a code its keys; a device that was out of service is in service again.

    Call it before anything was written: the try is counted first, per address.

    Raises:
        WrongPairingCodeError: unknown, used or old code.
        TooManyAttemptsError: the code was not looked at.
    """
    counter = (PAIR_LIMIT, address)
    limits.count(session, counter)
    now = clock.now()
    pairing = DevicePairing
    is_good = and_(pairing.hash == _hash(hasher, code), pairing.used_at.is_(None), pairing.expires_at > now)
    if session.scalar(select(pairing.device_id).where(is_good)) is None:
        raise WrongPairingCodeError
    limits.take_back(session, counter)
    device_id = session.scalar(update(pairing).where(is_good).values(used_at=now).returning(pairing.device_id))
    if device_id is None:  # a twin was quicker
        raise WrongPairingCodeError
    device = session.get_one(Device, device_id)
    device.is_revoked = False
    actor = f"device:{device.id}"
    issued = provisioning.renew_keys(session, hasher, device, actor=actor, reason="paired")
    audit.record(session, device.site_id, actor, "device-paired", f"device:{device.id}")
    return issued


def _hash(hasher: SecretHasher, code: str) -> str:
    plain = "".join(sign for sign in tokens.normalise(code[:_LONGEST]) if sign.isalnum())
    return hasher.lookup_key("device-pairing", plain)
