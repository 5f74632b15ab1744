"""Triggers that freeze a sale once its receipt has a number: corrections are sales of their own."""

SALE_FROZEN = {
    "sqlite": (
        """
        CREATE TRIGGER sale_no_update BEFORE UPDATE ON sale WHEN OLD.state = 'done'
        BEGIN SELECT RAISE(ABORT, 'a done sale never changes'); END
        """,
        """
        CREATE TRIGGER sale_no_delete BEFORE DELETE ON sale
        BEGIN SELECT RAISE(ABORT, 'a sale is never deleted'); END
        """,
    ),
    "postgresql": (
        """
        CREATE OR REPLACE FUNCTION sale_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'a sale is never deleted'; END IF;
            IF OLD.state = 'done' THEN RAISE EXCEPTION 'a done sale never changes'; END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER sale_guard BEFORE UPDATE OR DELETE ON sale
        FOR EACH ROW EXECUTE FUNCTION sale_guard()
        """,
    ),
}
