"""Keys of kiosks, found in the ledger without reading all of it."""

ARRIVALS = """
    CREATE INDEX ledger_keys ON ledger (device, position) WHERE kind = 'key'
"""
