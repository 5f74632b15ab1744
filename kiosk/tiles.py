"""The tiles of the home view. Each kiosk module adds its own: tiles.add(Tile(...)), and tells one live fact."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

Fact = Callable[[Session, int], str]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One tile.

    Attributes:
        order: 10 is first; the two strong ones come first.
        title: gettext message id.
        icon: name of a symbol in assets/icons.
        endpoint: view that the tile opens.
        fact: tells one short live sentence, translated; it gets the session and the site's id.
        topics: live events that change the fact.
        is_strong: filled green; for the main jobs.
    """

    order: int
    title: str
    icon: str
    endpoint: str
    fact: Fact | None = None
    topics: tuple[str, ...] = ()
    is_strong: bool = False


_tiles: dict[str, Tile] = {}


def add(tile: Tile) -> None:
    """Add a tile; a second one for the same view replaces the first."""
    _tiles[tile.endpoint] = tile


def all_tiles() -> list[Tile]:
    """Return all tiles in their order."""
    return sorted(_tiles.values(), key=lambda tile: tile.order)
