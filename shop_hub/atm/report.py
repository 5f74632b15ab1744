"""From a machine's report to what the public may see (money-and-machines.md section 4, "ATM model").

The public sees service, whether it pays out, and since when; never counts, levels or exchange times (robbery risk).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shop_hub.atm.models import Service, Withdrawal

_BROKEN = frozenset({"fraudAttempt", "hardwareError", "offline", "powerOff", "noDevice"})
_WITHDRAWAL = {
    "ok": Withdrawal.OK,
    "low": Withdrawal.LOW,
    "empty": Withdrawal.NONE,
    "inoperative": Withdrawal.NONE,
}
_LATEST_MS = 4_102_444_800_000  # the year 2100


class Cash(BaseModel):
    """Whether notes come out and go in."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    withdrawal: Literal["ok", "low", "empty", "inoperative", "unknown"] = "unknown"
    deposit: Literal["ok", "high", "full", "inoperative", "unknown"] = "unknown"


class Unit(BaseModel):
    """One cassette; for operators only."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: str = Field(max_length=40)
    currency: str = Field(default="EUR", max_length=3)
    denomination_bucket: str = Field(default="", max_length=40)
    replenishment: str = Field(default="", max_length=20, alias="replenishmentStatus")
    status: str = Field(default="", max_length=20)


class Report(BaseModel):
    """One status of a machine as its agent tells it; `device` in words of XFS4IoT."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    service: Literal["inService", "outOfService", "supervisor", "unknown"]
    device: str = Field(default="online", max_length=40)
    cash: Cash = Cash()
    reason: str = Field(default="", max_length=200)
    source: str = Field(default="", max_length=40)
    stale_after_s: int | None = Field(default=None, ge=5, le=604_800)
    since: int | None = Field(default=None, ge=0, le=_LATEST_MS)
    observed_at: int | None = Field(default=None, ge=0, le=_LATEST_MS)
    units: tuple[Unit, ...] = Field(default=(), max_length=20)

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Return the report in a property's value, or None for anything else."""
        try:
            return cls.model_validate(value)
        except ValidationError:
            return None

    @property
    def observed(self) -> datetime | None:
        """When the agent looked, by its own clock: a hint."""
        return _moment(self.observed_at)

    @property
    def service_since(self) -> datetime | None:
        """Since when the agent has seen the same `service` without a gap, by its own clock: a hint."""
        return _moment(self.since)


@dataclass(frozen=True)
class Public:
    """What the public is told. `withdrawal` is None unless the machine is in service and knows."""

    service: Service
    withdrawal: Withdrawal | None = None


UNKNOWN = Public(Service.UNKNOWN)


def derive(report: Report | None, *, is_fresh: bool) -> Public:
    """Return the public state; the order of the rules matters: doubt first, then maintenance, then faults."""
    if report is None or not is_fresh or report.service == "unknown":
        return UNKNOWN
    if report.service == "supervisor":
        return Public(Service.MAINTENANCE)
    if report.service == "outOfService" or report.device in _BROKEN:
        return Public(Service.OUT_OF_SERVICE)
    return Public(Service.IN_SERVICE, _WITHDRAWAL.get(report.cash.withdrawal))


def stored(report: Report) -> dict[str, Any]:
    """Return the report as it is kept."""
    return report.model_dump(mode="json", by_alias=True, exclude={"observed_at"})


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
