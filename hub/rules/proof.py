"""What a smaller hall tells a larger one: a record, and with a rating the bytes that prove it.

`check` is asked by whoever passes a rating on: the larger hub when it comes and again when it
goes to the city, so that nobody in between can have altered, made up or moved it. Pure.
"""

from typing import Annotated, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Meta

from hub.rules.records import FIELDS, TIMES, Record
from hub.rules.settle import GRACE_MS
from protocol import signing, wire
from protocol.errors import ProtocolError
from protocol.messages import Count, Invitation, Part, Pem, Rated

FedKind = Literal["service", "rating", "ruling", "addition"]
OWN = (
    "taskName",
    "proManager",
    "pf",
    "satisfaction",
    "evalDetail",
    "writingEvaluation",
    "assessTime",
    "appStatus",
    "isdefault",
    "EffectivEvalua",
    "assessNumber",
)
"""What a rating says by itself; all else in it is said by the service record of its case."""

OF_RATINGS = frozenset(OWN) - {"taskName", "proManager"}
OPTIONAL = frozenset(
    (
        "taskHandleItem",
        "resultDate",
        "handleUserName",
        "handleUserPageType",
        "handleUserPageCode",
    )
)
REQUIRED = FIELDS - OF_RATINGS - OPTIONAL
Value = Annotated[str, Meta(max_length=300, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*(?![\s\S])")]
Jws = Annotated[
    str,
    Meta(min_length=1, max_length=wire.LIMIT, pattern=r"^[0-9A-Za-z._-]+(?![\s\S])"),
]
_WHO = r"^[a-z0-9][a-z0-9-]{0,31}(?![\s\S])"


class Proof(Part, frozen=True, kw_only=True):
    """The rating as its kiosk signed it (`jws`), and the kiosk's public key (PEM).

    `position`: where the smaller hall's own ledger holds it.
    """

    device: Annotated[str, Meta(pattern=_WHO)]
    key: Pem
    jws: Jws
    position: Count


class FeedRequest(Part, frozen=True, kw_only=True):
    """One record as `hub.rules.records` makes it; all but a service record with its proof."""

    kind: FedKind
    record: dict[str, Value]
    proof: Proof | None = None


class Unproven(ValueError):
    """The record is not what a kiosk has signed; in Chinese, says where it differs."""


def faults(kind: FedKind, record: Record) -> list[str]:
    """Return what is wrong with the fields of a record by themselves, in Chinese."""
    required = REQUIRED if kind == "service" else REQUIRED | OF_RATINGS
    found = [f"缺少字段 {name}" for name in sorted(required - record.keys())]
    found += [f"没有 {name[:40]} 这个字段" for name in sorted(record.keys() - required - OPTIONAL)]
    found += [
        f"{name} 不是 yyyy-MM-dd HH:mm:ss"
        for name in TIMES
        if name in record and len(record[name]) != len("yyyy-MM-dd HH:mm:ss")
    ]
    return found


def check(kind: FedKind, serial: str, service_number: int, own: Record, proof: Proof) -> None:
    """Raise `Unproven` unless a kiosk signed this rating for this very service.

    `own`: what the record says by itself. Words may stand beside a bad rating that has neither
    reason nor words on the kiosk, and in an addition: those came by phone, and nobody signed them.
    """
    if own.keys() != set(OWN):
        raise Unproven("评价的字段不全或多余")
    rated, asked = _opened(proof)
    if (asked.serial, asked.service_number) != (serial, service_number):
        raise Unproven("签名的评价是对另一个办件或另一次服务的")
    if rated.elapsed_ms > asked.ttl_ms + GRACE_MS:
        raise Unproven("签名的评价超过了邀请的时限，不应计入")
    pad = rated.signals is not None and rated.signals.input == "pad"
    signed = {
        "satisfaction": str(rated.level),
        "taskName": asked.matter,
        "proManager": asked.staff.name,
        "isdefault": "0",
    }
    if kind == "addition":
        signed |= {"pf": "3", "evalDetail": "", "assessNumber": "2"}
    else:
        signed |= {
            "pf": "5" if pad else "4",
            "evalDetail": ",".join(rated.reasons),
            "assessNumber": "1",
        }
        if rated.complete:
            signed["writingEvaluation"] = rated.comment
    for field, value in signed.items():
        if own[field] != value:
            raise Unproven(f"{field} 与评价器签名的内容不符")
    valid = (own["EffectivEvalua"], own["appStatus"])
    if valid != ("0", "2") and (kind == "ruling" or valid != ("1", "1")):
        raise Unproven("EffectivEvalua 和 appStatus 不是有效评价，也不是复核认定")
    if not rated.complete and not own["writingEvaluation"].strip():
        raise Unproven("差评缺少原因和文字")


def opens(proof: Proof) -> bool:
    """Whether the key is that by which this rating was signed."""
    try:
        _opened(proof)
    except Unproven:
        return False
    return True


def _opened(proof: Proof) -> tuple[Rated, Invitation]:
    try:
        key = serialization.load_pem_public_key(proof.key.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise Unproven("评价器的公钥无法读取") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unproven("评价器的公钥不是 P-256")
    try:
        rated = signing.verify(proof.jws.encode("ascii"), proof.device, key)
    except ProtocolError:
        raise Unproven("评价器的签名核验不通过") from None
    if not isinstance(rated, Rated):
        raise Unproven("评价器签名的不是一次评价")
    if rated.asked is None:
        raise Unproven("评价器的软件太旧，签名里没有办件的流水号：请先升级评价器")
    return rated, rated.asked
