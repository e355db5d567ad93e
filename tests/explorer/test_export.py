"""The page as one file: the same samples, offline, with nothing to run but our own script."""

import json
import re

import pytest

from assay.contracts.errors import SnapshotError
from assay.explorer import export
from assay.explorer.export import MODULES, bundle, export_view
from assay.explorer.server import STATIC
from assay.store.snapshots import open_snapshot
from tests.explorer.make_snapshot import HOSTILE


@pytest.fixture(scope="module")
def page_file(home, tmp_path_factory):
    from assay.store.workspace import Workspace

    return export_view(open_snapshot(Workspace(home, "toy"), 1), tmp_path_factory.mktemp("out") / "view.html")


def test_every_module_of_the_page_is_in_the_file():
    """None is forgotten, none is left as an import, each comes after what it imports."""
    assert {f"{name}.js" for name in MODULES} == {path.name for path in STATIC.glob("*.js")}
    script = bundle()
    assert not re.search(r"^(import|export) ", script, flags=re.MULTILINE)
    for name in MODULES:
        source = (STATIC / f"{name}.js").read_text()
        wanted = re.findall(r'from "\./(\w+)\.js"', source)
        assert all(MODULES.index(other) < MODULES.index(name) for other in wanted)


def test_labels_cannot_leave_the_data(page_file):
    """No label opens a tag in the file; the policy allows two digests and no other script or style."""
    text = page_file.read_text()
    assert "<script>window.hacked" not in text and "<img src=x" not in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "unsafe" not in policy and policy.count("sha256-") == 2 and "default-src 'none'" in policy
    data = json.loads(re.search(r'id="assay-data">(.*?)</script>', text, flags=re.DOTALL)[1])
    assert len(data["ids"]) == 1200 and set(HOSTILE) <= set(data["columns"]["label"]["names"])


def test_too_many_samples_are_refused(home, tmp_path, monkeypatch):
    """Above the limit nothing is written, and the message says what to do instead."""
    from assay.store.workspace import Workspace

    monkeypatch.setattr(export, "MOST_SAMPLES", 100)
    with pytest.raises(SnapshotError, match="assay explore"):
        export_view(open_snapshot(Workspace(home, "toy")), tmp_path / "view.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_the_file_opens_offline_and_selects_like_the_server(browser, page_file, client):
    """From disk, without a network: drawn, and a confusion cell holds as many samples as the server says."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
    page.goto(page_file.as_uri())
    page.wait_for_selector("#plot[data-state=drawn]")
    page.get_by_role("button", name="Label quality").click()
    page.get_by_role("tab", name="Confusion").click()
    page.locator(".cell").first.click()
    page.wait_for_selector(".window .card img")
    given, suggested, n = client.get("/api/1/confusion").json()["cells"][0]
    name = page.locator("#chips .chip").inner_text()
    shown = page.locator(".window .card").count()
    answer = client.post("/api/1/facets", json={"filter": {"cell": name.split(" → ")}, "columns": []}).json()
    assert shown == answer["selected"] > 0
    page.locator(".window .card").first.click()
    page.wait_for_selector(".detail-scroll .scores")
    assert page.evaluate("window.hacked === undefined") and problems == []
    context.close()
