"""What the simulated people know: each other, the goods, where the machines are, and how to sign in."""

import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.simulators.control import ControlClient
from shop_hub.demo import files, tables
from shop_hub.demo.browser import TIMEOUT_S, Browser, Page, RefusedError

LOOK_AGAIN_S = 0.5
LONGEST_WAIT_S = 45.0
NOT_KNOWN = frozenset({403, 404})
"""Status of a wrong PIN and of an unknown card."""


class NotNowError(Exception):
    """Life does not allow an act at the moment; the text says why."""


@dataclass(frozen=True)
class Villager:
    """Somebody with a member card."""

    name: str
    address: str
    card: str
    pin: str


@dataclass(frozen=True)
class Courier:
    """Somebody with a badge; `carrier` is the carrier's code."""

    name: str
    carrier: str
    badge: str


@dataclass(frozen=True)
class Article:
    """Something on a shelf. `days` is how long a fresh piece keeps, `date_kind` which date is printed on it."""

    gtin: str
    name: str
    days: int | None
    date_kind: str


class World:
    """A running village, seen by its people. All of them share one kiosk, one after the other."""

    def __init__(self, data: Path, base_url: str, control_port: int, *, seed: int | None = None) -> None:
        state = files.read(data / files.STATE)
        self.random = random.Random(seed)  # noqa: S311 - people's whims are no secret
        self.kiosk = Browser(base_url)
        self._base, self._control_port = base_url, control_port
        self._control: ControlClient | None = None
        self._tokens: dict[str, str] = state["tokens"]
        self._logins: list[dict[str, str]] = state["logins"]
        self._offices: dict[str, Browser] = {}
        self.couriers = [Courier(row["name"], row["carrier"], row["badge"]) for row in state["couriers"]]
        self.villagers = _villagers(state["members"])
        self.articles = _articles()
        self.carriers = {row["name"]: row["code"] for row in tables.rows("carriers")}
        self.short_of_money: list[Villager] = []
        """Who could not pay from the village account lately."""

    def anyone(self) -> Villager:
        """Return some villager."""
        return self.random.choice(self.villagers)

    def identify(self, page: Page, part: str, who: Villager, **shown: str) -> Page:
        """Show a card or type a PIN into a form of the kiosk.

        Who is not known any more stays away from then on: further tries would lock the kiosk for the others.

        Raises:
            NotThereError, RefusedError, OSError: as in `Browser.submit`.
        """
        try:
            return self.kiosk.submit(page.form(part), **shown)
        except RefusedError as refusal:
            if refusal.page.status in NOT_KNOWN and who in self.villagers:
                self.villagers.remove(who)
            raise

    def finish(self) -> None:
        """Touch "Finish" at the kiosk, so that the next person finds it as if new."""
        page = self.kiosk.go("/kiosk/")
        self.kiosk.submit(page.form("/kiosk/reset"))

    def wait(self, page: Page, until: Callable[[Page], object] | None = None) -> Page:
        """Look at the kiosk's page again and again until it stops waiting, or until it is as wanted.

        Raises:
            NotNowError: it still is not after 45 seconds.
        """
        is_over = until or (lambda shown: not shown.is_waiting)
        deadline = time.monotonic() + LONGEST_WAIT_S
        while not is_over(page):
            if time.monotonic() > deadline:
                raise NotNowError(f"lost patience before {page.address} ({page.words})")
            time.sleep(LOOK_AGAIN_S)
            page = self.kiosk.go(page.address)
        return page

    def office(self, role: str = "operator") -> Browser:
        """Return the browser of somebody in the office who is signed in."""
        office = self._offices.setdefault(role, Browser(self._base))
        page = office.go("/office/")
        if page.forms_to("/office/login"):
            login = next(row for row in self._logins if row["role"] == role)
            office.submit(page.form("/office/login"), user_name=login["user"], password=login["password"])
        return office

    def machine(self, device: str, verb: str, **arguments: Any) -> Any:
        """Do something at a machine, or look at it.

        Raises:
            ControlError: not possible; the text says why.
            OSError: the machines are gone.
        """
        if self._control is None:
            self._control = ControlClient(self._control_port)
        try:
            return self._control.do(device, verb, **arguments)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up at the machines; the next act connects again."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def post(self, path: str, body: dict[str, Any], *, token: str) -> dict[str, Any]:
        """Send something to the API and return its answer.

        Raises:
            RefusedError: an error status.
            OSError: the hub does not answer.
        """
        request = urllib.request.Request(  # noqa: S310 - our own hub
            f"{self._base}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._tokens[token]}",
                "Content-Type": "application/json",
                "Idempotency-Key": str(uuid.uuid4()),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
                content: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(Page(path, error.code, error.read().decode())) from error
        return content


def _villagers(members: list[dict[str, str]]) -> list[Villager]:
    addresses = {
        f"{row['first_name']} {row['last_name']}": f"{row['street']} {row['house_number']}"
        for row in tables.rows("villagers")
    }
    return [Villager(row["name"], addresses[row["name"]], row["card"], row["pin"]) for row in members]


def _articles() -> list[Article]:
    return [
        Article(row["gtin"], row["name"], tables.number(row["best_before_days"]), row["date_kind"] or "best_before")
        for row in tables.rows("products")
    ]
