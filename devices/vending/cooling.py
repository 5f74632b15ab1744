"""The temperature cut-off of a machine with chilled goods: what got warm is not sold until a person has looked."""

from collections.abc import Iterable, Mapping
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
    start after a power cut are no proof of cold. Readings above the limit over the whole grace time spoil what lies in
    a slot: that outlives the next cold reading, and a restart, until a person has replaced the goods of this slot. Nor
    does a restart forget how long they were warm: without proof of cold one reading above the limit spoils them.
    """

    def __init__(
        self, rule: ColdChain, chilled: Iterable[str], *, good_until: Mapping[str, int], spoiled: Iterable[str] = ()
    ) -> None:
        self._rule = rule
        self._cold_ms: int | None = None
        self._good_until = {slot: good_until.get(slot) for slot in chilled}
        self.spoiled = set(spoiled) & set(self._good_until)

    @property
    def good_until(self) -> dict[str, int]:
        """When the goods of a slot were last known to be good; slots of which nobody knows are left out."""
        return {slot: good_ms for slot, good_ms in self._good_until.items() if good_ms is not None}

    def read(self, milli: int, now_ms: int) -> None:
        """Take a reading."""
        if self.is_cold(milli):
            self._cold_ms = now_ms
            self._good_until = dict.fromkeys(self._good_until, now_ms)
        else:
            grace_ms = self._rule.grace_s * 1000
            self.spoiled |= {
                slot for slot, good_ms in self._good_until.items() if good_ms is None or now_ms - good_ms > grace_ms
            }

    def is_cold(self, milli: int) -> bool:
        """Tell whether a temperature keeps the limit."""
        return milli <= self._rule.limit_milli

    def is_warm(self, slot: str, now_ms: int) -> bool:
        """Tell whether a slot must not be sold from."""
        if slot not in self._good_until:
            return False
        return slot in self.spoiled or self._cold_ms is None or now_ms - self._cold_ms > self._rule.grace_s * 1000

    def replace_goods(self, slot: str, now_ms: int) -> None:
        """Note that a person has put fresh goods into a slot."""
        if slot in self._good_until:
            self.spoiled.discard(slot)
            self._good_until[slot] = now_ms
