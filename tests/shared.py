"""What the tests of one process share, as the requests of one hub do: compiled templates, statements and routes.

Each test has its own database and its own application; to compile all they need anew for each took a third of the time.
"""

import gc
from typing import Any, ClassVar

from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine

from shop_hub.core.db import Database
from shop_hub.core.web import LateRule, ShopHub


class Templates(BytecodeCache):
    """Templates compiled once."""

    def __init__(self) -> None:
        self._found: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._found:
            bucket.bytecode_from_string(self._found[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._found[bucket.key] = bucket.bytecode_to_string()


class KnownRule(LateRule):
    """A route whose address was understood once."""

    _known: ClassVar[dict[str, tuple[Any, ...]]] = {}

    def compile(self) -> None:
        assert self.map is not None
        key = f"{self.subdomain} {self.rule} {self.defaults} {self.merge_slashes}"
        if key not in self._known:
            super().compile()
            builders = (self._build.__func__, self._build_unknown.__func__)
            self._known[key] = (self._parts, self._trace, self._converters, set(self.arguments), *builders)
        self._parts, self._trace, self._converters, arguments, build, build_unknown = self._known[key]
        self.arguments |= arguments
        self._build, self._build_unknown = build.__get__(self), build_unknown.__get__(self)


_first: dict[str, Engine] = {}


def share_statements(database: Database) -> None:
    """Let a database know the statements that others of its kind have compiled."""
    kind = database.engine.dialect.name
    if kind not in _first:
        with database.engine.connect():
            _first[kind] = database.engine  # its dialect now knows the server
    for engine in (database.engine, database.write_engine):
        engine.dialect, engine._compiled_cache = _first[kind].dialect, _first[kind]._compiled_cache


def begin() -> None:
    """Share templates and routes; call it once all tests are loaded, for what is there now is never collected."""
    ShopHub.jinja_options = {**ShopHub.jinja_options, "bytecode_cache": Templates()}
    ShopHub.url_rule_class = KnownRule
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
