"""A flat form by POST inside the government network, after the manner of Zhejiang."""

from collections.abc import Sequence
from urllib.parse import urlencode

from hub.rules.records import Record
from hub.upstream.dialects.base import Kind
from hub.upstream.dialects.shaped import FORM, Packed, Shaped
from hub.upstream.dialects.transport import Parcel


class Flat(Shaped):
    """Each field of the record is a field of the form; the answer has result and resultmsg.

    Who may send is settled by the network zone: nothing is signed or sealed.
    """

    async def _pack(self, kind: Kind, shaped: Sequence[Record]) -> Packed:
        (record,) = shaped
        body = urlencode(record).encode()
        return Packed(Parcel(address=self._addresses[kind], body=body, content_type=FORM))
