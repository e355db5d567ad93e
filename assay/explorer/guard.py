"""Who may ask, and how much: the Host and Origin of every request, a token, and a body of bounded size and time.

Every explorer has a token, on this machine too: other accounts of the machine reach its ports as well. The link that
is printed carries it; the first visit turns it into a cookie that is for this port alone. On 127.0.0.1 a page of
another site could still send requests here, under a name of its own that resolves to this machine; checking Host and
Origin on every method stops both. No answer allows another site to read it.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.store.account import account

if TYPE_CHECKING:
    from assay.explorer.state import Explorer

LOCAL = ("127.0.0.1", "localhost", "::1")
COOKIE = "assay_token"  # and _PORT: a browser sends a host's cookies to all of its ports
WHO = "assay.who"  # of a request's scope: the name that its decisions carry
MOST_BODY_BYTES = 4 * 2**20
BODY_SECONDS = 30.0  # for the whole of a request's body
MOST_ADDRESS = 8_192  # characters of a path, and of a query
LONG_NUMBER = re.compile(r"/\d{10}")  # no snapshot has such a number
SENT = ("application/json", "application/octet-stream")  # a page of another site can send neither without asking first
BODILESS = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
ASKS = "This explorer asks for a token: open the address that `assay explore` printed."
AGAIN = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>assay</title><a href="/">assay</a>'

Refusal = tuple[int, str]


@dataclass(frozen=True)
class Visitors:
    """Who may come in.

    Attributes:
        names: for each token the name of its bearer; None where the link is handed round, and its bearers are told
            apart by their addresses only.
        is_local: whether the explorer is for this machine, whose name must then be the Host.
    """

    names: Mapping[str, str | None] = field(default_factory=lambda: {new_token(): account()})
    is_local: bool = True

    def token_of(self, given: str) -> str | None:
        """The token that `given` is. All are compared, each in constant time."""
        found = [token for token in self.names if hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())]
        return found[0] if found else None

    def name_of(self, token: str, scope: Scope) -> str:
        """Whose decisions these are."""
        address = (scope.get("client") or ("an unknown address",))[0]
        return self.names[token] or f"guest@{address}"


def new_token() -> str:
    """A fresh token of 192 random bits."""
    return secrets.token_urlsafe(24)


class Guard:
    """ASGI middleware around the explorer: lets `visitors` in and hands on whole, bounded bodies."""

    def __init__(self, app: ASGIApp, explorer: "Explorer", visitors: Visitors) -> None:
        self.app, self.explorer, self.visitors = app, explorer, visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                return await self.app(scope, receive, send)
            return await send({"type": "websocket.close", "code": 1008})
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := self.refuse(scope, headers):
            return await _answer(send, *refusal)
        if entered := self._enters(scope):
            return await _answer(send, 303, "", {"location": "/", "set-cookie": _cookie(entered, scope, headers)})
        token = self.visitors.token_of(_shown(headers))
        if token is None and headers.get("sec-fetch-site") == "cross-site":
            return await _answer(send, 401, AGAIN, {"content-type": "text/html; charset=utf-8"})
        if token is None:
            return await _answer(send, 401, ASKS)
        if scope["method"] not in BODILESS:
            body = await _read(receive)
            if not isinstance(body, bytes):
                return await _answer(send, *body, {"connection": "close"})
            receive = _again(body, receive)
        await self.app({**scope, WHO: self.visitors.name_of(token, scope)}, receive, _sealed(send))
        return None

    def refuse(self, scope: Scope, headers: Mapping[str, str]) -> Refusal | None:
        """Status and words of a refusal, or None: what can be told before the token is looked at."""
        host = headers.get("host", "")
        if self.visitors.is_local and not _is_local(host):
            return 421, "This page is only for the machine it runs on: open it at http://127.0.0.1."
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host.lower():
            return 403, "Requests from other sites are refused."
        site = headers.get("sec-fetch-site", "same-origin")
        opens_page = scope["method"] == "GET" and scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not opens_page:
            return 403, "Requests from other sites are refused."
        if max(len(scope["path"]), len(scope.get("query_string", b""))) > MOST_ADDRESS:
            return 414, f"An address is at most {MOST_ADDRESS} characters."
        if LONG_NUMBER.search(scope["path"]) or "\0" in scope["path"]:
            return 404, "There is no such snapshot."
        if scope["method"] in BODILESS:
            return None
        if headers.get("content-type", "").split(";")[0].strip().lower() not in SENT:
            return 415, "Send application/json, or a picture as application/octet-stream."
        length = headers.get("content-length", "0")
        if not (length.isdecimal() and int(length[:20]) <= MOST_BODY_BYTES):
            return _too_large()
        return None

    def _enters(self, scope: Scope) -> str | None:
        """The token in the address of the page."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        return self.visitors.token_of(given)


def _too_large() -> Refusal:
    return 413, f"A request is at most {MOST_BODY_BYTES} bytes."


async def _read(receive: Receive) -> bytes | Refusal:
    """The request's body, counted while it comes; or why it is not wanted."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return 400, "The request ended before its body did."
                body += message.get("body", b"")
                if len(body) > MOST_BODY_BYTES:
                    return _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        return 408, f"A request's body comes within {BODY_SECONDS:g} seconds."


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive`, which gives the body once more."""
    ready: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return ready.pop() if ready else await receive()

    return give


def _sealed(send: Send) -> Send:
    """`send`, which adds the headers of `HEADERS` that an answer does not have."""

    async def seal(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name for name, _ in message["headers"]}
            message["headers"] = list(message["headers"]) + [
                (name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given
            ]
        await send(message)

    return seal


def _cookie(token: str, scope: Scope, headers: Mapping[str, str]) -> str:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{_cookie_name(headers)}={token}; HttpOnly; SameSite=Strict; Path=/{secure}"


def _cookie_name(headers: Mapping[str, str]) -> str:
    port = re.search(r":(\d{1,5})$", headers.get("host", ""))
    return f"{COOKIE}_{port[1]}" if port else COOKIE


def _shown(headers: Mapping[str, str]) -> str:
    """The token of the cookie, or of the header `Authorization: Bearer`."""
    try:
        cookie: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        cookie = SimpleCookie()
    name = _cookie_name(headers)
    return cookie[name].value if name in cookie else headers.get("authorization", "").removeprefix("Bearer ")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    if not host or set(host) & set("/\\@?# "):
        return False
    try:
        return urlsplit(f"//{host}").hostname in LOCAL
    except ValueError:
        return False


async def _answer(send: Send, status: int, words: str, more: Mapping[str, str] | None = None) -> None:
    headers = {**HEADERS, "content-type": "text/plain; charset=utf-8", **(more or {})}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": words.encode()})
