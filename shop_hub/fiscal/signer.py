"""The place of the technical security device (TSE, KassenSichV): signing starts before a sale is booked, ends with it.

Nothing is signed until a device is configured: the null signer answers at once and says so on the receipt's record.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Signing:
    """What is to be signed: gross sums per VAT rate in permille, and how they were paid; all in cents."""

    sale_id: str
    gross_by_rate: dict[int, int]
    paid_by: str
    is_reversal: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes onto the receipt. An unsigned sale has no data."""

    is_signed: bool
    data: dict[str, Any] = field(default_factory=dict)


class FiscalSigner(Protocol):
    """A security device. It must never be called while a database transaction waits for it (architecture.md 3)."""

    def finish(self, signing: Signing) -> Signature:
        """Close a record and return its signature."""

    def abort(self, sale_id: str) -> None:
        """Close a record that led to no sale (AVBelegabbruch)."""


class NullSigner:
    """No security device: every sale stays unsigned."""

    def finish(self, signing: Signing) -> Signature:  # noqa: ARG002 - the protocol's signature
        """Return an empty signature."""
        return Signature(is_signed=False)

    def abort(self, sale_id: str) -> None:
        """Do nothing."""


_signer: FiscalSigner = NullSigner()


def current() -> FiscalSigner:
    """Return the signer of this hub."""
    return _signer


def use(signer: FiscalSigner) -> None:
    """Set the signer of this hub; once, at start."""
    global _signer  # noqa: PLW0603 - one security device per hub
    _signer = signer
