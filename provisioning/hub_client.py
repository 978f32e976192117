"""The way to the hub's interface: which kiosks wait for a certificate, and handing it over.

HTTP/1.1 with one connection per request. Neither a proxy of the environment nor a redirection is
followed: the key goes to the address that the operator gave, and nowhere else.
"""

import http.client
import ipaddress
import ssl
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta, Struct

from protocol.enrolment.messages import Name, said
from protocol.messages import Pem

TIMEOUT_S = 20.0
ANSWER_LIMIT = 8 << 20
"""Bytes: some thousand requests, more kiosks than any hall has."""

_ADDRESS = "请写成 https://主机:端口，例如 https://hub.example:8750"
_PROBLEM = "urn:pingyi:problem:"
_KEY = Annotated[str, Meta(pattern=r"^[!-~]+(?![\s\S])")]


class AddressError(Exception):
    """The address, the root or the key cannot be used; the text says what to do, in Chinese."""


class HubTrouble(Exception):
    """The hub does not answer as it should; the text says what to do, in Chinese.

    `kind`: it is `away`, it `refuses` the key, or what answers is `foreign`, no hub.
    """

    def __init__(self, kind: Literal["away", "refuses", "foreign"], text: str) -> None:
        super().__init__(text)
        self.kind = kind


class NotTaken(Exception):
    """The hub does not take this certificate; the text is its reason, in Chinese."""


class Waiting(Struct, frozen=True):
    """A kiosk that asks for its next certificate (`request`: PKCS #10, PEM)."""

    device: Name
    request: Pem


class _Problem(Struct, frozen=True):
    """What of a problem (RFC 9457) is of use here."""

    type: str = ""
    detail: str = ""


class HubClient:
    """Speaks to one hub with an interface key that may renew (scope `renewals`)."""

    def __init__(self, url: str, key: str, ca: Path | None) -> None:
        """Raise `AddressError`; `ca` is the root that has signed the hub's certificate (PEM)."""
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError as error:
            raise AddressError(f"--hub {url}：地址写法不对。{_ADDRESS}") from error
        extra = parts.username or parts.query or parts.fragment
        if parts.scheme not in {"http", "https"} or not self._host or extra:
            raise AddressError(f"--hub {url}：地址写法不对。{_ADDRESS}")
        if parts.scheme == "http" and not _is_loopback(self._host):
            raise AddressError(f"--hub {url}：不是本机，接口密钥须加密传送。{_ADDRESS}")
        try:
            self._key = msgspec.convert(key.strip(), _KEY)
        except msgspec.ValidationError as error:
            raise AddressError(
                "接口密钥里有空格或其他不该有的字符：请核对密钥文件的第一行"
            ) from error
        self._base = parts.path.rstrip("/") + "/api/v1"
        self._where = url
        self._context = _context(ca) if parts.scheme == "https" else None

    def waiting(self) -> list[Waiting]:
        """Return who waits, the longest first; raises `HubTrouble`."""
        status, data = self._ask("GET", "/renewals")
        if status != 200:
            raise self._trouble(status, data)
        try:
            return msgspec.json.decode(data, type=list[Waiting])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._foreign() from error

    def answer(self, device: str, chain: str) -> None:
        """Hand over the chain of a kiosk; raises `NotTaken` or `HubTrouble`."""
        body = msgspec.json.encode({"chain": chain})
        status, data = self._ask("PUT", f"/renewals/{quote(device)}", body)
        if status == 204:
            return
        problem = _problem(data)
        if problem.type.startswith(_PROBLEM) and status in {404, 409, 422}:
            raise NotTaken(said(problem.detail))
        raise self._trouble(status, data)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = self._connection()
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "Connection": "close",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._base + path, body, headers)
            answer = connection.getresponse()
            data = answer.read(ANSWER_LIMIT + 1)
        except ssl.SSLCertVerificationError as error:
            raise HubTrouble(
                "foreign",
                f"{self._where} 的服务器证书不可信：{error.verify_message}。"
                "请用 --ca 指定签发机构的 root.pem，核对地址与证书中的名称是否一致，以及本机时间",
            ) from error
        except ssl.SSLError as error:
            raise HubTrouble(
                "away", f"{self._where} 不能加密连接：{error.reason}。请核对地址和端口"
            ) from error
        except (OSError, http.client.IncompleteRead) as error:
            why = getattr(error, "strerror", None) or error
            raise HubTrouble(
                "away", f"连接不上 {self._where}：{why}。请检查网络，以及服务器是否在运行"
            ) from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._foreign() from error
        finally:
            connection.close()
        if len(data) > ANSWER_LIMIT:
            raise self._foreign()
        return answer.status, data

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=TIMEOUT_S, context=self._context
        )

    def _trouble(self, status: int, data: bytes) -> HubTrouble:
        problem = _problem(data)
        if not problem.type.startswith(_PROBLEM):
            if status in {502, 503, 504}:  # a reverse proxy before a hub that is down
                return HubTrouble("away", f"{self._where} 暂时没有应答（{status}），请稍后再试")
            return self._foreign()
        detail = said(problem.detail)
        if status in {401, 403}:
            return HubTrouble(
                "refuses",
                f"{detail}。入网台用的密钥在大厅服务器上这样新建："
                "pingyi-hub key add 入网台 --scope renewals",
            )
        return HubTrouble("away", f"{self._where} 不能受理（{status}）：{detail}")

    def _foreign(self) -> HubTrouble:
        return HubTrouble(
            "foreign", f"{self._where} 的应答不是大厅服务器的：请核对 --hub 的地址和端口"
        )


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise AddressError(
            f"--ca {ca}：不能用作根证书：{error.strerror or error}。请指定签发机构的 root.pem"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _problem(data: bytes) -> _Problem:
    try:
        return msgspec.json.decode(data, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Problem()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
