"""The kiosk at the counter (评议器): shows one invitation, takes one honest tap, keeps it safe.

Imports `protocol` only. Pure rules: `session`, `timekeeping`; one file per outside thing:
`outbox` (SQLite), `link` (MQTT), `identity` (key file), `ui/` (Kivy); the root is `kiosk`.
"""
