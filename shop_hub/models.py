"""All tables of all features, for Alembic and for `create_all` in tests."""

from shop_hub.core import audit, idempotency, jobs, limits, outbox, sites, tokens, visits
from shop_hub.core.db import Base

__all__ = ["Base", "audit", "idempotency", "jobs", "limits", "outbox", "sites", "tokens", "visits"]
