"""All simulated devices of a site in one process: each a real agent, bound to a twin of its machine."""

from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

from devices.agent.agent import Agent, AgentConfig
from devices.agent.host import Host
from devices.locker.agent import LockerDevice
from devices.simulators import config as configs
from devices.simulators.build import Built, Surroundings, build
from devices.simulators.faults import PLACES, faults_of
from devices.simulators.locker import SimulatedBoards
from devices.simulators.mdb_box import SimulatedMdbBox
from devices.simulators.operator_api import OperatorApi
from devices.simulators.scanner import SimulatedScanner
from devices.simulators.terminal import SimulatedTerminal
from devices.simulators.world import ControlError, Simulator, Verb
from devices.simulators.xfs4iot import Xfs4IotService

_WITH_PORT = SimulatedTerminal | SimulatedScanner | SimulatedBoards | Xfs4IotService | OperatorApi


@dataclass(slots=True)
class Member:
    """One device of the village; `agent` is None while it is switched off."""

    entry: configs.AnyDevice
    built: Built
    agent: Agent | None = None
    places: dict[str, str] = field(default_factory=dict)
    """Its nodes and their types."""
    broken: set[tuple[str, str]] = field(default_factory=set)
    """What somebody broke: fault and place."""


class Village:
    """The machines and their agents; `control` does something to one of them, as a person or a fault would.

    Several villages may share one `host`, then they share its threads too.
    """

    def __init__(self, config: configs.SimulatorConfig, host: Host | None = None) -> None:
        self._config = config
        self.host = host or Host()
        self._owns_host = host is None
        config.folder.mkdir(parents=True, exist_ok=True)
        around = Surroundings(config.folder, config.auto_close_s, self.host.later)
        self._members = {entry.id: Member(entry, build(entry, around)) for entry in config.devices}

    def start(self) -> None:
        """Switch all devices on; they connect by themselves."""
        for member in self._members.values():
            self._switch_on(member)

    def stop(self) -> None:
        """Switch everything off."""
        for member in self._members.values():
            if member.agent is not None:
                self._switch_off(member)
            if isinstance(member.built.twin, _WITH_PORT | SimulatedMdbBox):
                member.built.twin.close()
        if self._owns_host:
            self.host.close()

    def twin(self, device: str) -> Simulator:
        """Return a machine.

        Raises:
            ControlError: no such device.
        """
        return self._find(device).built.twin

    def agent(self, device: str) -> Agent:
        """Return a device's agent.

        Raises:
            ControlError: no such device, or switched off.
        """
        agent = self._find(device).agent
        if agent is None:
            raise ControlError(f"{device} is switched off")
        return agent

    def is_connected(self) -> bool:
        """Tell whether every device that is switched on has reached the broker."""
        return all(member.agent is None or member.agent.connected for member in self._members.values())

    def ports(self) -> dict[str, int]:
        """Return the TCP ports of the machines that have one."""
        twins = {name: member.built.twin for name, member in self._members.items()}
        return {name: t.port for name, t in twins.items() if isinstance(t, _WITH_PORT)}

    def control(self, device: str, verb: str, arguments: dict[str, JsonValue]) -> JsonValue:
        """Do one thing at one device.

        Raises:
            ControlError: no such device or verb, wrong arguments, or not possible now.
        """
        verbs = self._verbs(self._find(device))
        if verb not in verbs:
            raise ControlError(f"{device} cannot {verb!r}; it can: {', '.join(sorted(verbs))}")
        try:
            return verbs[verb](**arguments)
        except (TypeError, ValueError) as error:
            raise ControlError(str(error)) from error

    def verbs(self) -> dict[str, JsonValue]:
        """Return what can be done at each device."""
        return {name: cast("JsonValue", sorted(self._verbs(member))) for name, member in self._members.items()}

    def _verbs(self, member: Member) -> dict[str, Verb]:
        verbs: dict[str, Verb] = {
            **member.built.twin.verbs(),
            "look": member.built.twin.look,
            "break": lambda fault, place="": self._break(member, fault, place, mend=False),
            "mend": lambda fault, place="": self._break(member, fault, place, mend=True),
            "faults": lambda: self._faults(member),
            "switch_on": lambda: self._switch_on(member),
            "switch_off": lambda: self._switch_off(member),
        }
        agent = member.agent
        if agent is not None:
            verbs["cut"] = agent.cut
            verbs["link_cut"] = agent.cut_for_long
            verbs["silence"] = agent.be_silent
            if isinstance(agent.device, LockerDevice):
                verbs["allow_again"] = agent.device.allow_again
        return verbs

    def faults(self) -> dict[str, JsonValue]:
        """Return what can break at each device, and what is broken."""
        return {name: self._faults(member) for name, member in self._members.items()}

    def _faults(self, member: Member) -> JsonValue:
        found: dict[str, JsonValue] = {}
        for name, fault in faults_of(member.entry.kind).items():
            places = [node for node, type_ in member.places.items() if type_ in PLACES.get(fault.place, ())]
            broken = sorted(place for broken, place in member.broken if broken == name)
            found[name] = {"places": [*sorted(places)], "broken": [*broken]}
        return {"kind": member.entry.kind, "name": member.entry.name or member.entry.id, "faults": found}

    def _break(self, member: Member, name: str, place: str, *, mend: bool) -> None:
        fault = faults_of(member.entry.kind).get(name)
        if fault is None:
            raise ControlError(f"no fault {name!r}; there are: {', '.join(faults_of(member.entry.kind))}")
        if bool(place) != bool(fault.place):
            raise ControlError(f"{name}: {'say where' if fault.place else 'it has no place'}")
        where: dict[str, JsonValue] = {fault.place: place} if fault.place else {}
        for verb, arguments in fault.mending if mend else fault.breaking:
            self.control(member.entry.id, verb, where | arguments)
        (member.broken.discard if mend else member.broken.add)((name, place))

    def _switch_on(self, member: Member) -> None:
        if member.agent is not None:
            raise ControlError(f"{member.entry.id} is already on")
        member.agent = Agent(self._agent_config(member.entry), member.built.make_device(), self.host)
        member.agent.start()
        member.places = {node: described.type for node, described in member.agent.device.describe().items()}

    def _switch_off(self, member: Member) -> None:
        if member.agent is None:
            raise ControlError(f"{member.entry.id} is already off")
        member.agent.stop()
        member.agent = None

    def _agent_config(self, entry: configs.AnyDevice) -> AgentConfig:
        config, broker = self._config, self._config.broker
        return AgentConfig(
            site=config.site,
            device=entry.id,
            name=entry.name or entry.id,
            key=bytes.fromhex(entry.key),
            host=broker.host,
            port=broker.port,
            ca_file=broker.ca_file,
            user=entry.user,
            password=entry.password,
            journal=config.folder / f"{entry.id}.journal",
            map_revision=entry.map,
            kiosk=entry.kiosk if isinstance(entry, configs.Printer | configs.Scanner) else "",
            interval_ms=round(entry.interval_s * 1000) if isinstance(entry, configs.Thermometer) else 0,
            maker="simulator",
        )

    def _find(self, device: str) -> Member:
        if device not in self._members:
            raise ControlError(f"no device {device!r}; there are: {', '.join(self._members)}")
        return self._members[device]
