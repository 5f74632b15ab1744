"""API of machines: they get their keys here, everything else goes over the broker."""

from pathlib import Path

from flask import Blueprint, request
from pydantic import Field

from shop_hub.core.access import Role
from shop_hub.core.api import PREFIX, ApiModel, operation
from shop_hub.core.errors import TooManyAttemptsError
from shop_hub.core.settings import Mqtt
from shop_hub.core.web import hub, session
from shop_hub.fleet import pairing
from shop_hub.fleet.errors import WrongPairingCodeError
from shop_hub.fleet.models import Device, DeviceKind, Kiosk

blueprint = Blueprint("fleet_api", __name__, url_prefix=PREFIX)


class PairIn(ApiModel):
    """The code of the office, as it was typed or scanned."""

    code: str = Field(min_length=1, max_length=300)


class BrokerOut(ApiModel):
    """How to reach the broker; `ca` is the certificate of the only authority to trust, empty for the system's."""

    host: str
    port: int
    tls: bool
    ca: str


class PairedOut(ApiModel):
    """All that a device must know. `key` signs its commands (hex); `kiosk` is the register code of its kiosk."""

    site: str
    device: str
    kind: DeviceKind
    name: str
    map: int
    kiosk: str
    user: str
    password: str
    key: str
    broker: BrokerOut


@operation(
    blueprint,
    "POST",
    "/devices/pair",
    roles=(Role.ANONYMOUS,),
    body=PairIn,
    result=PairedOut,
    errors=(WrongPairingCodeError, TooManyAttemptsError),
)
def pair_device(body: PairIn) -> PairedOut:
    """Trade a one-time code for the keys of a device; it works once."""
    issued = pairing.pair(session(), hub().hasher, body.code, address=request.remote_addr or "")
    device = session().get_one(Device, issued.device_id)
    kiosk = session().get(Kiosk, device.kiosk_id) if device.kiosk_id else None
    return PairedOut(
        site=issued.site,
        device=issued.slug,
        kind=device.kind,
        name=device.name,
        map=device.map_revision,
        kiosk=kiosk.register_code if kiosk else "",
        user=issued.user,
        password=issued.password,
        key=issued.key_hex,
        broker=_broker(hub().settings.mqtt),
    )


def _broker(mqtt: Mqtt) -> BrokerOut:
    is_tls = mqtt.tls or bool(mqtt.devices_port)
    return BrokerOut(
        host=mqtt.devices_host or mqtt.host,
        port=mqtt.devices_port or mqtt.port,
        tls=is_tls,
        ca=Path(mqtt.ca_file).read_text(encoding="ascii") if is_tls and mqtt.ca_file else "",
    )
