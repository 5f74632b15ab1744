"""A vending machine's agent over a simulated machine that breaks when told."""

from dataclasses import dataclass, field
from pathlib import Path

from devices.agent.agent import Agent, AgentConfig
from devices.agent.host import Host
from devices.protocol import ids, mac, topics
from devices.protocol.messages import Command, Event, Result, ResultState
from devices.simulators.vending import SimulatedMachine
from devices.simulators.world import StateFile
from devices.vending import agent as vending_agent
from devices.vending.agent import VendingDevice
from devices.vending.cooling import ColdChain
from tests.devices.kit import KEY, eventually

DONE, FAILED, UNKNOWN, REJECTED = ResultState.DONE, ResultState.FAILED, ResultState.UNKNOWN, ResultState.REJECTED
PLACE = ("dorf", "vending")
CHILLED = ("slot-03", "slot-04")


class DeadError(BaseException):
    """The process died here; nothing in it can catch that."""


@dataclass
class Bench:
    """A machine of four slots, and an agent that can be killed and started again over the same files."""

    folder: Path
    chilled: tuple[str, ...] = ()
    rule: ColdChain | None = None
    host: Host = field(default_factory=Host)
    map: int = 0

    def __post_init__(self):
        self.machine = SimulatedMachine(
            file=StateFile(self.folder / "world.json"), slots=4, first_stock=6, motor_s=0, chilled=self.chilled
        )
        self.start()

    def start(self):
        config = AgentConfig(
            site=PLACE[0],
            device=PLACE[1],
            name="Automat",
            key=bytes.fromhex(KEY),
            host="127.0.0.1",
            port=9,
            password="none",
            journal=self.folder / "journal",
        )
        self.device = VendingDevice(self.machine, cold_chain=self.rule)
        self.agent = Agent(config, self.device, self.host)
        self.agent.start()

    def kill(self):
        """End the process without a goodbye: nothing more reaches the disk."""
        self.agent._bus.stop()
        self.host.call(self.agent._close)
        self.machine.close()

    def restart(self):
        self.kill()
        self.start()

    def order(self, slot="slot-01"):
        """Send a vend command as the hub would and return it."""
        return self.ask("vend", slot=slot, order="vend-1")

    def ask(self, op, **args):
        lease = self.agent._leases.renew()
        command = Command(id=ids.new_ulid(), op=op, lease=lease, ttl_ms=2000, map=self.map, gen=1, args=args)
        self.send(command)
        return command

    def send(self, command):
        topic = topics.command_set_topic(*PLACE, "unit")
        payload = mac.sign(bytes.fromhex(KEY), topic, command).encode()
        rules, now = self.agent._rules, vending_agent.boot_ms()
        self.host.call(lambda: rules.handle("unit", topic, payload, retained=False, arrived_ms=now))

    def result(self, command):
        eventually(lambda: self.verdict(command) is not None)
        return self.verdict(command)

    def verdict(self, command):
        found = []
        self.host.call(lambda: found.append(self.agent._journal.find(command.id)))
        return found[0].result if found[0] else None

    def vend(self, slot="slot-01"):
        result = self.result(self.order(slot))
        return result.state, result.code

    def messages(self):
        found = []
        self.host.call(lambda: found.extend(self.agent._journal.messages_after(0, 10_000)))
        return found

    def events(self):
        return [Event.model_validate_json(stored.body) for stored in self.messages() if stored.kind == "event"]

    def results(self):
        return [Result.model_validate_json(stored.body) for stored in self.messages() if stored.kind == "result"]

    def told(self):
        return [(event.type, event.cause, event.data.get("reason", "")) for event in self.events()]

    def value(self, node, name):
        found = []
        self.host.call(lambda: found.append(self.agent._properties.values.get((node, name))))
        return found[0]

    def close(self):
        self.kill()
        self.host.close()


def plan(one, revision, slots):
    """Send a planogram of slots with how often each was counted and its goods replaced (None: an older hub)."""
    rows = {}
    for slot, (fill, replaced) in slots.items():
        rows[slot] = [1, 100, 8, fill, 8] + ([] if replaced is None else [replaced])
    assert one.result(one.ask("plan", revision=revision, slots=rows)).state is DONE
    one.map = revision
