"""People who use the hub: passwords, sessions, lock-out, and what changes users and keys.

Knows no HTTP; all SQL is in `hub.store`. The pages and the commands stand on it.
"""
