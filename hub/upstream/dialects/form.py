"""A form with appMark, time, sign and sealed params, after the manner of Beijing."""

from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from hub.rules.records import Record
from hub.upstream.dialects.base import Kind
from hub.upstream.dialects.shaped import FORM, Packed, Shaped
from hub.upstream.dialects.signed import Signer
from hub.upstream.dialects.transport import Parcel, Transport
from hub.upstream.quirks import Quirks


class Form(Shaped):
    """`params` is `{"data": SM2(JSON of the record)}`; see `Signer` for `sign`."""

    def __init__(self, url: str, quirks: Quirks, transport: Transport, *, signer: Signer) -> None:
        super().__init__(url, quirks, transport)
        self._signer = signer

    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        (record,) = shaped
        at, sign, (data,) = await self._signer.stamp(msgspec.json.encode(record))
        shown = {"appMark": self._signer.app_mark, "time": at}
        params = msgspec.json.encode({"data": data}).decode()
        body = urlencode(shown | {"sign": sign, "params": params}).encode()
        return Packed(Parcel(address=self._addresses[kind], body=body, content_type=FORM), shown)

    def _secrets(self) -> tuple[str, ...]:
        return self._signer.secrets
