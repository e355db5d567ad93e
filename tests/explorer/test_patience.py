"""Slow clients of a real server are let go, and quick ones served meanwhile."""

import contextlib
import json
import socket
import time
import urllib.request
from urllib.parse import urlsplit

import pytest

from assay.explorer import patience
from tests.explorer.visit import BEARER


@pytest.fixture
def address(serve, workspace, monkeypatch):
    """A server that looks every tenth of a second."""
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.1)
    return serve(workspace)


def connected(address):
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def seconds_until_closed(connection, drip=b""):
    """How long a connection lives, sending a byte now and then."""
    begin = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() - begin < 15:
        try:
            if drip:
                connection.sendall(drip)
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begin


def quick(address):
    """A request that must be answered."""
    request = urllib.request.Request(address + "api/snapshots", headers=BEARER)
    return json.loads(urllib.request.urlopen(request, timeout=10).read())


@pytest.mark.parametrize("start", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nx: "])
@pytest.mark.parametrize("drip", [b"", b"a"])
def test_a_request_that_never_ends_is_let_go(address, start, drip):
    """One that sends nothing, half a head, or a head byte by byte."""
    with connected(address) as connection:
        if start:
            connection.sendall(start)
        assert quick(address)["dataset"] == "toy"
        assert seconds_until_closed(connection, drip if start else b"") < 5


def test_the_next_request_of_a_connection_is_not_waited_for_either(address):
    """A first good request buys no endless second one."""
    head = f"GET /api/snapshots HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BEARER['authorization']}\r\n\r\n"
    with connected(address) as connection:
        connection.sendall(head.encode())
        assert connection.recv(15).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /api/snap")
        assert seconds_until_closed(connection, b"s") < 5


def test_a_client_that_does_not_take_its_answers_is_let_go(address):
    """It asks again and again and reads nothing: its connection ends, and memory is given back."""
    head = f"GET /static/plot.js HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BEARER['authorization']}\r\n\r\n"
    with connected(address) as connection:
        connection.settimeout(0.2)
        with contextlib.suppress(OSError):
            for _ in range(200):
                connection.sendall(head.encode() * 50)
        time.sleep(2.5)
        begin, ended = time.monotonic(), False
        while not ended and time.monotonic() - begin < 10:
            try:
                ended = not connection.recv(2**20)  # what was on its way
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended
    assert quick(address)["dataset"] == "toy"


def test_a_client_that_takes_its_time_is_served(address):
    """Half a second between two requests of one connection."""
    head = f"GET /api/snapshots HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BEARER['authorization']}\r\n\r\n"
    with connected(address) as connection:
        for _ in range(4):
            connection.sendall(head.encode())
            assert connection.recv(15).startswith(b"HTTP/1.1 200")
            time.sleep(0.4)
            connection.settimeout(0.2)
            while connection.recv(65536)[-1:] != b"}":
                pass
            connection.settimeout(10)
