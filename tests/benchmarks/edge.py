"""Purchase and look-up through the hub's WSGI application and through the bare twin's, in this process, in turns."""

import gc
import io
import json
import re
import sqlite3
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event
from werkzeug.test import EnvironBuilder

from shop_hub.app import create_app
from shop_hub.core.settings import Settings
from tests.benchmarks import bare
from tests.benchmarks.village import Village

ROUNDS = 60
_COMMENT = "--"
"""SQLite's trace shows the statements inside triggers as comments."""


@dataclass(frozen=True)
class Cost:
    """What one request costs: CPU and wall time in ms, each by round."""

    cpu_ms: list[float]
    wall_ms: list[float]


@dataclass(frozen=True)
class Result:
    """One request on both sides, and the statements that SQLite ran for it."""

    bare: Cost
    ours: Cost
    bare_statements: "Counter[str]"
    our_statements: "Counter[str]"

    @property
    def cpu_ratio(self) -> float:
        return statistics.median(ours / bare for ours, bare in zip(self.ours.cpu_ms, self.bare.cpu_ms, strict=True))

    @property
    def wall_ratio(self) -> float:
        return statistics.median(ours / bare for ours, bare in zip(self.ours.wall_ms, self.bare.wall_ms, strict=True))


class Side:
    """One application over its own copy of the village."""

    def __init__(self, app: Flask, trace: Callable[[Callable[[str], None] | None], None]) -> None:
        self.app = app
        self.trace = trace

    def ask(self, environ: dict[str, Any]) -> tuple[str, bytes]:
        statuses: list[str] = []
        parts = self.app(environ, lambda status, _headers: statuses.append(status))
        body = b"".join(parts)
        parts.close()
        return statuses[0], body

    def statements(self, environ: dict[str, Any]) -> "Counter[str]":
        """Answer one request and return the kinds of statements that SQLite ran for it."""
        texts: list[str] = []
        self.trace(texts.append)
        self.ask(environ)
        self.trace(None)
        return Counter(_kind(text) for text in texts if not text.startswith(_COMMENT))

    def cost(self, environs: Iterable[dict[str, Any]]) -> tuple[float, float]:
        """Return CPU and wall time per request in ms."""
        environs = list(environs)
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        for environ in environs:
            self.ask(environ)
        return tuple((after - before) / len(environs) * 1000 for after, before in _since(cpu, wall))


def measure(village: Village, *, purchases: int = 10, look_ups: int = 50) -> tuple[Result, Result]:
    """Return what a purchase and a look-up cost."""
    ours, twin = _hub_side(village.copy("ours")), _bare_side(village.copy("bare"), village)
    for side in (ours, twin):  # the first purchase verifies the PIN with the slow hash
        status, _ = side.ask(_purchase(village))
        assert status.startswith("201"), status
    assert _shape(ours.ask(_purchase(village))) == _shape(twin.ask(_purchase(village)))
    assert json.loads(ours.ask(_look_up(village))[1]) == json.loads(twin.ask(_look_up(village))[1])
    gc.collect()
    gc.freeze()  # as the hub does at its start: what is loaded is not looked at again
    return (
        _compare(twin, ours, lambda: _purchase(village), purchases),
        _compare(twin, ours, lambda: _look_up(village), look_ups),
    )


def _compare(twin: Side, ours: Side, request: Callable[[], dict[str, Any]], count: int) -> Result:
    kinds = [side.statements(request()) for side in (twin, ours)]
    costs: list[list[tuple[float, float]]] = [[], []]
    for number in range(ROUNDS + 1):
        for place, side in enumerate((twin, ours)):
            cost = side.cost(request() for _ in range(count))
            if number:  # the first round warms up
                costs[place].append(cost)
    return Result(*(Cost(*map(list, zip(*found, strict=True))) for found in costs), *kinds)


def _hub_side(data: Path) -> Side:
    hub = create_app(Settings(data=data, production=False))

    def trace(log: Callable[[str], None] | None) -> None:
        def hook(connection: sqlite3.Connection, *_: object) -> None:
            connection.set_trace_callback(log)

        if log is None:
            event.remove(hub.database.engine, "checkout", trace.hook)
            connection = hub.database.engine.raw_connection()
            connection.driver_connection.set_trace_callback(None)
            connection.close()
        else:
            trace.hook = hook
            event.listen(hub.database.engine, "checkout", hook)

    return Side(hub, trace)


def _bare_side(data: Path, village: Village) -> Side:
    proven = {bare.proof(village.member["card"], village.member["pin"])}
    app = bare.create(data / "hub.sqlite3", b"a key of the benchmark", proven)
    return Side(app, lambda log: app.extensions["connection"]().set_trace_callback(log))


def _purchase(village: Village) -> dict[str, Any]:
    member = village.member
    wanted = {"lines": [{"gtin": code} for code in village.goods], "member_card": member["card"], "pin": member["pin"]}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return _environ(village, "POST", "/api/v1/sales", headers, json.dumps(wanted).encode())


def _look_up(village: Village) -> dict[str, Any]:
    return _environ(village, "GET", f"/api/v1/products/{village.goods[0]}", {}, b"")


def _environ(village: Village, method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    headers["Authorization"] = f"Bearer {village.state['tokens']['till']}"
    content = {"content_type": "application/json", "input_stream": io.BytesIO(body)} if body else {}
    environ = EnvironBuilder(method=method, path=path, headers=headers, **content).get_environ()
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _shape(answer: tuple[str, bytes]) -> tuple[str, int, list[str]]:
    found = json.loads(answer[1])
    return answer[0], found["total_cents"], sorted(found)


def _kind(text: str) -> str:
    """Return a statement's verb and the tables it names."""
    tables = re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)", text)
    tables = [table for table in tables if table != "SET"]
    return " ".join([text.split(maxsplit=1)[0], *sorted(set(tables))])


def _since(cpu: float, wall: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return (time.process_time(), cpu), (time.perf_counter(), wall)
