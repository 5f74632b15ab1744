"""All that simulated people do, how often, and doing it."""

from collections.abc import Callable, Iterable

from shop_hub.demo.busy import board, machines, office, parcels, shopping
from shop_hub.demo.busy.world import NotNowError, World

Act = Callable[[World], str]
ACTS: dict[str, tuple[Act, int]] = {
    "buy-from-account": (shopping.buy_from_account, 16),
    "buy-by-card": (shopping.buy_by_card, 12),
    "leave-goods": (shopping.leave_goods, 4),
    "vending": (shopping.buy_from_vending_machine, 8),
    "door": (shopping.come_in, 10),
    "announce": (parcels.announce, 7),
    "deliver": (parcels.deliver, 10),
    "collect": (parcels.collect, 10),
    "write-notice": (board.write_notice, 2),
    "approve-notice": (office.approve_notice, 3),
    "take-notice-down": (board.take_notice_down, 1),
    "top-up": (office.top_up, 5),
    "receive-goods": (office.receive_goods, 4),
    "refill-vending": (office.refill_vending_machine, 3),
    "count-stock": (office.count_stock, 2),
    "disturb-cash-machine": (machines.disturb_cash_machine, 1),
    "repair-cash-machine": (machines.repair_cash_machine, 4),
}
"""What can be done, and its weight: how often among all acts together."""
TRIES = 4


def choose(world: World) -> str:
    """Return the name of some act."""
    names = list(ACTS)
    return world.random.choices(names, [ACTS[name][1] for name in names])[0]


def perform(world: World, name: str) -> str:
    """Do one act and return a sentence about it.

    Raises:
        NotNowError: life does not allow it at the moment.
        NotThereError, RefusedError, ControlError: a page or machine is not as people know it.
        OSError: hub or machines do not answer.
    """
    world.finish()
    return ACTS[name][0](world)


def run_acts(world: World, names: Iterable[str]) -> dict[str, str]:
    """Do each act until it has succeeded once; what life forbids is tried again with someone else.

    Raises:
        NotNowError: it did not succeed in four tries; or as in `perform`.
    """
    return {name: _insist(world, name) for name in names}


def _insist(world: World, name: str) -> str:
    for _ in range(TRIES - 1):
        try:
            return perform(world, name)
        except NotNowError:
            continue
    return perform(world, name)
