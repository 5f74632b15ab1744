"""All tables of core and of all features, for Alembic and the tests."""

from shop_hub.core import audit, idempotency, jobs, limits, outbox, sites, tokens, visits
from shop_hub.core.db import Base
from shop_hub.features import load

__all__ = ["Base", "audit", "idempotency", "jobs", "limits", "outbox", "sites", "tokens", "visits"]

for _module in load("models"):
    pass
