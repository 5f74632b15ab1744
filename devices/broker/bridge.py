"""The bridge by which a village's mosquitto passes on to a region's broker what its devices tell, after an outage too.

Outwards only: nothing that comes from a region reaches a device. The region's hub writes an invitation; the village's
broker gets a section of its configuration from it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices.broker.accounts import Account, Role, bridged
from devices.broker.directory import BrokerError
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
remote_clientid {user}
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


class Invitation(BaseModel):
    """What a village's broker needs to know of the region's; written by the region's hub, carried by a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: NodeId
    user: str = Field(pattern=r"^[a-z0-9_-]{1,80}$")
    password: str = Field(pattern=r"^[A-Za-z0-9]{1,80}$")
    addresses: tuple[str, ...] = Field(min_length=1)
    """`host:port` of the broker, or of each node of a cluster."""
    ca: str = ""
    """Certificate of the region's authority; empty only in tests: without TLS."""

    @classmethod
    def of(cls, account: Account, addresses: Sequence[str], ca: str) -> Self:
        """Return the invitation that goes with a bridge's account."""
        return cls(
            site=account.sites[0], user=account.user, password=account.password, addresses=tuple(addresses), ca=ca
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the invitation in a file.

        Raises:
            BrokerError: it holds none.
            OSError: it cannot be read.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise BrokerError(f"{path} is no invitation to a region") from error


def user_name(site: str) -> str:
    """Return the user name of a village at the region's broker."""
    return f"{site}_bridge"


def account(site: str, password: str) -> Account:
    """Return a village's account at the region's broker."""
    return Account(user_name(site), password, Role.BRIDGE, (site,))


def ca_file(site: str) -> str:
    """Return how the certificate of a site's region is called beside mosquitto.conf."""
    return f"region-{site}.crt"


def section(invitation: Invitation, certificate: Path) -> str:
    """Return the section of mosquitto.conf; `certificate` is where that of the region's authority lies."""
    return _SECTION.format(
        site=invitation.site,
        addresses=" ".join(invitation.addresses),
        topics="\n".join(f"topic {mqtt_filter} out 1" for mqtt_filter in bridged(invitation.site)),
        monitor=MONITOR,
        user=invitation.user,
        password=invitation.password,
        tls=_TLS.format(ca_file=certificate) if invitation.ca else "",
    )
