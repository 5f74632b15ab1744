"""A machine of six slots in a village shop; the test plays the motors, the drop sensor and the customers."""

from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import event, select

from shop_hub.checkout.models import Sale, SaleState
from shop_hub.checkout.service import recover
from shop_hub.core import clock, verify
from shop_hub.fleet import settle
from shop_hub.fleet.models import UNRESOLVED, Device, DeviceCommand, DeviceKind
from shop_hub.payments import service as payments
from shop_hub.stock import queries as stock_queries
from shop_hub.stock import service as stock
from shop_hub.vending import checks, listeners, planogram, queries, service
from shop_hub.vending.models import SlotState, Vend, VendingSlot, VendState
from shop_hub.vending.planogram import NewSlot
from tests import machines
from tests.checkout.shop import BREAD, CHECKS, COLA, MILK, Shop


class CrashError(BaseException):
    """The process died here; nothing in it can catch that."""


class Village(Shop):
    """Slots 1 to 3 hold milk, cola and bread, three pieces each; slots 4 to 6 are empty."""

    def __post_init__(self):
        super().__post_init__()
        listeners.register(self.dispatcher)
        with self.session() as session:
            device = machines.connect_device(
                session, self.site.id, DeviceKind.VENDING, "automat", epoch="0123456789abcdef", boot=1
            )
            self.device_id = device.id
            new = [NewSlot(number=n, capacity=8) for n in range(1, 7)]
            machine = planogram.add_machine(session, self.site.id, "Automat", device.id, new, actor="operator:1")
            self.machine_id = machine.public_id
            slots = session.scalars(select(VendingSlot).order_by(VendingSlot.number)).all()
            self.slots = {slot.number: slot.public_id for slot in slots}
            for number, product in ((1, MILK), (2, COLA), (3, BREAD)):
                planogram.assign(session, self.site.id, self.slots[number], self.products[product], actor="operator:1")
        with self.session() as session:
            counts = {self.slots[number]: 3 for number in (1, 2, 3)}
            planogram.refill(session, self.site.id, counts, actor="operator:1")

    # customers

    def buy(self, number, *, by_card=False):
        with self.session() as session:
            return service.buy(
                session,
                self.site.id,
                self.slots[number],
                kiosk_id=self.kiosk_id,
                member=None if by_card else self.member(session),
                terminal_id=self.terminal_id if by_card else None,
            )

    # the machine

    def command(self):
        with self.database.reading() as session:
            return session.scalars(
                select(DeviceCommand).where(
                    DeviceCommand.device_id == self.device_id, DeviceCommand.state.in_(UNRESOLVED)
                )
            ).one_or_none()

    def open_terminal_command(self):
        with self.database.reading() as session:
            return session.scalars(
                select(DeviceCommand).where(
                    DeviceCommand.device_id == self.terminal_id, DeviceCommand.state.in_(UNRESOLVED)
                )
            ).one_or_none()

    def result(self, command, state, code=""):
        """Play the machine's final answer, as fleet records it; a repeated one is ignored there."""
        with self.session() as session:
            found = session.scalars(select(DeviceCommand).where(DeviceCommand.ulid == command.ulid)).one()
            settle.conclude(session, self.dispatcher, found, state, code=code, result={})

    def tell(self, node, word, *, cause="", **data):
        with self.session() as session:
            device = session.get(Device, self.device_id)
            machines.send_event(session, self.dispatcher, device, node, word, cause=cause, **data)

    def publish(self, path, value):
        with self.session() as session:
            machines.set_property(session, self.dispatcher, session.get(Device, self.device_id), path, value)

    def set_machine_link(self, link):
        with self.session() as session:
            session.get(Device, self.device_id).link = link

    def jobs(self, seconds=0):
        """Let all jobs run, `seconds` from now."""
        with clock.shifted(timedelta(seconds=seconds)):
            for job in (payments.recover, recover, service.watch):
                with self.session() as session:
                    job(session)

    # what is true

    def vend_ids(self):
        with self.database.reading() as session:
            return list(session.scalars(select(Vend.id)))

    def restock(self, number):
        """Fill a slot to three pieces and take every flag away."""
        with self.session() as session:
            planogram.switch(session, self.site.id, self.slots[number], sells=True, actor="operator:1")
            planogram.refill(session, self.site.id, {self.slots[number]: 3}, actor="operator:1")

    def slot(self, number):
        with self.database.reading() as session:
            return queries.slot(session, self.site.id, self.slots[number])

    def vend(self, vend):
        with self.database.reading() as session:
            return session.get(Vend, vend.id)

    def phase(self, vend):
        with self.database.reading() as session:
            return queries.progress(session, self.site.id, vend.public_id).phase

    def on_shelf(self, product):
        with self.database.reading() as session:
            return stock_queries.location_level(session, stock.shelf(session, self.site.id), self.products[product])

    def states(self):
        with self.database.reading() as session:
            return [vend.state for vend in session.scalars(select(Vend).order_by(Vend.id))]

    def sales(self):
        with self.database.reading() as session:
            return [(sale.state, sale.total_cents) for sale in session.scalars(select(Sale).order_by(Sale.id))]

    def deviations(self):
        with self.database.reading() as session:
            return verify.run(session, (*CHECKS, *checks.CHECKS))

    def check(self, dropped):
        """Check after all has come to its end: paid is what is known to have dropped, and nothing else.

        `dropped` are the ids of vends whose piece has left the machine. A vend that was given up costs nothing,
        whether its piece has dropped or not.
        """
        with self.database.reading() as session:
            vends = {
                vend.id: (vend.state, sale.state)
                for vend, sale in session.execute(select(Vend, Sale).join(Sale, Sale.id == Vend.sale_id))
            }
            paid = {vend_id for vend_id, (_state, sale) in vends.items() if sale is SaleState.DONE}
            lost = {vend_id for vend_id, (state, _sale) in vends.items() if state is VendState.LOST}
            captured = sum(sale.total_cents for sale in session.scalars(select(Sale).where(Sale.state == "done")))
            total = sum(session.get(Sale, session.get(Vend, vend_id).sale_id).total_cents for vend_id in dropped - lost)
        assert {sale for _vend, sale in vends.values()} <= {SaleState.DONE, SaleState.VOID}
        assert paid == dropped - lost
        assert captured == total
        assert self.balance("held") == 0
        assert 10_000 - self.balance() - self.balance("card-clearing") == captured
        assert self.deviations() == []
        return lost


@contextmanager
def dying_at(database, statement):
    """Let the process die right before its `statement`-th statement, counted from 1; 0 never."""
    left = statement

    def count(*_args):
        nonlocal left
        left -= 1
        if left == 0:
            raise CrashError

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", count)


def is_sellable(slot):
    """Return what decides in tests whether a slot sells."""
    return slot.is_for_sale, slot.state is SlotState.OK
