"""Who may ask: Host, Origin, token, and the headers of every answer."""

import pytest
from starlette.testclient import TestClient

from assay.explorer.guard import POLICY
from assay.explorer.server import make_app

PATHS = ["/", "/api/snapshots", "/static/app.js", "/api/1/thumbnail?row=0", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "user@127.0.0.1", "127.0.0.1/x"]
)
def test_other_hosts_are_refused(client, path, host):
    """A name that somebody pointed at this machine does not open the page."""
    assert client.get(path, headers={"host": host}).status_code == 421


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


def test_a_remote_bind_asks_for_the_token(workspace):
    """Without it nothing; the printed address sets a cookie that is not for scripts or other sites."""
    client = TestClient(make_app(workspace, token="secret"), base_url="http://data.example", follow_redirects=False)
    assert client.get("/api/snapshots").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/static/app.js").status_code == 401
    entered = client.get("/?token=secret")
    assert entered.status_code == 303 and entered.headers["location"] == "/"
    assert "HttpOnly" in entered.headers["set-cookie"] and "SameSite=Strict" in entered.headers["set-cookie"]
    assert client.get("/api/snapshots").status_code == 200
    assert client.get("/api/snapshots", headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd", "/../pyproject.toml"]
)
def test_no_path_leads_out_of_the_page(client, path):
    """Only the page's own files."""
    assert client.get(path).status_code in (404, 405)
