"""Who may ask: the Host and Origin of every request, a token where the server can be reached from elsewhere.

On 127.0.0.1 a page of another site could still send requests here, under a name of its own that resolves to this
machine; checking Host and Origin on every method stops both. No answer allows another site to read it.
"""

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

LOCAL = ("127.0.0.1", "localhost", "::1")
COOKIE = "assay_token"
MOST_BODY_BYTES = 4 * 2**20
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware. `token`: what a remote visitor must show once, then as a cookie; None on a local bind."""

    def __init__(self, app, token: str | None = None):
        self.app, self.token = app, token

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                return await self.app(scope, receive, send)
            return await send({"type": "websocket.close", "code": 1008})
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self.refuse(scope, headers)
        if refusal:
            return await _answer(send, *refusal)
        if self._enters(scope):
            secure = "; Secure" if scope.get("scheme") == "https" else ""
            cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/{secure}"
            return await _answer(send, 303, "", {"location": "/", "set-cookie": cookie})

        async def sealed(message):
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = list(message["headers"]) + [
                    (name.encode(), value.encode()) for name, value in _defaults() if name.encode() not in given
                ]
            await send(message)

        await self.app(scope, receive, sealed)

    def refuse(self, scope, headers: dict) -> tuple[int, str] | None:
        """Status and words of a refusal, or None."""
        host = headers.get("host", "")
        if self.token is None and not _is_local(host):
            return 421, "This page is only for the machine it runs on: open it at http://127.0.0.1."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Requests from other sites are refused."
        site = headers.get("sec-fetch-site", "same-origin")
        opens_page = scope["method"] == "GET" and scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not opens_page:
            return 403, "Requests from other sites are refused."
        if scope["method"] == "POST" and headers.get("content-type", "").split(";")[0] != "application/json":
            return 415, "Send application/json."
        length = headers.get("content-length", "0")
        if scope["method"] == "POST" and not (length.isdigit() and int(length) <= MOST_BODY_BYTES):
            return 413, f"A request is at most {MOST_BODY_BYTES} bytes and says its length."
        if self.token is not None and not (self._enters(scope) or self._knows(headers)):
            return 401, "This explorer asks for a token: open the address that `assay explore` printed."
        return None

    def _enters(self, scope) -> bool:
        """Whether this is the address with the right token in it."""
        if self.token is None or scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _knows(self, headers: dict) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookie[COOKIE].value if COOKIE in cookie else headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.token.encode())


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname if host and not set(host) & set("/\\@?# ") else None
    return name in LOCAL


def _defaults():
    return [*HEADERS.items(), ("cache-control", "no-store")]


async def _answer(send, status: int, words: str, more: dict | None = None) -> None:
    headers = dict(_defaults()) | {"content-type": "text/plain; charset=utf-8"} | (more or {})
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": words.encode()})
