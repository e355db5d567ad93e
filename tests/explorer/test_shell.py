"""What a browser gets first: the page with its headline, its script and style as one file each, packed or not."""

import gzip
import json

import pytest

from assay.explorer.export import bundle, sheets
from assay.explorer.shell import first_page
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import make_snapshot


def body(workspace):
    return first_page(workspace).body.decode()


def test_the_headline_is_there_before_any_script_runs(workspace):
    """The newest snapshot's sentence, in the section that is shown first."""
    page = body(workspace)
    assert '<div class="overview"><p class="headline">1,180 images' in page
    assert 'id="overview" class="page" aria-label="Overview" hidden' not in page
    assert page.count("/static/page.js") == page.count("/static/page.css") == 1 and "/static/app.js" not in page


def test_what_a_manifest_says_is_text_in_the_page(tmp_path):
    """A face of somebody's own modality may be called anything."""
    path = make_snapshot(tmp_path, "toy", 20, 1, hostile=False)
    manifest = json.loads((path / "manifest.json").read_text())
    face = {"kind": "none", "plural": "<script>alert(1)</script>", "facts": "", "preview": "", "text": ""}
    (path / "manifest.json").write_text(json.dumps(manifest | {"face": face}))
    page = body(Workspace(tmp_path, "toy"))
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page


@pytest.mark.parametrize("broken", [None, "{", "[]", "{}", '{"tables": {"classes": {"files": [{"path": "gone"}]}}}'])
def test_without_a_readable_snapshot_the_page_itself_comes(tmp_path, broken):
    """It says what is wrong; the first answer is never an error."""
    workspace = Workspace(tmp_path, "toy")
    if broken is not None:
        folder = workspace.snapshots / "v00000001"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(broken)
    answer = first_page(workspace)
    assert answer.status_code == 200 and "/static/page.js" in answer.body.decode()


@pytest.mark.parametrize(("name", "make"), [("page.js", bundle), ("page.css", sheets)])
def test_script_and_style_are_packed_where_the_browser_takes_that(client, name, make):
    """The same bytes either way, and a cache is told that they differ by what was asked for."""
    plain = client.get(f"/static/{name}", headers={"accept-encoding": "identity"})
    assert plain.text == make() and "content-encoding" not in plain.headers
    packed = client.get(f"/static/{name}", headers={"accept-encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip" and packed.headers["vary"] == "accept-encoding"
    assert packed.text == plain.text and len(gzip.compress(plain.content)) < len(plain.content) / 2
