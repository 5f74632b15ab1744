"""Alembic's environment; the connection is handed over by shop_hub.core.schema."""

from typing import Literal

from alembic import context

from shop_hub.core.db import UtcDateTime
from shop_hub.models import Base


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own types as what they are in SQL: a migration must not change when the code does."""
    is_our_time = kind == "type" and isinstance(item, UtcDateTime)
    return "sa.DateTime(timezone=True)" if is_our_time else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
