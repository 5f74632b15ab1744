"""Proof that a command comes from the hub: HMAC-SHA-256 with the device's key over topic and all other fields."""

import hashlib
import hmac
import json

from devices.protocol.messages import Command


def sign(key: bytes, topic: str, message: Command) -> Command:
    """Return a copy of the command with its `mac` filled in for this topic."""
    return message.model_copy(update={"mac": _digest(key, topic, message)})


def verify(key: bytes, topic: str, message: Command) -> bool:
    """Tell whether the command was signed with this key for this topic (compared in constant time)."""
    return hmac.compare_digest(message.mac, _digest(key, topic, message))


def canonical(message: Command) -> bytes:
    """Return the bytes that are signed: JSON without `mac`, keys sorted, no spaces, UTF-8."""
    fields = message.model_dump(mode="json", exclude={"mac"})
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed_bytes(topic: str, message: Command) -> bytes:
    """Return what the HMAC goes over: the topic, a zero byte, the canonical fields."""
    return topic.encode() + b"\0" + canonical(message)


def _digest(key: bytes, topic: str, message: Command) -> str:
    return hmac.new(key, signed_bytes(topic, message), hashlib.sha256).hexdigest()
