"""A JSON envelope around a list of records, after the manner of Shandong."""

from collections.abc import Sequence
from typing import Any

import msgspec

from hub.rules.records import Record
from hub.upstream.dialects.base import OF_CASES, Kind
from hub.upstream.dialects.shaped import JSON, Packed, Shaped
from hub.upstream.dialects.signed import Signer
from hub.upstream.dialects.transport import Parcel, Transport
from hub.upstream.quirks import Quirks, there


class Envelope(Shaped):
    """`{"txnBodyCom": {appMark, time, sign, params: {evaluate: […]}}, "txnCommCom": {}}`.

    The list holds up to `batch` records, all of one kind; the city answers once for all of it.
    """

    def __init__(self, url: str, quirks: Quirks, transport: Transport, *, signer: Signer) -> None:
        super().__init__(url, quirks, transport)
        self._envelope = there(quirks.envelope)
        self._signer = signer

    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        rating, service = self._envelope.rating_list, self._envelope.service_list
        name = service if kind in OF_CASES else rating
        params: Any = {name: shaped}
        if self._envelope.seal == "none":
            at, sign, _ = await self._signer.stamp()
        elif self._envelope.seal == "records":
            at, sign, sealed = await self._signer.stamp(*map(msgspec.json.encode, shaped))
            params = {name: sealed}
        else:
            at, sign, (params,) = await self._signer.stamp(msgspec.json.encode(params))
        shown = {"appMark": self._signer.app_mark, "time": at}
        content = {"txnBodyCom": shown | {"sign": sign, "params": params}, "txnCommCom": {}}
        body = msgspec.json.encode(content)
        return Packed(Parcel(address=self._addresses[kind], body=body, content_type=JSON), shown)

    def _secrets(self) -> tuple[str, ...]:
        return self._signer.secrets
