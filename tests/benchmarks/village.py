"""A made village in a temporary folder, and copies of it for each side of a comparison."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shop_hub.app import create_app
from shop_hub.catalog import queries as catalog
from shop_hub.catalog.models import Unit
from shop_hub.catalog.queries import FoundProduct
from shop_hub.core.settings import Settings
from shop_hub.core.web import ShopHub
from shop_hub.ledger import service as ledger
from shop_hub.people import service as people
from shop_hub.stock import service as stock

ROOT = Path(__file__).resolve().parents[2]
PIECES_MILLI = 100_000_000
LINES = 5
TOP_UPS = 200


@dataclass(frozen=True)
class Village:
    """What the demo wrote down about itself, and the goods that are bought here."""

    folder: Path
    state: dict[str, Any]
    goods: list[str]

    @property
    def member(self) -> dict[str, Any]:
        return self.state["members"][0]

    def copy(self, name: str) -> Path:
        """Return a copy of the village's data of its own."""
        target = self.folder.with_name(name)
        shutil.copytree(self.folder, target)
        return target


@contextmanager
def made() -> Iterator[Village]:
    """Make the demo's village; give one member money and five articles plenty of stock."""
    with tempfile.TemporaryDirectory(prefix="shop-hub-bench-") as temporary:
        folder = Path(temporary) / "village"
        folder.mkdir()
        command = [sys.executable, "-m", "shop_hub.demo.village", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        state = json.loads((folder / "demo.json").read_text())
        hub = create_app(Settings(data=folder, production=False))
        try:
            yield Village(folder, state, _prepare(hub, state))
        finally:
            hub.database.dispose()


def _prepare(hub: ShopHub, state: dict[str, Any]) -> list[str]:
    """Return the codes of five cheap articles without deposit or age limit; there is enough of them from now on."""
    with hub.database.transaction() as session:
        found = [card for card in catalog.search(session, 1, limit=200).items if _is_plain(card)]
        found = sorted(found, key=lambda card: (card.unit_price_cents, card.product_id))[:LINES]
        for card in found:
            lot = stock.NewLot(code="benchmark")
            stock.receive(session, 1, card.product_id, PIECES_MILLI, lot=lot, actor="system")
        member = people.identify_card(session, state["members"][0]["card"]).id
        for number in range(TOP_UPS):
            ref = f"benchmark-{number}"
            ledger.top_up(session, 1, member, ledger.MOST_TOP_UP_CENTS, source="top-up", actor="system", ref=ref)
        codes = catalog.printed_codes(session, [card.product_id for card in found])
    return [codes[card.product_id][0] for card in found]


def _is_plain(card: FoundProduct) -> bool:
    return card.deposit is None and not card.min_age and card.unit == Unit.PIECE
