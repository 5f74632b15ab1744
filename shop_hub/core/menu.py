"""The backoffice's menu and the dashboard's cards: features add theirs when their views are imported.

This module imports no feature and no other part of the backoffice, so that every feature may import it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shop_hub.core.access import Principal, Role


@dataclass(frozen=True, kw_only=True)
class MenuItem:
    """A line of the menu.

    Args:
        label: gettext msgid, marked with `N_`.
        endpoint: Flask endpoint of the page.
        icon: name of a drawing in kiosk/assets/icons.
        role: lowest staff role that sees it.
        sort: place in the menu; 0 is the dashboard, 90 the administration.
        badge: returns how many things wait here, 0 for none.
    """

    label: str
    endpoint: str
    icon: str
    role: Role = Role.VOLUNTEER
    sort: int = 50
    badge: Callable[[Principal], int] | None = None


@dataclass(frozen=True, kw_only=True)
class DashboardCard:
    """A card of the dashboard; its fragment is fetched anew when one of its topics is announced.

    Args:
        key: name in the address of the fragment, lower-case letters and hyphens.
        title: gettext msgid, marked with `N_`.
        template: fragment that shows the data as `data`.
        read: returns the data for a principal; called within the request, must not write.
        topics: live topics (core.events) after which the card is stale.
    """

    key: str
    title: str
    template: str
    read: Callable[[Principal], object]
    topics: tuple[str, ...] = ()
    icon: str = "dashboard"
    endpoint: str | None = None
    role: Role = Role.VOLUNTEER
    sort: int = 50


_items: dict[str, MenuItem] = {}
_cards: dict[str, DashboardCard] = {}


def add(item: MenuItem) -> None:
    """Add a line to the menu, or replace the one with its endpoint."""
    _items[item.endpoint] = item


def add_card(card: DashboardCard) -> None:
    """Add a card to the dashboard, or replace the one with its key."""
    _cards[card.key] = card


def items(asking: Principal) -> list[MenuItem]:
    """Return the lines that the asker may see, sorted."""
    return sorted((item for item in _items.values() if asking.has(item.role)), key=lambda item: (item.sort, item.label))


def cards(asking: Principal) -> list[DashboardCard]:
    """Return the cards that the asker may see, sorted."""
    return sorted((card for card in _cards.values() if asking.has(card.role)), key=lambda card: (card.sort, card.key))


def card(asking: Principal, key: str) -> DashboardCard | None:
    """Return one card if the asker may see it."""
    found = _cards.get(key)
    return found if found is not None and asking.has(found.role) else None
