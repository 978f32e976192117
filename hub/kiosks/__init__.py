"""The kiosks that the hub knows: who is let in, with which key, and who is here."""
