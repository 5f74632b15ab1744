"""The temperature cut-off of a machine with chilled goods: what got warm is not sold until a person has looked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColdChain:
    """Up to how warm chilled goods may be, and how long the machine may stay warmer, e.g. while it is being filled.

    Cut-offs of machines with perishable food trip after 30 minutes above 5 °C (NAMA's machine standard); the limit of
    the goods themselves stands on their label.
    """

    limit_milli: int = 7_000
    grace_s: float = 1800.0


class Cutoff:
    """Watches one thermometer by a clock that never jumps.

    Chilled goods are sold only while a cold reading lies less than the grace time back: a silent thermometer and a
    start after a power cut are no proof of cold. Readings above the limit over the whole grace time spoil the goods:
    that outlives the next cold reading, and a restart.
    """

    def __init__(self, rule: ColdChain, *, now_ms: int, is_spoiled: bool = False) -> None:
        self._rule, self.is_spoiled = rule, is_spoiled
        self._cold_ms: int | None = None
        self._since_ms = now_ms

    def read(self, milli: int, now_ms: int) -> None:
        """Take a reading."""
        if milli <= self._rule.limit_milli:
            self._cold_ms = self._since_ms = now_ms
        elif now_ms - self._since_ms > self._rule.grace_s * 1000:
            self.is_spoiled = True

    def may_sell(self, now_ms: int) -> bool:
        """Tell whether chilled goods may be sold."""
        if self.is_spoiled or self._cold_ms is None:
            return False
        return now_ms - self._cold_ms <= self._rule.grace_s * 1000

    def replace_goods(self, now_ms: int) -> None:
        """Note that a person has taken out what got warm."""
        self.is_spoiled, self._since_ms = False, now_ms
