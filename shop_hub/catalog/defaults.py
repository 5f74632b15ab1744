"""What a new shop starts with: VAT rates, deposits, groups of goods, the layout of scale labels."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from shop_hub.catalog import queries, service
from shop_hub.catalog.models import DepositKind, VatClass

FILE = Path(__file__).with_name("defaults.toml")
SINCE = datetime(2021, 1, 1, tzinfo=UTC)
STEP = 10


def install(session: Session) -> None:
    """Enter what `defaults.toml` names, unless the shop has groups of goods already."""
    if queries.groups(session):
        return
    values = tomllib.loads(FILE.read_text(encoding="utf-8"))
    for vat_class, permille in values["vat"].items():
        service.put_vat_rate(session, VatClass(vat_class), permille, valid_from=SINCE)
    for key, row in values["deposits"].items():
        kind = DepositKind(row["kind"])
        service.put_deposit_type(session, key, row["name"], kind=kind, cents=row["cents"], valid_from=SINCE)
    for name, pattern in values["templates"].items():
        service.put_template(session, name, pattern)
    for number, (key, (name, name_en, symbol)) in enumerate(values["groups"].items(), 1):
        service.put_group(session, key, name, name_en=name_en, symbol=symbol, sort=number * STEP)
