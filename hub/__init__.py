"""The hall's server: invites, receives, verifies, keeps, forwards. Imports `protocol` only.

Pure: `rules/`; edges: `store/` (all SQL), `link/` (MQTT), `upstream/` (the city), `web/` (HTTP).
The root that wires them is `service`.
"""
