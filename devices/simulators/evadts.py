"""An EVA-DTS audit file as a machine's controller writes it. It shares nothing with the hub's reader."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Counter:
    """What a controller counts for one selection since it was built, and since the last reading (`*_reset`)."""

    price_cents: int
    cash: int = 0
    cashless: int = 0
    free: int = 0
    cash_reset: int = 0
    cashless_reset: int = 0

    @property
    def paid(self) -> int:
        """Paid pieces since it was built."""
        return self.cash + self.cashless


def write(counters: Iterable[tuple[str, Counter]], *, serial: str, moment: str) -> bytes:
    """Return the file. `moment` is `YYYYMMDD*HHMM`, as the machine's clock has it."""
    rows = list(counters)
    paid = sum(counter.paid for _name, counter in rows)
    value = sum(counter.paid * counter.price_cents for _name, counter in rows)
    cash = sum(counter.cash for _name, counter in rows)
    cash_value = sum(counter.cash * counter.price_cents for _name, counter in rows)
    body = [
        "ST*001*0001",
        f"ID1*{serial}*SPIRAL30*0100",
        "ID4*2*1978*EUR",
        f"ID5*{moment}",
        f"VA1*{value}*{paid}*{value}*{paid}",
        f"CA2*{cash_value}*{cash}*{cash_value}*{cash}",
        f"DA2*{value - cash_value}*{paid - cash}*{value - cash_value}*{paid - cash}",
    ]
    for name, counter in rows:
        body += _selection(name, counter)
    text = "".join(line + "\r\n" for line in body)
    crc = _crc(text.encode("latin-1"))
    end = f"G85*{crc:04X}\r\nSE*{len(body) + 2}*0001\r\nDXE*1*1\r\n"
    return (f"DXS*SIM{serial[:7]}*VA*V0/6*1\r\n" + text + end).encode("latin-1")


def _selection(name: str, counter: Counter) -> list[str]:
    price, since = counter.price_cents, counter.cash_reset + counter.cashless_reset
    return [
        f"PA1*{name}*{price}",
        f"PA2*{counter.paid}*{counter.paid * price}*{since}*{since * price}",
        f"PA4*{counter.free}*0*{counter.free}*0",
        f"PA7*{name}*CA*1*{price}*{counter.cash}*{counter.cash * price}",
        f"PA7*{name}*DA*1*{price}*{counter.cashless}*{counter.cashless * price}",
    ]


def _crc(data: bytes) -> int:
    """CRC-16/ARC, bit by bit: reflected polynomial A001, begun with 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc
