"""The whole hall on one machine: hub, kiosk, scripted citizens and a stand-in city platform.

May import all rooms; nothing imports it.
"""
