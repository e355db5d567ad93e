"""The Prefect server of our own: what it needs before it starts, and what stands before it."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys

import pytest

from assay.contracts.errors import AssayError
from flows import prefect_server
from flows.prefect_server import Guard, Server, configured_server, listen, set_damaged_database_aside, write_private


def ended_server(folder) -> Server:
    """One whose process could not start."""
    with contextlib.closing(listen(0)) as listening:  # and let go of: nobody answers there
        server = Server(folder, listening)
    server.process = subprocess.Popen([sys.executable, "-c", ""])
    server.process.wait()
    server.log.write_text("some\nthe reason\n")
    return server


def test_a_server_that_does_not_start_says_why(tmp_path):
    """The last line of its log, and where the rest is."""
    with pytest.raises(AssayError, match=r"did not start \(the reason\); see .*server\.log"):
        ended_server(tmp_path).wait()


def test_a_server_without_room_for_its_database_is_a_full_disk(tmp_path, monkeypatch):
    """A disk that is full from the start is named, and not the server that could not start on it."""
    server = ended_server(tmp_path)
    monkeypatch.setattr(prefect_server.tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb"))
    with pytest.raises(AssayError, match="is full"):
        server.wait()


@pytest.mark.parametrize("damage", ["noise", "flipped page", "truncated", "none"])
def test_a_damaged_record_of_past_runs_ends_no_night(tmp_path, damage, capsys):
    """It is set aside and told; one that is sound stays."""
    path = tmp_path / "prefect.db"
    with sqlite3.connect(path) as database:
        database.execute("create table runs (id integer primary key, name text)")
        database.executemany("insert into runs (name) values (?)", [("x" * 500,)] * 200)
    database.close()
    data = path.read_bytes()
    if damage == "noise":
        path.write_bytes(os.urandom(4096))
    elif damage == "flipped page":
        path.write_bytes(data[:4096] + bytes(byte ^ 0xFF for byte in data[4096:8192]) + data[8192:])
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    set_damaged_database_aside(path)
    assert path.exists() == (damage == "none")
    assert len(list(tmp_path.glob("prefect.db.damaged-*"))) == (damage != "none")
    assert ("was damaged" in capsys.readouterr().err) == (damage != "none")


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"host": "127.0.0.1:4200"}, True),
        ({"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200"}, True),
        ({"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4201"}, False),
        ({"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200.evil.example"}, False),
        ({"host": "127.0.0.1:4200", "origin": "null"}, False),
        ({"host": "127.0.0.1:4200", "origin": ""}, False),
        ({"host": "evil.example"}, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, False),
        ({"host": "127.0.0.1.evil.example:4200"}, False),
        ({"host": ""}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_guard_lets_pass_only_our_host_and_our_pages(headers, passes, kind):
    """By `Host` and `Origin`, before the application sees anything."""
    seen, sent = [], []

    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    asyncio.run(Guard(app, ["127.0.0.1"])(scope, None, send))
    assert seen == [kind] * passes
    if not passes:
        refusals = {"http": ("status", 403), "websocket": ("code", 1008)}
        name, value = refusals[kind]
        assert sent[0][name] == value


def test_two_hosts_in_one_request_pass_nobody():
    """Nobody knows which of them the next one takes."""
    seen = []

    async def app(*_):
        seen.append(1)

    async def send(_):
        pass

    scope = {"type": "http", "headers": [(b"host", b"127.0.0.1"), (b"host", b"evil.example")]}
    asyncio.run(Guard(app, ["127.0.0.1"])(scope, None, send))
    assert seen == []


def test_a_port_that_is_taken_is_left_to_its_owner():
    """Another is listened on, and only on this machine."""
    first = listen(0)
    second = listen(first.getsockname()[1])
    assert second.getsockname()[0] == "127.0.0.1" and second.getsockname()[1] != first.getsockname()[1]
    first.close()
    second.close()


def test_a_private_file_is_replaced_whole_and_readable_by_nobody_else(tmp_path):
    """Also where one lay there that all could read."""
    path = tmp_path / "password"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new\n" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("profiles", "environment", "address"),
    [
        (None, {}, ""),
        ("", {}, ""),
        ("active = 'local'\n[profiles.local]\n", {}, ""),
        ("active = 'ours'\n[profiles.ours]\nPREFECT_API_URL = 'http://a/api'\n", {}, "http://a/api"),
        ("active = 'x'\n[profiles.ours]\nPREFECT_API_URL = 'b'\n", {"PREFECT_PROFILE": "ours"}, "b"),
        ("active = ", {}, ""),
        ("profiles = 3", {}, ""),
        (None, {"PREFECT_API_URL": "http://c/api"}, "http://c/api"),
    ],
)
def test_a_configured_server_is_found_where_prefect_looks(tmp_path, monkeypatch, profiles, environment, address):
    """In the environment, or in the active profile; a profile without an address configures none."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if profiles is not None:
        (tmp_path / "profiles.toml").write_text(profiles)
    assert configured_server() == address
