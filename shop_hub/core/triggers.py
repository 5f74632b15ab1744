"""Triggers that make a table append-only, on both databases: not even a mistake in the hub can rewrite its history."""

from sqlalchemy import DDL, FromClause, event

APPEND_ONLY: dict[str, dict[str, list[str]]] = {}
"""Statements per table and dialect, for migrations."""


def append_only(table: FromClause) -> None:
    """Refuse every UPDATE and DELETE of the rows of `table` from its creation on."""
    name = str(table.description)
    statements = {
        "sqlite": [_sqlite(name, act) for act in ("UPDATE", "DELETE")],
        "postgresql": [_function(name), _postgresql(name)],
    }
    APPEND_ONLY[name] = statements
    for dialect, texts in statements.items():
        for text in texts:
            event.listen(table, "after_create", DDL(text).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]


def _sqlite(name: str, act: str) -> str:
    return (
        f"CREATE TRIGGER {name}_no_{act.lower()} BEFORE {act} ON {name} "
        f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
    )


def _function(name: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{name} is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )


def _postgresql(name: str) -> str:
    return (
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}_refuse()"
    )
