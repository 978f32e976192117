"""What kiosk and hub say to each other: messages, topics, encoding, catalogue, signatures.

Pure: no network, no clock, no screen, no database; it imports no other room.
"""
