"""By which keys a rating in the ledger is believed: those its kiosk has, or had."""

import contextlib
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from protocol import signing
from protocol.errors import SignatureInvalid
from protocol.messages import Rated


class PastKeys:
    """Every key of each kiosk, the newest first; for any thread."""

    def __init__(self, keys: Mapping[str, Sequence[EllipticCurvePublicKey]]) -> None:
        self._keys = dict(keys)

    def learnt(self, device: str, key: EllipticCurvePublicKey) -> None:
        """Put the key that a device has now before those it had."""
        past = [each for each in self._keys.get(device, ()) if each != key]
        self._keys = {**self._keys, device: [key, *past]}

    def verify(self, device: str, jws: bytes) -> Rated:
        """Return the rating that a device signed; raises `SignatureInvalid`."""
        for key in self._keys.get(device, ()):
            with contextlib.suppress(SignatureInvalid):
                outcome = signing.verify(jws, device, key)
                if isinstance(outcome, Rated):
                    return outcome
        raise SignatureInvalid(f"no key of {device} fits")
