"""What the ledger itself says, found without reading all of it, and marks on cases (m015).

The tables beside the ledger are views of it, kept for fast answers: whoever can write the file
can bend them. By these the hub asks the ledger before it believes one.
"""

WITNESS = (
    """
    CREATE INDEX ledger_invitation ON ledger (invitation)
    WHERE kind IN ('invited', 'rated', 'expired', 'withdrawn')
    """,
    """
    CREATE INDEX ledger_bound ON ledger (
        CASE WHEN json_valid(CAST(body AS TEXT))
            THEN json_extract(CAST(body AS TEXT), '$.window') END, kind, position)
    WHERE kind IN ('paired', 'unpaired', 'signed_on', 'signed_off')
    """,
    # Keyed hash of what was registered; empty: by a hub of before.
    "ALTER TABLE cases ADD COLUMN mark BLOB NOT NULL DEFAULT x''",
)
