"""Who may ask: Host, Origin, token, the size and time of a body, and the headers of every answer."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from assay.contracts.errors import SpecError
from assay.explorer.guard import MOST_BODY_BYTES, POLICY, Visitors
from assay.explorer.serve import admit, bind, opened
from assay.explorer.server import make_app
from assay.store.account import account
from assay.store.decisions import read_decisions
from tests.explorer.visit import BEARER, VISITORS

PATHS = ["/", "/api/snapshots", "/static/app.js", "/api/1/thumbnail?row=0", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "user@127.0.0.1", "127.0.0.1/x"]
)
def test_other_hosts_are_refused(client, path, host):
    """A name that somebody pointed at this machine does not open the page."""
    assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["[", "[::1", "[zz]", "\\127.0.0.1", "127.0.0.1 evil"])
def test_a_host_that_is_none_is_refused_in_words(client, host):
    """No mistake of the browser's ends in a trace."""
    assert client.get("/api/snapshots", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", ""])
def test_an_origin_that_is_none_is_refused(client, origin):
    """As any other that is not the page's own."""
    assert client.get("/api/snapshots", headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("cookie", ["assay_token_8000=wrong", "a b;=;;\x01", "assay_token_8000", "=" * 300])
def test_a_cookie_that_is_none_does_not_let_in(workspace, cookie):
    """Refused as without one."""
    answer = stranger(workspace, VISITORS).get("/api/snapshots", headers={"cookie": cookie})
    assert answer.status_code == 401 and "token" in answer.text


def test_a_web_socket_is_closed(client):
    """Nothing of the explorer is one, so none is let past the guard."""
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/snapshots"):
        pass


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("::1%none", 0)])
def test_an_address_that_cannot_be_had_is_named(host, port):
    """With what to do; so is a port that somebody else has."""
    with pytest.raises(SpecError, match=f"cannot listen on {host}:{port}.*--port"):
        bind(host, port)
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SpecError, match=f"cannot listen on 127.0.0.1:{port}"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:1", "[::1]:9", "LOCALHOST"])
def test_this_machine_is_let_in(client, host):
    """Its usual names, with any port."""
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "file://"])
def test_other_origins_are_refused_on_every_method(client, method, origin):
    """Even a page on another port of this machine."""
    answer = client.request(method, "/api/1/points", headers={"origin": origin}, json={})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_own_page_may_post(client):
    """The same origin, as a browser sends it."""
    headers = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert client.post("/api/1/facets", json={"columns": ["label"]}, headers=headers).status_code == 200


def test_pages_of_other_sites_may_link_but_not_embed_or_fetch(client):
    """A colleague's link opens; an image, a script or a frame from elsewhere gets nothing."""
    away = {"sec-fetch-site": "cross-site"}
    assert client.get("/", headers=away | {"sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/api/1/thumbnail?row=0", headers=away | {"sec-fetch-mode": "no-cors"}).status_code == 403
    assert client.get("/api/snapshots", headers=away | {"sec-fetch-mode": "navigate"}).status_code == 403


def test_forms_and_oversized_bodies_are_refused(client):
    """A form of another page cannot send JSON; nobody needs four megabytes of it."""
    assert client.post("/api/1/facets", content="{}", headers={"content-type": "text/plain"}).status_code == 415
    huge = b'{"a": "' + b"x" * (5 * 2**20) + b'"}'
    assert client.post("/api/1/facets", content=huge, headers={"content-type": "application/json"}).status_code == 413


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_sealed(client, path):
    """A content-security policy without inline script, no sniffing, no framing, no other site."""
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy and ("default-src 'none'" in policy)
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_the_policy_allows_no_inline_script_or_style():
    """Only files of our own."""
    assert "script-src 'self';" in POLICY and "style-src 'self';" in POLICY and "unsafe" not in POLICY


def stranger(workspace, visitors, base="http://127.0.0.1:8000"):
    """A client without a token."""
    return TestClient(make_app(workspace, visitors), base_url=base, follow_redirects=False)


def test_an_explorer_without_visitors_is_closed(workspace):
    """Whoever starts one and says nothing of tokens gets one that nobody knows."""
    assert stranger(workspace, None).get("/api/snapshots").status_code == 401


@pytest.mark.parametrize(("base", "is_local"), [("http://127.0.0.1:8000", True), ("http://data.example", False)])
def test_every_bind_asks_for_the_token(workspace, base, is_local):
    """On this machine too: without it nothing; the printed link sets a cookie not for scripts or other sites."""
    client = stranger(workspace, Visitors({"secret": "kim"}, is_local), base)
    for path in PATHS:
        assert client.get(path).status_code == 401
    assert client.post("/api/1/decide", json={"kind": "drop", "ids": ["s/0000001"]}).status_code == 401
    assert read_decisions(workspace).is_empty()
    for wrong in ("wrong", "", "secre", "secret1", "%ff", "s\u00e9cret"):
        assert client.get(f"/?token={wrong}").status_code == 401
    assert client.get("/api/snapshots?token=secret").status_code == 401
    entered = client.get("/?token=secret")
    assert entered.status_code == 303 and entered.headers["location"] == "/"
    assert "HttpOnly" in entered.headers["set-cookie"] and "SameSite=Strict" in entered.headers["set-cookie"]
    assert client.get("/api/snapshots").status_code == 200
    assert client.get("/api/snapshots", headers={"origin": "http://evil.example"}).status_code == 403


def test_two_explorers_of_one_machine_keep_their_cookies(workspace):
    """A browser sends the cookies of 127.0.0.1 to all of its ports: entering one does not lock out of the other."""
    first, second = (stranger(workspace, Visitors({token: "kim"})) for token in ("one", "two"))
    cookies = {}
    for client, token, host in ((first, "one", "127.0.0.1:8000"), (second, "two", "127.0.0.1:8001")):
        entered = client.get(f"/?token={token}", headers={"host": host}).headers["set-cookie"]
        cookies |= dict([entered.split(";")[0].split("=", 1)])
    both = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    assert len(cookies) == 2
    assert first.get("/api/snapshots", headers=both | {"host": "127.0.0.1:8000"}).status_code == 200
    assert second.get("/api/snapshots", headers=both | {"host": "127.0.0.1:8001"}).status_code == 200


@pytest.mark.parametrize("cookie", ["assay_token_8000=", "assay_token_8000=\xff", "a b; =;", "assay_token=one", "\x00"])
def test_other_cookies_do_not_open(workspace, cookie):
    """Whatever stands in them."""
    client = stranger(workspace, Visitors({"one": "kim"}))
    assert client.get("/api/snapshots", headers=[("cookie", cookie.encode("latin-1"))]).status_code == 401


def test_tokens_are_compared_in_constant_time(workspace, monkeypatch):
    """Each of them, whether or not one was found already."""
    compared = []
    monkeypatch.setattr("assay.explorer.guard.hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert Visitors({"one": "kim", "two": "lee"}).token_of("one") == "one"
    assert compared == [(b"one", b"one"), (b"one", b"two")]


def test_a_link_from_elsewhere_comes_in_at_the_second_step(workspace):
    """A browser keeps a strict cookie back on a visit from another site: the page then opens itself once more."""
    client = stranger(workspace, Visitors({"one": "kim"}))
    away = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    again = client.get("/", headers=away)
    assert again.status_code == 401 and 'http-equiv="refresh"' in again.text
    assert client.get("/", headers={"sec-fetch-site": "same-origin"}).headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("visitors", "who"),
    [
        (Visitors({"one": "kim"}), "kim"),
        (Visitors({"one": None}, is_local=False), "guest@testclient"),
        (Visitors({"zero": None, "one": "lee"}, is_local=False), "lee"),
    ],
)
def test_a_decision_carries_who_made_it(workspace, visitors, who):
    """The name of the link's bearer; of a link that is handed round the address, never the explorer's account."""
    client = TestClient(make_app(workspace, visitors), base_url="http://localhost")
    bearer = {"authorization": "Bearer one"}
    made = client.post("/api/1/decide", json={"kind": "drop", "ids": ["s/0000001"]}, headers=bearer)
    client.post("/api/1/undo", json={"batch": made.json()["batch"]}, headers=bearer)
    assert read_decisions(workspace)["who"].to_list() == [who, who]


def test_links_of_an_explorer():
    """On this machine the account's own; elsewhere one without a name; guests their own. No two tokens are alike."""
    assert list(admit("127.0.0.1").names.values()) == [account()]
    away = admit("0.0.0.0", ["kim", "lee"])
    assert list(away.names.values()) == [None, "kim", "lee"] and not away.is_local
    assert len({*away.names, *admit("127.0.0.1").names}) == 4 and all(len(token) >= 32 for token in away.names)
    for wrong in (["kim", "kim"], [""], [" "], ["x" * 65], ["a\nb"]):
        with pytest.raises(SpecError, match="guest"):
            admit("127.0.0.1", wrong)


def test_the_browser_is_opened_without_the_token_on_its_command_line(monkeypatch):
    """Command lines are there for every account: it gets a file that only this account can read."""
    seen = []
    monkeypatch.setattr("assay.explorer.serve.webbrowser.open", lambda address: seen.append(address))
    with opened("http://127.0.0.1:1/?token=a&b"):
        for _ in range(200):
            if seen:
                break
            time.sleep(0.01)
        page = Path(url2pathname(urlsplit(seen[0]).path))
        assert "token" not in seen[0] and page.stat().st_mode & 0o077 == 0 and page.parent.stat().st_mode & 0o077 == 0
        assert "url=http://127.0.0.1:1/?token=a&amp;b" in page.read_text()
    assert not page.exists()


def test_a_body_is_counted_while_it_comes(workspace):
    """In chunks, without a length: 413 after four megabytes, with no more than one chunk read beyond them."""
    given = 0

    def chunks():
        nonlocal given
        for _ in range(2_000):
            given += 2**16
            yield b" " * 2**16

    class Counted:
        """ASGI around the explorer: the chunks one by one, as a server hands them on."""

        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            parts = chunks()

            async def slowly():
                return {"type": "http.request", "body": next(parts), "more_body": True}

            await self.app(scope, slowly, send)

    client = TestClient(Counted(make_app(workspace, VISITORS)), base_url="http://127.0.0.1", headers=BEARER)
    answer = client.post("/api/1/facets", content=b"{}", headers={"content-type": "application/json"})
    assert answer.status_code == 413 and given <= MOST_BODY_BYTES + 2**16


def test_a_body_that_does_not_come_is_not_waited_for(workspace, monkeypatch):
    """408, and the server goes on."""
    monkeypatch.setattr("assay.explorer.guard.BODY_SECONDS", 0.2)

    async def never():
        await asyncio.sleep(60)

    answers = []

    async def send(message):
        answers.append(message)

    headers = [(b"host", b"localhost"), (b"authorization", BEARER["authorization"].encode())]
    headers += [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/api/1/facets", "query_string": b"", "headers": headers}
    asyncio.run(make_app(workspace, VISITORS)(scope, never, send))
    assert answers[0]["status"] == 408


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd", "/../pyproject.toml"]
)
def test_no_path_leads_out_of_the_page(client, path):
    """Only the page's own files."""
    assert client.get(path).status_code in (404, 405)
