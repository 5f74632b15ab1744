"""Reads the demo village's tables (see data/SOURCES.md)."""

import csv
import tomllib
from importlib.resources import files
from typing import Any

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    """Return the rows of `data/<name>.csv` as dictionaries of text."""
    text = files("shop_hub.demo").joinpath(f"data/{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def table(name: str) -> dict[str, Any]:
    """Return the content of `data/<name>.toml`."""
    return tomllib.loads(files("shop_hub.demo").joinpath(f"data/{name}.toml").read_text(encoding="utf-8"))


def number(text: str) -> int | None:
    """Return a cell as number; an empty one is None."""
    return int(text) if text else None
