"""The photograph of the clerk, as the hub sends it."""

import hashlib

from protocol import wire
from protocol.errors import Malformed
from protocol.messages import Portrait


def decode(payload: bytes) -> Portrait | None:
    """Return the photograph; None for an empty payload: there is none.

    Raises `ProtocolError`, also where the picture is not the one that its digest names. Whether
    it can be drawn is for the screen to find out.
    """
    if not payload:
        return None
    found = wire.decode(Portrait, payload)
    if hashlib.sha256(found.picture).hexdigest() != found.digest:
        raise Malformed("the picture is not the one that its digest names")
    return found
