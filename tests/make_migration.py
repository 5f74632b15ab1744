"""`python -m tests.make_migration "what changes"`: draft a migration from the models; read it before committing it.

Alembic sees tables, columns and indexes. It does not see changed CHECK constraints: write those by hand. Triggers of
new tables are added here.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import DDL, inspect

from shop_hub.core import schema
from shop_hub.core.db import Database
from shop_hub.models import Base


def main(message: str) -> None:
    """Write a file into shop_hub/migrations/versions."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/hub.sqlite3")
        if schema.head():
            schema.upgrade(database)
        known = set(inspect(database.engine).get_table_names())
        config = schema.config()
        number = f"{len(list((Path(schema.__file__).parent.parent / 'migrations/versions').glob('*.py'))) + 1:04d}"
        with database.write_engine.begin() as connection:
            config.attributes["connection"] = connection
            script = command.revision(config, message, autogenerate=True, rev_id=number)
        database.dispose()
    path = Path(script.path)
    path.write_text(path.read_text().replace("def downgrade", f"{triggers(known)}def downgrade"))


def triggers(known: set[str]) -> str:
    """Return code that makes the triggers of new tables."""
    statements: dict[str, list[str]] = {"sqlite": [], "postgresql": []}
    for table in Base.metadata.sorted_tables:
        if table.name in known:
            continue
        for ddl in table.dispatch.after_create:
            if isinstance(ddl, DDL):
                statements[ddl._ddl_if.dialect].append(str(ddl.statement).replace("%%", "%"))
    if not any(statements.values()):
        return ""
    lines = [f"    {dialect!r}: {texts!r}," for dialect, texts in statements.items()]
    body = (
        "    for statement in TRIGGERS[op.get_bind().dialect.name]:\n        op.get_bind().exec_driver_sql(statement)\n"
    )
    return f"{body}\n\nTRIGGERS = {{\n" + "\n".join(lines) + "\n}\n\n\n"


if __name__ == "__main__":
    main(sys.argv[1])
