"""A bucket of one's own, and homes on it, each with its own cache as on a machine of its own."""

import itertools
import os

import pytest

from assay.remote import address, home, objects
from assay.remote.address import local_home
from assay.store.workspace import Workspace
from tests.remote.server import Proxy, start_moto

SECRET = "Zm9yYmlkZGVuLXRvLXdyaXRl"
BUCKETS = itertools.count(1)


@pytest.fixture(scope="session")
def moto():
    """The port of a server."""
    pytest.importorskip("obstore")
    process, port = start_moto()
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def proxy(moto, monkeypatch, tmp_path):
    """The way to the server, named in the environment as a user would."""
    proxy = Proxy(moto)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(objects, "PAUSES", (0.01, 0.02))
    home._objects.cache_clear()
    yield proxy
    proxy.server.shutdown()
    proxy.server.server_close()


@pytest.fixture
def url(proxy):
    """The address of a home in a new bucket."""
    import http.client

    bucket = f"bucket-{next(BUCKETS)}"
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
    connection.request("PUT", f"/{bucket}", headers={"host": f"127.0.0.1:{proxy.port}"})
    assert connection.getresponse().status == 200
    return f"s3://{bucket}/some/prefix"


@pytest.fixture
def machine(url, tmp_path, monkeypatch):
    """`machine("a")`: the workspace `toy` of the home, as machine `a` has it."""

    def on(name: str, dataset: str = "toy") -> Workspace:
        with monkeypatch.context() as patch:
            patch.setattr(address, "cache_folder", lambda: tmp_path / "machines" / name)
            return Workspace(local_home(url).resolve(), dataset)

    return on
