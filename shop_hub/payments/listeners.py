"""MQTT edge of payments: the terminals' answers."""

from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.payments import service
from shop_hub.payments.answers import CHARGE, REVERSE, STATUS


def register(dispatcher: Dispatcher) -> None:
    """Have every final answer of a terminal recorded."""
    for op in (CHARGE, STATUS, REVERSE):
        dispatcher.on_result(op, service.record)
