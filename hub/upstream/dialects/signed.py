"""SM2 by the quirks file: `sign` over who sends when, and the sealing of what is sent."""

import asyncio
from collections.abc import Callable

from hub.rules.records import local_time
from hub.upstream.access import Keys
from hub.upstream.quirks import Sm2
from hub.upstream.sm import SmError, encode


class Signer:
    """Signs and seals for one hall; `now` gives ms since 1970.

    `sign` is SM2 of time + appMark + appWord: an encryption with the city's key, or a signature
    with the hall's own, as the quirks file says (the domain page, 3, says only "SM2(…)").
    """

    def __init__(self, sm2: Sm2, keys: Keys, now: Callable[[], int]) -> None:
        self._sm2 = sm2
        self._keys = keys
        self._now = now

    @property
    def app_mark(self) -> str:
        """The name under which the hall sends."""
        return self._keys.app_mark

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be kept in clear."""
        return (self._keys.app_word,)

    async def stamp(self, *plain: bytes) -> tuple[str, str, list[str]]:
        """Return time (`yyyyMMddHHmmss`, Asia/Shanghai), `sign`, and each of `plain` sealed.

        Reckons in another thread, about a millisecond for each: the loop serves others too.
        """
        at = "".join(digit for digit in local_time(self._now()) if digit.isdigit())
        sign, sealed = await asyncio.to_thread(self._reckon, at, plain)
        return at, sign, sealed

    def _reckon(self, at: str, plain: tuple[bytes, ...]) -> tuple[str, list[str]]:
        phrase = f"{at}{self._keys.app_mark}{self._keys.app_word}".encode()
        if self._sm2.sign == "encrypt":
            sign = self._seal(phrase)
        elif self._keys.hall_key is not None:
            signature = self._keys.hall_key.sign(phrase, der=self._sm2.signature == "der")
            sign = encode(signature, self._sm2.coding)
        else:
            raise SmError("缺少本厅的 SM2 私钥")
        return sign, [self._seal(each) for each in plain]

    def _seal(self, plain: bytes) -> str:
        if self._keys.city_key is None:
            raise SmError("缺少平台的 SM2 公钥")
        sealed = self._keys.city_key.encrypt(
            plain, order=self._sm2.order, prefix=self._sm2.prefix_04
        )
        return encode(sealed, self._sm2.coding)
