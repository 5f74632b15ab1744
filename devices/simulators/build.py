"""From a configuration entry to a twin and the device agent's half that drives it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.agent.device import Device
from devices.atm.agent import AtmDevice
from devices.atm.driver_http import HttpConfig, HttpSource
from devices.atm.driver_xfs4iot import Xfs4IotConfig, Xfs4IotSource
from devices.door.agent import DoorDevice, Window
from devices.locker.agent import LockerDevice
from devices.locker.kerong import Cu16
from devices.locker.line import LockLine
from devices.locker.port import TcpPort
from devices.locker.station import Station
from devices.printer.agent import PrinterDevice
from devices.scanner.agent import ScannerDevice
from devices.scanner.driver_tcp import TcpScanner
from devices.simulators import config as configs
from devices.simulators.atm import SimulatedAtm
from devices.simulators.climate import SimulatedProbe
from devices.simulators.door import SimulatedDoor
from devices.simulators.locker import SimulatedBoards
from devices.simulators.mdb_box import SimulatedMdbBox
from devices.simulators.operator_api import OperatorApi
from devices.simulators.printer import SimulatedPrinter
from devices.simulators.scanner import SimulatedScanner
from devices.simulators.terminal import SimulatedTerminal
from devices.simulators.vending import SimulatedMachine
from devices.simulators.world import Schedule, Simulator, StateFile
from devices.simulators.xfs4iot import Xfs4IotService
from devices.terminal.agent import TerminalDevice
from devices.terminal.driver_zvt import ZvtConfig, ZvtTerminal
from devices.thermometer.agent import Limits, ThermometerDevice
from devices.vending.agent import VendingDevice
from devices.vending.cooling import ColdChain
from devices.vending.driver import Slot


@dataclass(frozen=True, slots=True)
class Built:
    """A machine and how to make the agent's half for it: a machine outlives its agent."""

    twin: Simulator
    make_device: Callable[[], Device]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the twins share."""

    folder: Path
    auto_close_s: float
    schedule: Schedule

    def file(self, entry: configs.AnyDevice) -> StateFile:
        """Return where a twin keeps its physical state."""
        return StateFile(self.folder / f"{entry.id}.world.json")


def build(entry: configs.AnyDevice, around: Surroundings) -> Built:
    """Build one machine."""
    match entry:
        case configs.Locker():
            return _locker(entry, around)
        case configs.Vending():
            return _vending(entry, around)
        case configs.Door():
            return _door(entry, around)
        case configs.Terminal():
            return _terminal(entry, around)
        case _:
            return _simple(entry)


def _simple(entry: configs.Atm | configs.Thermometer | configs.Printer | configs.Scanner) -> Built:
    match entry:
        case configs.Atm():
            return _atm(entry)
        case configs.Thermometer():
            probe = SimulatedProbe(entry.milli, phase=sum(entry.id.encode()) / 100)
            limits = Limits(entry.low_milli, entry.high_milli)
            return Built(probe, lambda: ThermometerDevice(probe, limits, interval_s=entry.interval_s))
        case configs.Printer():
            printer = SimulatedPrinter(entry.folder)
            return Built(printer, lambda: PrinterDevice(printer))
        case configs.Scanner():
            scanner = SimulatedScanner(entry.port)
            return Built(scanner, lambda: ScannerDevice(TcpScanner("127.0.0.1", scanner.port)))


def _atm(entry: configs.Atm) -> Built:
    if entry.source == "http":
        api = OperatorApi(SimulatedAtm(), entry.port)
        return Built(api, lambda: AtmDevice(HttpSource(HttpConfig(api.url)), poll_s=entry.poll_s))
    service = Xfs4IotService(SimulatedAtm(), entry.port)
    return Built(service, lambda: AtmDevice(Xfs4IotSource(Xfs4IotConfig(service.url)), poll_s=entry.poll_s))


def _locker(entry: configs.Locker, around: Surroundings) -> Built:
    boards = SimulatedBoards(
        entry.compartments,
        schedule=around.schedule,
        file=around.file(entry),
        auto_close_s=around.auto_close_s,
        pulse_s=entry.pulse_s,
        occupied=entry.occupied,
    )
    pulse_ms = round(entry.pulse_s * 1000)

    def make() -> LockerDevice:
        line = LockLine(TcpPort("127.0.0.1", boards.port), Cu16(), answer_s=entry.answer_s, pulse_ms=pulse_ms)
        station = Station([line], boards.doors())
        return LockerDevice(station, open_within_s=entry.open_within_s, probes=boards.probes())

    return Built(boards, make)


def _vending(entry: configs.Vending, around: Surroundings) -> Built:
    rule = ColdChain(entry.limit_milli, entry.grace_s)
    if entry.driver == "mdb":
        return _mdb(entry, around, rule)
    machine = SimulatedMachine(
        file=around.file(entry),
        slots=entry.slots,
        capacity=entry.capacity,
        first_stock=entry.first_stock,
        motor_s=entry.motor_s,
        chilled=entry.chilled,
    )
    return Built(machine, lambda: VendingDevice(machine, cold_chain=rule))


def _mdb(entry: configs.Vending, around: Surroundings, rule: ColdChain) -> Built:
    # pyserial is an extra, which a village without such a machine does not need
    from devices.vending.driver_mdb import MdbConfig, MdbMachine, Spiral  # noqa: PLC0415

    items = range(1, entry.slots + 1)
    prices = dict.fromkeys(items, "1.50")
    box = SimulatedMdbBox(prices, file=around.file(entry), pieces=entry.first_stock, motor_s=entry.motor_s)
    slots = (Slot(f"slot-{n:02d}", entry.capacity, entry.first_stock, f"slot-{n:02d}" in entry.chilled) for n in items)
    spirals = [Spiral(slot, item) for item, slot in zip(items, slots, strict=True)]
    config = MdbConfig(box.path, spirals, compares_prices=False)
    return Built(box, lambda: VendingDevice(MdbMachine(config), cold_chain=rule, is_chosen_there=True))


def _door(entry: configs.Door, around: Surroundings) -> Built:
    door = SimulatedDoor(schedule=around.schedule, auto_close_s=around.auto_close_s)
    windows = [Window(w.weekday, w.from_minute, w.to_minute) for w in entry.windows]
    return Built(door, lambda: DoorDevice(door, windows=windows, held_open_s=entry.held_open_s))


def _terminal(entry: configs.Terminal, around: Surroundings) -> Built:
    terminal = SimulatedTerminal(
        file=around.file(entry),
        port=entry.port,
        card_after_s=entry.card_after_s,
        process_s=entry.process_s,
        decline_cents=entry.decline_cents,
    )
    zvt = ZvtConfig(host="127.0.0.1", port=terminal.port)
    return Built(terminal, lambda: TerminalDevice(ZvtTerminal(zvt)))
