"""assay/sources/files.py: what may be opened, and what is refused with which reason."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import make_spec
from assay.sources import public_http
from assay.sources.files import LocalSource, open_source


def source_of(base: Path, **section):
    """A source of one spec section; a folder at `base` unless it says otherwise."""
    section = {"kind": "folder", "path": ".", **section}
    return open_source(make_spec({"name": "d", "modality": "image", "source": section}, base=base))


def refusal(source, uri: str) -> str:
    """The reason code that reading `uri` raises."""
    with pytest.raises(UnreadableSample) as caught:
        source.read(uri)
    return caught.value.reason


def test_reads_a_file_below_the_root(tmp_path):
    """A relative uri gives the file's bytes, its digest and its size."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.bin").write_bytes(b"xyz")
    source = source_of(tmp_path)
    assert source.read("a/b.bin") == b"xyz"
    assert source.digest("a/b.bin")[1] == 3
    assert source.stat("a/b.bin").size_bytes == 3


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("nothing.png", "not_found"),
        ("file.png/below", "not_found"),
        ("folder", "not_a_file"),
        ("/etc/passwd", "outside_root"),
        ("../data2/secret", "outside_root"),
        ("folder/../../secret", "outside_root"),
        ("a\0b", "bad_path"),
        ("", "bad_path"),
        ("\udcff.png", "bad_path"),
        ("x" * 5000, "unreadable"),
        ("http://169.254.169.254/latest/meta-data", "outside_root"),
        ("file:///etc/passwd", "outside_root"),
        ("s3://bucket/key", "outside_root"),
    ],
)
def test_refuses_with_a_true_reason(tmp_path, uri, reason):
    """Paths that leave the root, URLs, folders and absent files each have their code."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.png").write_bytes(b"x")
    assert refusal(source_of(tmp_path), uri) == reason


def test_special_files_are_never_opened(tmp_path):
    """A FIFO, a socket and a device are refused at once; opening the FIFO would hang."""
    os.mkfifo(tmp_path / "fifo")
    os.symlink("/dev/zero", tmp_path / "zero")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(tmp_path)
        server.bind("socket")
        os.chdir(place)
    source = source_of(tmp_path, follow_symlinks=True)
    assert [refusal(source, uri) for uri in ("fifo", "socket", "zero")] == ["not_a_file"] * 3
    assert {entry.uri: entry.reason for entry in source.scan()} == dict.fromkeys(
        ("fifo", "socket", "zero"), "not_a_file"
    )


def test_symbolic_links(tmp_path):
    """A link inside the root is read, one out of it only where the spec follows links."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "secret").write_bytes(b"s")
    (root / "real").write_bytes(b"r")
    os.symlink(outside / "secret", root / "out")
    os.symlink("real", root / "inside")
    assert source_of(root).read("inside") == b"r"
    assert refusal(source_of(root), "out") == "outside_root"
    assert source_of(root, follow_symlinks=True).read("out") == b"s"


def test_a_loop_of_links_ends(tmp_path):
    """A link to a folder above it is named once and not walked."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"x")
    os.symlink(tmp_path, tmp_path / "a" / "up")
    found = {entry.uri: entry.reason for entry in source_of(tmp_path, follow_symlinks=True).scan()}
    assert found == {"a/x.png": "", "a/up": "not_a_file"}
    found = {entry.uri: entry.reason for entry in source_of(tmp_path).scan()}
    assert set(found) == {"a/x.png", "a/up"} and found["a/up"]


def test_too_large(tmp_path):
    """A file over the limit is refused by its size, unread."""
    (tmp_path / "big").write_bytes(b"x" * 11)
    (tmp_path / "fits").write_bytes(b"x" * 10)
    source = source_of(tmp_path, max_file_bytes=10)
    assert refusal(source, "big") == "too_large"
    assert source.read("fits") == b"x" * 10
    assert [entry.reason for entry in source.scan()] == ["too_large", ""]


def test_unreadable(tmp_path):
    """A file without permission to read is its own reason."""
    (tmp_path / "locked").write_bytes(b"x")
    os.chmod(tmp_path / "locked", 0)
    if os.access(tmp_path / "locked", os.R_OK):
        pytest.skip("this user may read everything")
    assert refusal(source_of(tmp_path), "locked") == "unreadable"


def test_scan_is_sorted_and_leaves_litter_and_excluded_out(tmp_path):
    """Hidden files, desktop litter and excluded patterns are not there; the rest comes in the order of its uris."""
    for name in (
        "b/2.png",
        "b/1.png",
        "a-b/1.png",
        "a/1.png",
        ".hidden/x",
        ".DS_Store",
        "b/Thumbs.db",
        "skip/1.png",
        "t.tmp",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    uris = [entry.uri for entry in source_of(tmp_path, exclude=["skip", "*.tmp"]).scan()]
    assert uris == ["a-b/1.png", "a/1.png", "b/1.png", "b/2.png"]


def test_file_names_that_are_not_utf8(tmp_path):
    """Such a file is named, escaped, with its reason."""
    with open(os.path.join(os.fsencode(tmp_path), b"bad\xff.png"), "wb") as file:
        file.write(b"x")
    (entry,) = source_of(tmp_path).scan()
    assert (entry.uri, entry.reason) == ("bad\\xff.png", "bad_path")


def test_the_root_of_a_table_source(tmp_path):
    """A table's uris are relative to `root`, else to the folder of the tables."""
    cases = [
        ({"path": "x/t.csv"}, "x"),
        ({"path": "x/*.csv"}, "x"),
        ({"path": "x/y*/t.csv"}, "x"),
        ({"path": "t.csv", "root": "images"}, "images"),
        ({"files": {"a": "x/y/a.csv", "b": "x/y/z/b.csv"}}, "x/y"),
        ({"files": {"a": "a.csv", "b": "z/b.csv"}}, "."),
    ]
    for section, wanted in cases:
        section = {"kind": "table", **section}
        spec = make_spec({"name": "d", "modality": "image", "source": section}, base=tmp_path)
        assert open_source(spec).root == str((tmp_path / wanted).resolve()), section
    (tmp_path / "x").mkdir()
    spec = make_spec({"name": "d", "modality": "image", "source": {"kind": "table", "path": "x"}}, base=tmp_path)
    assert open_source(spec).root == str((tmp_path / "x").resolve())


