"""By which keys what the kiosks signed is believed: who vouches for them, and since when."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from hub.rules.certified import NotCertified, certified
from hub.store.keys import read
from hub.store.ledger import Recorded
from hub.verification.findings import Finding
from protocol.enrolment.messages import public_bytes

Keys = Mapping[str, Sequence[EllipticCurvePublicKey]]


class _Known(msgspec.Struct):
    """One key of one device: where it came into the ledger (0: nowhere yet), who vouches.

    `since`: the entry from which on a certificate vouches for it, 0: none does. `doubted`: it
    came without one after keys of the same device that had one, or with a certificate of
    somebody else. `first` and `count`: of what it signed with nobody to vouch for it.
    """

    key: EllipticCurvePublicKey
    position: int = 0
    since: int = 0
    doubted: bool = False
    early: int = 0
    first: int = 0
    count: int = 0


class Arrivals:
    """The keys, as the ledger tells of their coming.

    `kept` lie beside the ledger: only what was entered before the ledger told of keys at all is
    judged by them. `authorities` (PEM) are the device CAs that somebody else gave, none: nobody's
    word is checked. `trial` are keys that stand in the hub's configuration.
    """

    def __init__(self, kept: Keys, hall: str, authorities: Sequence[str], trial: Keys) -> None:
        self._hall = hall
        self._authorities = authorities
        self._trial = {(name, public_bytes(key)) for name, keys in trial.items() for key in keys}
        self._began = 0
        self._known: dict[str, dict[bytes, _Known]] = {}
        for name, keys in kept.items():
            for key in keys:
                self._of(name, key)

    def of(self, device: str) -> list[EllipticCurvePublicKey]:
        """Return all that may have signed for a device, so far."""
        return [each.key for each in self._known.get(device, {}).values()]

    def take(self, entry: Recorded, body: str) -> Iterator[Finding]:
        """Take an entry of kind `key`; yield what is wrong with it."""
        self._began = self._began or entry.position
        try:
            arrival = read(body)
            key = serialization.load_pem_public_key(arrival.public_key.encode())
        except (msgspec.MsgspecError, ValueError, UnsupportedAlgorithm):
            yield _at(entry, "评价器密钥的内容无法读取")
            return
        if not isinstance(key, EllipticCurvePublicKey):
            yield _at(entry, "登记的不是评价器的密钥")
            return
        others = [each for each in self._known.get(entry.device, {}).values() if each.since]
        known = self._of(entry.device, key)
        known.position = known.position or entry.position
        if not self._authorities:
            return
        if arrival.certificate is None:
            known.doubted = known.doubted or (bool(others) and not known.since)
            if known.doubted:
                yield _at(
                    entry, f"评价器 {entry.device} 已有证书，却登记了没有证书的密钥：可能是添加的"
                )
        elif self._vouched(entry.device, key, arrival.certificate):
            known.since = known.since or entry.position
            known.doubted = False
        else:
            known.doubted = not known.since
            yield _at(entry, f"评价器 {entry.device} 的证书不是签发 CA 签的：密钥是伪造的")

    def signed(self, entry: Recorded, key: EllipticCurvePublicKey) -> Iterator[Finding]:
        """Judge by which key an entry was signed."""
        known = self._of(entry.device, key)
        if self._began and not known.position:
            yield _at(
                entry, f"签名所用的密钥当时不在台账里：不是评价器 {entry.device} 的，可能是添加的"
            )
        elif known.doubted:
            yield _at(
                entry,
                f"签名所用的密钥（第 {known.position} 条）没有可信的证书：可能是添加的",
            )
        elif not known.since:
            known.early += not self._began
            known.first = known.first or entry.position
            known.count += 1

    def end(self) -> Iterator[Finding]:
        """Yield the keys that want an explanation: no certificate, and not in the configuration."""
        if not self._authorities:
            return
        for name, known in self._open():
            if known.position and (name, public_bytes(known.key)) not in self._trial:
                yield Finding(
                    what="key",
                    text=f"评价器 {name} 的密钥没有证书，也不在配置中：它签了 {known.count} 条"
                    f"（第 {known.first} 条起），请核对是不是试用时的",
                    position=known.position,
                    grave=False,
                )

    def unchecked(self) -> Iterator[str]:
        """Say what nobody vouches for."""
        if not self._authorities:
            yield (
                "没有给出评价器的签发 CA（--device-ca）：评价器的密钥来自被核验的数据本身，"
                "用假密钥添加的评价无法发现"
            )
        for name, known in self._open():
            signed = f"它签的 {known.count} 条（第 {known.first} 条起）无法核对来源"
            if not known.position or known.early == known.count:
                yield f"评价器 {name} 的密钥在台账登记密钥之前就有，没有可信的证书：{signed}"
            elif self._authorities:
                yield f"评价器 {name} 的密钥没有证书（试用方式）：{signed}"

    def _open(self) -> Iterator[tuple[str, _Known]]:
        """Return what has signed something for which nobody vouches."""
        for name in sorted(self._known):
            for known in self._known[name].values():
                if known.count and not known.since and not known.doubted:
                    yield name, known

    def _of(self, device: str, key: EllipticCurvePublicKey) -> _Known:
        return self._known.setdefault(device, {}).setdefault(public_bytes(key), _Known(key))

    def _vouched(self, device: str, key: EllipticCurvePublicKey, pem: str) -> bool:
        for authority in self._authorities:
            try:
                if certified(pem, authority, device, self._hall) == key:
                    return True
            except NotCertified:
                continue
        return False


def loaded(pairs: Iterable[tuple[str, bytes]]) -> Keys:
    """Return public keys (PEM) by device; what is none will verify nothing, and that is said."""
    found: dict[str, list[EllipticCurvePublicKey]] = {}
    for device, pem in pairs:
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, EllipticCurvePublicKey):
            found.setdefault(device, []).append(key)
    return found


def _at(entry: Recorded, text: str) -> Finding:
    return Finding(what="key", text=text, position=entry.position)
