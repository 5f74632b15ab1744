"""What a slip-printer driver must offer."""

from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field


class PrinterState(StrEnum):
    """What the printer's sensors say."""

    OK = "ok"
    PAPER_OUT = "paper-out"
    COVER_OPEN = "cover-open"
    OFFLINE = "offline"


class Slip(BaseModel):
    """What is printed: a title, lines of text, and at the end a QR code with `qr` as content, if given."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    title: str = Field(default="", max_length=60)
    lines: list[str] = Field(default_factory=list, max_length=60)
    qr: str = Field(default="", max_length=512)


class SlipPrinter(Protocol):
    """A printer with a cutter."""

    def state(self) -> PrinterState:
        """Return what the sensors say; OFFLINE when it does not answer."""

    def print(self, slip: Slip) -> PrinterState:
        """Print and cut one slip; return OK, or why it could not be printed.

        Raises:
            NoAnswerError: it stopped answering: the slip may be printed, in part or not at all.
        """
