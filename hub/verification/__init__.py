"""Checks a ledger without trusting who kept it: signatures, numbering, tree, checkpoints, account.

Works on what it is given, live or exported, and says what it could not check.
"""
