"""Triggers by which the database itself refuses to alter what only grows (m001, m006)."""


def only_grows(table: str, what: str) -> tuple[str, ...]:
    """Return the triggers of a table with a `position`; `what` names it in their refusals.

    A position out of turn would stop all later entries, or let SQLite number them at random.
    The texts are looked for at every start, so they never change.
    """
    said = f"the {what} only grows"
    return (
        f"""
        CREATE TRIGGER {table}_never_updated BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, '{said}: no entry is ever updated'); END
        """,
        f"""
        CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{said}: no entry is ever deleted'); END
        """,
        f"""
        CREATE TRIGGER {table}_never_replaced BEFORE INSERT ON {table}
        WHEN NEW.position IS NOT NULL
            AND EXISTS (SELECT 1 FROM {table} WHERE position = NEW.position)
        BEGIN SELECT RAISE(ABORT, '{said}: no entry is ever replaced'); END
        """,  # noqa: S608 - made of constants
        f"""
        CREATE TRIGGER {table}_without_gaps AFTER INSERT ON {table}
        WHEN NEW.position <> 1 + coalesce(
            (SELECT max(position) FROM {table} WHERE position < NEW.position), 0)
        BEGIN SELECT RAISE(ABORT, '{said}: entries are numbered without gaps'); END
        """,  # noqa: S608 - made of constants
    )
