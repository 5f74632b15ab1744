"""A device's retained self-description: Homie 5 JSON with a few words of our own."""

import zlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from devices.protocol.limits import PROTOCOL_VERSION
from devices.protocol.messages import Count, MessageError, NodeId

Datatype = Literal["integer", "boolean", "string", "enum", "datetime", "json"]

LONGEST_TEXT = 80
"""Signs of a name or version: the hub shows and keeps them, and passes them on in messages of limited size."""


class PropertyDescription(BaseModel):
    """One property of a node; `format` lists enum values or a range, as in Homie 5."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    datatype: Datatype
    name: str = ""
    format: str = ""
    unit: str = ""
    settable: bool = False
    retained: bool = True


class NodeDescription(BaseModel):
    """One node: a compartment, a slot, a probe."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = ""
    type: str = ""
    properties: dict[NodeId, PropertyDescription] = Field(default_factory=dict)


class Description(BaseModel):
    """What a device is. `version` changes whenever anything else in here does (Homie 5).

    Ours: `kind` (locker, vending, …), `maker` (the driver), `kiosk` (scanner and printer: whose they are),
    `interval_ms` (sensors: how often they speak), `map` (revision of door map or planogram), `protocol` (the `v` it
    speaks) and `firmware` (the version of its program, in the maker's own words).
    A description may exceed the 4 kB of a message: 30 slots do.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    homie: Literal["5.0"] = "5.0"
    version: int = 0
    name: str = Field(max_length=LONGEST_TEXT)
    kind: str = Field(max_length=LONGEST_TEXT)
    maker: str = Field(default="", max_length=LONGEST_TEXT)
    firmware: str = Field(default="", max_length=LONGEST_TEXT)
    protocol: Count = PROTOCOL_VERSION
    kiosk: str = ""
    interval_ms: int = Field(default=0, ge=0, le=86_400_000)
    map: int = 0
    nodes: dict[NodeId, NodeDescription] = Field(default_factory=dict)

    def stamped(self) -> Self:
        """Return a copy whose `version` is made from its content, so that it changes with it."""
        body = self.model_copy(update={"version": 0}).encode()
        return self.model_copy(update={"version": zlib.crc32(body)})

    def encode(self) -> bytes:
        """Return the JSON bytes for `$description`."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Return the description in a payload.

        Raises:
            MessageError: no JSON or another shape, or with a sign that databases cannot hold.
        """
        if b"\\u0000" in payload:
            raise MessageError("Description")
        try:
            return cls.model_validate_json(payload)
        except ValueError:
            raise MessageError("Description") from None