def test_a_url_root(tmp_path):
    """Below an fsspec URL: relative uris and URLs of its own host are read, others are refused."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.pipe("/bucket/a/x.png", b"abc")
    files.pipe("/other/y.png", b"other")
    source = source_of(tmp_path, path="memory://bucket")
    assert [entry.uri for entry in source.scan()] == ["a/x.png"]
    assert source.read("a/x.png") == source.read("memory://bucket/a/x.png") == b"abc"
    for uri in (
        "memory://other/y.png",
        "s3://bucket/a/x.png",
        "/other/y.png",
        "../other/y.png",
        "memory://bucket/../other/y.png",
    ):
        assert refusal(source, uri) == "outside_root", uri
    assert refusal(source, "a/none.png") == "not_found"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://169.254.169.254/latest", "http://10.1.2.3/", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
     "http://localhost/", "http://2130706433/", "http://0.0.0.0/"],
)  # fmt: skip
def test_http_to_private_addresses_is_refused(tmp_path, url):
    """Loopback, private and link-local hosts are refused however they are spelled."""
    with pytest.raises(SourceError):
        source_of(tmp_path, path=url)


class _Site(BaseHTTPRequestHandler):
    """A site with one file, and a redirect to an address that must not be reached."""

    hosts: set[str] = set()

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.hosts.add(self.headers["Host"].split(":")[0])
        if self.path.endswith("away.png"):
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.2:{self.server.server_port}/ok.png")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"abc")

    def log_message(self, *_):
        pass


def test_http_redirects_to_private_addresses_are_refused(tmp_path, monkeypatch):
    """A public site cannot send the reader to a private address."""
    server = HTTPServer(("0.0.0.0", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(public_http, "is_public", lambda address: address == "127.0.0.1")
    try:
        source = source_of(tmp_path, path=f"http://127.0.0.1:{server.server_port}/folder")
        assert source.read("ok.png") == b"abc"
        assert refusal(source, "away.png") in ("unreadable", "not_found")
        assert _Site.hosts == {"127.0.0.1"}
    finally:
        server.shutdown()
        server.server_close()


def test_unknown_protocols_and_chains_are_one_message(tmp_path):
    """A scheme that nothing handles, or a chain of URLs, is the spec author's error."""
    for url in ("bogus://x", "simplecache::s3://bucket", "zip://a.csv::/etc/x.zip"):
        with pytest.raises(SourceError, match=url.split(":")[0]):
            source_of(tmp_path, path=url)


def test_imports_are_light():
    """Reading local files needs neither torch nor Prefect nor fsspec nor polars."""
    code = "import sys, assay.sources.files; print({'torch', 'prefect', 'fsspec', 'polars'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_a_file_url_is_a_local_path(tmp_path):
    """`file://` is a folder like any other, with the same rules."""
    (tmp_path / "x").write_bytes(b"x")
    source = source_of(tmp_path, path=f"file://{tmp_path}")
    assert isinstance(source, LocalSource) and source.read("x") == b"x"
    assert refusal(source, "../etc") == "outside_root"
