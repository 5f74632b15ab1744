"""The bridge by which a village's mosquitto passes on to a region's broker what its devices tell, after an outage too.

Outwards only: nothing that comes from a region reaches a device. The region's hub writes an invitation; the village's
broker gets a section of its configuration from it.
"""

import ipaddress
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from devices.broker.accounts import Account, Role, bridged
from devices.broker.directory import BrokerError
from devices.protocol.ids import client_id
from devices.protocol.messages import NodeId

MONITOR = "monitor"
"""Local account under which the bridge hears: the plugin asks for one, and this one may only read."""
_SECTION = """
# What the devices of {site} tell goes to the broker of the region too; nothing comes back from there. What could not be
# sent is kept (QoS 1 only, so no clock and no accept is ever sent late) and sent in its order, some of it twice.
connection region-{site}
addresses {addresses}
{topics}
cleansession false
local_clientid region-{site}
local_username {monitor}
remote_clientid {client_id}
remote_username {user}
remote_password {password}
bridge_protocol_version mqttv311
try_private false
notifications false
bridge_attempt_unsubscribe false
keepalive_interval 15
restart_timeout 1 15
{tls}"""
_TLS = """\
bridge_cafile {ca_file}
bridge_tls_version tlsv1.2
"""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LAST_PORT = 65_535
_MOST_ADDRESSES = 16


def address(host: str, port: int) -> str:
    """Return where a broker listens, as an invitation says it: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _checked(text: str) -> str:
    """Refuse what is no `host:port`: each address ends up in a line of mosquitto's configuration."""
    host, _, port = text.rpartition(":")
    if not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise ValueError("an address ends with a port")
    if host.startswith("[") and host.endswith("]"):
        if ipaddress.IPv6Address(host[1:-1]).scope_id is not None:
            raise ValueError("an address of one link only is none of a region")
    elif not _HOST.fullmatch(host):
        raise ValueError("an address begins with a host")
    return text


class Invitation(BaseModel):
    """What a village's broker needs to know of the region's; written by the region's hub, carried by a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: NodeId
    user: str = Field(pattern=r"^[a-z0-9_-]{1,80}$")
    password: str = Field(pattern=r"^[A-Za-z0-9]{1,80}$")
    addresses: tuple[Annotated[str, AfterValidator(_checked)], ...] = Field(min_length=1, max_length=_MOST_ADDRESSES)
    """`host:port` of the broker, or of each node of a cluster."""
    ca: str = Field(max_length=65_536)
    """Certificate of the region's authority."""

    @classmethod
    def of(cls, account: Account, addresses: Sequence[str], ca: str) -> Self:
        """Return the invitation that goes with a bridge's account.

        Raises:
            BrokerError: the addresses are none, or too many.
        """
        site, user, password = account.sites[0], account.user, account.password
        try:
            return cls(site=site, user=user, password=password, addresses=tuple(addresses), ca=ca)
        except ValidationError as error:
            raise BrokerError(f"An invitation cannot name these addresses: {', '.join(addresses)}") from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the invitation in a file.

        Raises:
            BrokerError: it holds none, or one without a certificate, by which the bridge would trust anybody.
            OSError: it cannot be read.
        """
        try:
            found = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise BrokerError(f"{path} is no invitation to a region") from error
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found.ca)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise BrokerError(f"{path} is an invitation without the certificate of the region") from error
        return found


def user_name(site: str) -> str:
    """Return the user name of a village at the region's broker."""
    return f"{site}_bridge"


def account(site: str, password: str) -> Account:
    """Return a village's account at the region's broker."""
    return Account(user_name(site), password, Role.BRIDGE, (site,))


def ca_file(site: str) -> str:
    """Return how the certificate of a site's region is called beside mosquitto.conf."""
    return f"region-{site}.crt"


def section(invitation: Invitation, certificate: Path | None) -> str:
    """Return the section of mosquitto.conf; `certificate` is where that of the region's authority lies.

    With None the bridge speaks without TLS, which is for loopback only. Mosquitto takes what stands before the last
    colon for the host, so it wants no brackets.
    """
    return _SECTION.format(
        site=invitation.site,
        addresses=" ".join(invitation.addresses).replace("[", "").replace("]", ""),
        topics="\n".join(f"topic {mqtt_filter} out 1" for mqtt_filter in bridged(invitation.site)),
        monitor=MONITOR,
        client_id=client_id(invitation.user, invitation.password),
        user=invitation.user,
        password=invitation.password,
        tls="" if certificate is None else _TLS.format(ca_file=certificate),
    )
