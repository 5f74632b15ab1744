"""The saga of a vend under crashes: whatever dies where, the customer pays exactly for what has dropped."""

import random
from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from shop_hub.core import clock
from shop_hub.core.errors import ShopError
from shop_hub.fleet.models import CommandState, Link
from shop_hub.vending.models import VendState
from tests.vending.world import CrashError, Village, dying_at

DONE, FAILED, UNKNOWN, EXPIRED = (
    CommandState.DONE,
    CommandState.FAILED,
    CommandState.UNKNOWN,
    CommandState.EXPIRED,
)
EVERY = 4
"""Each fourth statement is tried: a crash before any statement of a transaction leaves the same, nothing."""
MOST_STATEMENTS = 400


def buy(village: Village, *, by_card: bool) -> None:
    village.buy(2, by_card=by_card)


def approve(village: Village) -> None:
    village.approve()


def answer(village: Village, state: CommandState, code: str = "") -> None:
    village.result(village.command(), state, code)


def give_back(village: Village) -> None:
    village.answer(CommandState.DONE, op="reverse", outcome="reversed")


SCENARIOS = {
    "account-drop": [lambda v: buy(v, by_card=False), lambda v: answer(v, DONE)],
    "account-jam": [lambda v: buy(v, by_card=False), lambda v: answer(v, FAILED, "jam")],
    "account-lost": [
        lambda v: buy(v, by_card=False),
        lambda v: answer(v, UNKNOWN),
        lambda v: v.jobs(62),
    ],
    "card-drop": [lambda v: buy(v, by_card=True), approve, lambda v: answer(v, DONE)],
    "card-jam": [lambda v: buy(v, by_card=True), approve, lambda v: answer(v, FAILED, "jam"), give_back],
}
DROPS = {"account-drop", "card-drop"}


def survive(village: Village, step, statement: int) -> bool:
    """Run a step that dies at a statement, then again as a restarted hub would; tell whether it died."""
    try:
        with dying_at(village.database, statement):
            step(village)
    except CrashError:
        village.jobs()
        with suppress(ShopError):  # a job may have done the step's work already
            step(village)
        return True
    return False


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_in_the_middle_of_any_step_changes_no_end(sqlite_database, name, monkeypatch):
    from shop_hub.checkout.service import saga
    from shop_hub.vending import service
    from tests.conftest import make_site

    monkeypatch.setattr(saga, "_on_paid", [service.dispense])
    village = Village(sqlite_database, make_site(sqlite_database))
    dropped: set[int] = set()
    crashes = 0
    for number in range(len(SCENARIOS[name])):
        for statement in count(1, EVERY):
            died = False
            for index, step in enumerate(SCENARIOS[name]):
                if index == number:
                    died = survive(village, step, statement)
                else:
                    step(village)
            newest = max(village.vend_ids())
            if name in DROPS:
                dropped.add(newest)
            tidy(village)
            village.check(dropped)
            crashes += died
            if not died:
                break
            assert statement < MOST_STATEMENTS
    assert crashes > 0


def tidy(village: Village) -> None:
    """Fill the slot anew and give the member the money back, so that the next round starts alike."""
    village.jobs(200)
    village.restock(2)


@pytest.mark.parametrize("seed", range(25))
def test_random_histories_with_crashes_keep_paid_and_dropped_equal(sqlite_database, seed, monkeypatch):
    from shop_hub.checkout.service import saga
    from shop_hub.vending import service
    from tests.conftest import make_site

    monkeypatch.setattr(saga, "_on_paid", [service.dispense])
    village = Village(sqlite_database, make_site(sqlite_database))
    story = Story(village, random.Random(seed))  # noqa: S311 - a repeatable history
    story.tell(steps=40)


class Story:
    """Customers, motors and deaths in random order; the real world (`dropped`) is kept beside the books."""

    def __init__(self, village: Village, chance: random.Random) -> None:
        self.village, self.chance = village, chance
        self.dropped: set[int] = set()
        self.turned: set[str] = set()
        self.now = 0

    def tell(self, steps: int) -> None:
        moves = [self.buy, self.pay, self.turn, self.wait, self.flicker, self.refill]
        for _ in range(steps):
            (move,) = self.chance.choices(moves, weights=(6, 5, 6, 2, 1, 2))
            self.maybe_dying(move)
        self.end()

    def maybe_dying(self, move) -> None:
        statement = self.chance.choice((0, 0, self.chance.randint(1, 60)))
        self.now += 3
        with (
            clock.shifted(timedelta(seconds=self.now)),
            suppress(CrashError, ShopError),
            dying_at(self.village.database, statement),
        ):
            move()

    def buy(self) -> None:
        number = self.chance.choice((1, 2, 3))
        self.village.buy(number, by_card=self.chance.random() < 0.5)

    def pay(self) -> None:
        command = self.village.open_terminal_command()
        if command is None:
            return
        if command.op == "charge":
            outcomes = [(DONE, "approved"), (FAILED, "declined"), (UNKNOWN, "")]
            state, outcome = self.chance.choice(outcomes)
            self.village.answer(state, "" if state is DONE else "declined", outcome=outcome)
        else:
            self.village.answer(DONE, op=command.op, outcome="reversed")

    def turn(self) -> None:
        """The motor turns at most once per command; what it says may come twice, late or never."""
        command = self.village.command()
        if command is None:
            return
        vend_id = int(command.args["order"].removeprefix("vend-"))
        if command.ulid not in self.turned:
            self.turned.add(command.ulid)
            if self.chance.random() < 0.6:
                self.dropped.add(vend_id)
        if self.chance.random() < 0.15:
            self.village.result(command, UNKNOWN, "no_answer")
            return
        if vend_id in self.dropped:
            if self.chance.random() < 0.5:
                self.village.tell(command.args["slot"], "vended", cause=command.ulid)
            self.village.result(command, DONE)
        else:
            self.village.result(command, FAILED, "jam")

    def wait(self) -> None:
        seconds = self.chance.choice((2, 10, 65, 200))
        self.now += seconds
        self.village.jobs(seconds)

    def flicker(self) -> None:
        self.village.set_machine_link(self.chance.choice((Link.OFFLINE, Link.READY, Link.READY, Link.READY)))

    def refill(self) -> None:
        self.village.restock(self.chance.choice((1, 2, 3)))

    def end(self) -> None:
        """Let everything come back, every question be answered and all patience pass."""
        self.village.set_machine_link(Link.READY)
        for _ in range(12):
            command = self.village.command()
            if command is not None:
                self.turn()
            terminal = self.village.open_terminal_command()
            if terminal is not None:
                outcome = "declined" if terminal.op == "charge" else "reversed"
                state = FAILED if terminal.op == "charge" else DONE
                self.village.answer(state, "declined" if terminal.op == "charge" else "", outcome=outcome)
            self.now += 200
            self.village.jobs(self.now)
        assert set(self.village.states()) <= {
            VendState.DROPPED,
            VendState.FAILED,
            VendState.LOST,
            VendState.CANCELLED,
        }
        self.village.check(self.dropped)
