"""The table of topics: who sends what, at which QoS, retained or not. The description of the contract is made of it."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from devices.protocol.description import Description, NodeDescription, PropertyDescription
from devices.protocol.messages import (
    Accepted,
    Ack,
    ClockHint,
    Command,
    DeviceState,
    Event,
    Lease,
    PropertyValue,
    Query,
    Result,
    ResultState,
)
from devices.protocol.topics import HUB, Topic, TopicKind

ID = "01JD9Z0Q6J3M7M2YB4C1T8K5XE"
EPOCH = "9c51d2a07be4f613"
_LEASE = "q7ZkX0c2mB4rT9vYwL1dHg"


class Sender(StrEnum):
    """Who publishes on a topic; everyone else is refused by the broker."""

    DEVICE = "device"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of topic. `message` None: plain text instead of JSON, one of `words` if there are any."""

    name: str
    address: str
    kind: TopicKind
    sender: Sender
    message: type[BaseModel] | None
    qos: int
    retained: bool
    summary: str
    example: BaseModel | str
    words: tuple[str, ...] = ()

    @property
    def example_payload(self) -> bytes:
        """Return the example as it is sent."""
        if isinstance(self.example, str):
            return self.example.encode()
        return self.example.model_dump_json(exclude_none=True).encode()


_DEVICE = "{site}/5/{device}"
_WORDS = tuple(word.value for word in DeviceState)
_DOOR = PropertyDescription(datatype="enum", format="open,closed,unknown")

CHANNELS: tuple[Channel, ...] = (
    Channel(
        "state",
        f"{_DEVICE}/$state",
        TopicKind.STATE,
        Sender.DEVICE,
        None,
        1,
        retained=True,
        summary="Presence, one bare word. `lost` is the last will: give it to the broker when you connect.",
        example="ready",
        words=_WORDS,
    ),
    Channel(
        "description",
        f"{_DEVICE}/$description",
        TopicKind.DESCRIPTION,
        Sender.DEVICE,
        Description,
        1,
        retained=True,
        summary="What the device is: Homie 5 JSON. May be larger than 4 kB.",
        example=Description(
            name="Parcel station",
            kind="locker",
            maker="example",
            firmware="1.4.2",
            map=17,
            nodes={"box-03": NodeDescription(name="3", type="compartment", properties={"door": _DOOR})},
        ).stamped(),
    ),
    Channel(
        "alert",
        f"{_DEVICE}/$alert/{{alert}}",
        TopicKind.ALERT,
        Sender.DEVICE,
        None,
        1,
        retained=True,
        summary="Something a person should look at; an empty message clears it.",
        example="box-03: bad_mac",
    ),
    Channel(
        "property",
        f"{_DEVICE}/{{node}}/{{property}}",
        TopicKind.PROPERTY,
        Sender.DEVICE,
        PropertyValue,
        1,
        retained=True,
        summary="A state, whenever it changes and after every connection. No `value`: not known.",
        example=PropertyValue(epoch=EPOCH, boot=12, seq=204, value="closed"),
    ),
    Channel(
        "lease",
        f"{_DEVICE}/lease",
        TopicKind.LEASE,
        Sender.DEVICE,
        Lease,
        0,
        retained=False,
        summary="A fresh random word every 2 s, at boot and after every connection; only devices that take commands.",
        example=Lease(lease=_LEASE, epoch=EPOCH, boot=12, seq=8812),
    ),
    Channel(
        "command",
        f"{_DEVICE}/{{node}}/command/set",
        TopicKind.COMMAND_SET,
        Sender.HUB,
        Command,
        0,
        retained=False,
        summary="Do something, once, now or never. The same bytes may come up to four times.",
        example=Command(id=ID, op="open", lease=_LEASE, ttl_ms=2000, map=17, gen=4, by="grant:8c1f"),
    ),
    Channel(
        "accepted",
        f"{_DEVICE}/{{node}}/command",
        TopicKind.COMMAND,
        Sender.DEVICE,
        Accepted,
        0,
        retained=False,
        summary="The command is on disk and being carried out.",
        example=Accepted(id=ID),
    ),
    Channel(
        "result",
        f"{_DEVICE}/{{node}}/result",
        TopicKind.RESULT,
        Sender.DEVICE,
        Result,
        1,
        retained=True,
        summary="The one final verdict. An answer to a repeated command or a question is sent without retain.",
        example=Result(id=ID, state=ResultState.DONE, epoch=EPOCH, boot=12, seq=8813, tries=1),
    ),
    Channel(
        "event",
        f"{_DEVICE}/log/event",
        TopicKind.EVENT,
        Sender.DEVICE,
        Event,
        1,
        retained=False,
        summary="Something happened. Kept on disk and sent again until the hub's ack, not only until PUBACK.",
        example=Event(event=f"{EPOCH}/12/8814", node="box-03", type="opened", cause=ID, age_ms=35),
    ),
    Channel(
        "query",
        f"{_DEVICE}/log/query/set",
        TopicKind.QUERY_SET,
        Sender.HUB,
        Query,
        0,
        retained=False,
        summary="What became of this id? Or: send everything after this number again.",
        example=Query(id=ID, node="box-03"),
    ),
    Channel(
        "ack",
        f"{_DEVICE}/log/ack/set",
        TopicKind.ACK_SET,
        Sender.HUB,
        Ack,
        0,
        retained=False,
        summary="Everything up to this number is committed: you may forget it.",
        example=Ack(epoch=EPOCH, boot=12, seq=8814),
    ),
    Channel(
        "hub",
        f"{{site}}/5/{HUB}/$state",
        TopicKind.STATE,
        Sender.HUB,
        None,
        1,
        retained=True,
        summary="The hub's own presence.",
        example="ready",
        words=_WORDS,
    ),
    Channel(
        "clock",
        f"{{site}}/5/{HUB}/clock/now",
        TopicKind.CLOCK,
        Sender.HUB,
        ClockHint,
        0,
        retained=False,
        summary="The time every 10 s, for devices without a clock: a hint, never a guard.",
        example=ClockHint(now_ms=1_767_225_600_000),
    ),
)


def channel_of(topic: Topic) -> Channel:
    """Return the channel of a topic.

    Raises:
        LookupError: such a topic is nobody's, e.g. a device's word on the hub's branch.
    """
    is_hub = topic.device == HUB
    for channel in CHANNELS:
        if channel.kind is topic.kind and channel.address.startswith(f"{{site}}/5/{HUB}/") == is_hub:
            return channel
    raise LookupError(topic)
