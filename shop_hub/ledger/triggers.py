"""Triggers that keep the books: no unbalanced seal, no change after the seal, nothing is ever deleted.

They hold against every program that reaches the database, this one included (decisions.md 24).
"""

SQLITE = (
    """
    CREATE TRIGGER ledger_entry_insert BEFORE INSERT ON ledger_entry WHEN NEW.is_sealed
    BEGIN SELECT RAISE(ABORT, 'ledger: an entry is sealed after its postings'); END
    """,
    """
    CREATE TRIGGER ledger_entry_update BEFORE UPDATE ON ledger_entry
    BEGIN
        SELECT RAISE(ABORT, 'ledger: a sealed entry never changes') WHERE OLD.is_sealed;
        SELECT RAISE(ABORT, 'ledger: unbalanced entry') WHERE NOT NEW.is_sealed OR (
            SELECT COUNT(*) < 2 OR SUM(cents) <> 0 FROM ledger_posting WHERE entry_id = NEW.id
        );
    END
    """,
    """
    CREATE TRIGGER ledger_entry_delete BEFORE DELETE ON ledger_entry
    BEGIN SELECT RAISE(ABORT, 'ledger: an entry is never deleted'); END
    """,
    """
    CREATE TRIGGER ledger_posting_insert BEFORE INSERT ON ledger_posting
    BEGIN
        SELECT RAISE(ABORT, 'ledger: a sealed entry never changes')
        WHERE (SELECT is_sealed FROM ledger_entry WHERE id = NEW.entry_id);
    END
    """,
    """
    CREATE TRIGGER ledger_posting_update BEFORE UPDATE ON ledger_posting
    BEGIN SELECT RAISE(ABORT, 'ledger: a posting never changes'); END
    """,
    """
    CREATE TRIGGER ledger_posting_delete BEFORE DELETE ON ledger_posting
    BEGIN SELECT RAISE(ABORT, 'ledger: a posting is never deleted'); END
    """,
)

POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION ledger_entry_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'ledger: an entry is never deleted'; END IF;
        IF TG_OP = 'INSERT' THEN
            IF NEW.is_sealed THEN RAISE EXCEPTION 'ledger: an entry is sealed after its postings'; END IF;
            RETURN NEW;
        END IF;
        IF OLD.is_sealed THEN RAISE EXCEPTION 'ledger: a sealed entry never changes'; END IF;
        IF NOT NEW.is_sealed OR (
            SELECT COUNT(*) < 2 OR SUM(cents) <> 0 FROM ledger_posting WHERE entry_id = NEW.id
        ) THEN RAISE EXCEPTION 'ledger: unbalanced entry'; END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION ledger_posting_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN RAISE EXCEPTION 'ledger: a posting never changes'; END IF;
        IF (SELECT is_sealed FROM ledger_entry WHERE id = NEW.entry_id) THEN
            RAISE EXCEPTION 'ledger: a sealed entry never changes';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER ledger_entry_guard BEFORE INSERT OR UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_guard()
    """,
    """
    CREATE TRIGGER ledger_posting_guard BEFORE INSERT OR UPDATE OR DELETE ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_posting_guard()
    """,
)
