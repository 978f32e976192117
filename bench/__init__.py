"""Every figure that the README quotes, each beside its peer, measured in the same run.

It may import every room, and starts the real programs on loopback. Nothing imports it.
"""
