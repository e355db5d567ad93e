"""A visitor of the explorer who knows its token."""

from starlette.testclient import TestClient

from assay.explorer.guard import Visitors
from assay.explorer.server import make_app

TOKEN = "a-token-of-the-tests"
BEARER = {"authorization": f"Bearer {TOKEN}"}
VISITORS = Visitors({TOKEN: "tester"})


def client_of(workspace, **options):
    """An HTTP client that stands on this machine and knows the token."""
    return TestClient(make_app(workspace, VISITORS), base_url="http://127.0.0.1:8000", headers=BEARER, **options)
