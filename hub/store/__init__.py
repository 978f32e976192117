"""Everything the hub keeps; the only room with SQL."""
