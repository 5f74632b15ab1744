"""Watches a cash machine and publishes its state: at once when it changes, and often enough not to look stale."""

from typing import ClassVar

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.agent.clock import boot_ms
from devices.agent.device import Device, NoAnswerError
from devices.atm import status
from devices.atm.driver import AtmSource
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.limits import ATM_STALE_MS

NODE = "atm"
PROPERTY = "status"
_SIGN_OF_LIFE_MS = ATM_STALE_MS // 4
_STALE_AFTER_S = ATM_STALE_MS // 1000
_SILENT_IN_A_ROW = 3


class AtmDevice(Device):
    """Takes no commands: the bank owns the machine."""

    kind: ClassVar[str] = "atm"
    actuates: ClassVar[bool] = False

    def __init__(self, source: AtmSource, *, poll_s: float = 1.0) -> None:
        self._source, self._poll_s = source, poll_s
        self._model: dict[str, JsonValue] = {}
        self._since: int | None = None
        self._told_ms = 0
        self._silent = 0
        self._reading = False

    def describe(self) -> dict[str, NodeDescription]:
        """Return the one node; `status` is for operators, the hub derives what the public may see."""
        properties = {PROPERTY: PropertyDescription(datatype="json")}
        return {NODE: NodeDescription(name=NODE, type="atm", properties=properties)}

    def start(self, agent: Agent) -> None:
        """Look now and then every `poll_s` seconds."""
        self._agent = agent
        agent.host.post(self._ask)
        agent.every(self._poll_s, self._ask)

    def stop(self) -> None:
        """Hang up."""
        self._source.close()

    def _ask(self) -> None:
        if not self._reading:
            self._reading = True
            self._agent.host.run_by_hand(self._read)

    def _read(self) -> None:
        try:
            reading = self._source.read()
        except NoAnswerError:
            self._silent += 1
            if self._silent >= _SILENT_IN_A_ROW:
                self._take(status.unknown(source=self._source.name, stale_after_s=_STALE_AFTER_S))
        else:
            self._silent = 0
            self._take(status.model(reading, source=self._source.name, stale_after_s=_STALE_AFTER_S))
        finally:
            self._reading = False

    def _take(self, model: dict[str, JsonValue]) -> None:
        changed = model != self._model
        if not changed and boot_ms() - self._told_ms < _SIGN_OF_LIFE_MS:
            return
        now_ms = self._agent.wall_ms()
        if model["service"] != self._model.get("service"):
            self._since = now_ms
            if self._model:
                self._agent.event(NODE, "status-changed", service=model["service"])
        self._model, self._told_ms = model, boot_ms()
        self._agent.refresh(NODE, PROPERTY, model | {"since": self._since, "observed_at": now_ms})
