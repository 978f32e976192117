"""Marks on what gives rights and on the audit trail, and revocations in the ledger (m016).

A mark is a keyed hash (`hub.store.signet`); empty: none, as hubs of before left it, and of a
session: it has ended.
"""

MARKS = (
    "ALTER TABLE users ADD COLUMN mark BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE api_keys ADD COLUMN mark BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE sessions ADD COLUMN mark BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE portraits ADD COLUMN mark BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE audit ADD COLUMN mark BLOB NOT NULL DEFAULT x''",
    "UPDATE sessions SET ended_at = seen_at, why = 'over' WHERE ended_at IS NULL",
    """
    CREATE INDEX audit_people ON audit (target, action)
    WHERE action IN ('add_user', 'set_roles', 'disable_user', 'enable_user', 'add_key',
        'revoke_key', 'forged', 'begin_marks')
    """,
    "CREATE INDEX ledger_revoked ON ledger (position) WHERE kind = 'revoked'",
)
