"""The page as one file: the same samples, offline, with nothing to run but our own script."""

import base64
import io
import json
import re
from urllib.parse import unquote

import pytest
from PIL import Image

from assay.contracts.errors import SnapshotError
from assay.explorer import answers, export
from assay.explorer.export import STATIC, bundle, export_view, in_order
from assay.reading.columns import View
from assay.store.snapshots import open_snapshot
from tests.explorer.make_snapshot import HOSTILE, make_snapshot


@pytest.fixture(scope="module")
def page_file(home, tmp_path_factory):
    from assay.store.workspace import Workspace

    return export_view(open_snapshot(Workspace(home, "toy"), 1), tmp_path_factory.mktemp("out") / "view.html")


def test_every_module_of_the_page_is_in_the_file():
    """None is forgotten, none is left as an import, each comes after what it imports."""
    order, script = in_order(), bundle()
    assert {f"{name}.js" for name in order} == {path.name for path in STATIC.glob("*.js")}
    assert not re.search(r"^(import|export) ", script, flags=re.MULTILINE)
    for name in order:
        wanted = re.findall(r'from "\./(\w+)\.js"', (STATIC / f"{name}.js").read_text())
        assert all(order.index(other) < order.index(name) for other in wanted)


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


def test_many_samples_have_smaller_pictures(home, monkeypatch):
    """Above a few thousand, so that the file can still be sent; the same ones, and none where there is none."""
    from assay.store.workspace import Workspace

    view = View(open_snapshot(Workspace(home, "toy"), 1))
    large = [export._picture(view, row) for row in range(0, 60, 7)]
    monkeypatch.setattr(export, "SMALL_ABOVE", 100)
    small = [export._picture(view, row) for row in range(0, 60, 7)]
    for one, other in zip(large, small, strict=True):
        image = Image.open(io.BytesIO(base64.b64decode(other)))
        assert max(image.size) <= export.SMALL and len(other) <= len(one)


def test_nothing_is_offered_that_needs_the_server(home, monkeypatch):
    """Nor search by a picture, whatever the snapshot's embedder could do."""
    from assay.store.workspace import Workspace

    for name in ("can_search_pictures", "can_search_words"):
        monkeypatch.setattr(answers, name, lambda view: True)
    view = View(open_snapshot(Workspace(home, "toy"), 1))
    offered = ("has_vectors", "has_words", "has_pictures")
    assert all(answers.describe(view)[name] for name in offered)
    assert not any(export.collect(view)["meta"][name] for name in offered)


def test_captions_are_in_the_file(tmp_path):
    """Of captioned pictures, cut as on the server's cards; samples of another kind have none."""
    from assay.store.workspace import Workspace

    path = make_snapshot(tmp_path, "toy", 30, 1, hostile=False)
    assert export.collect(View(open_snapshot(Workspace(tmp_path, "toy"), 1)))["captions"] is None
    manifest = json.loads((path / "manifest.json").read_text())
    face = {"kind": "captioned", "plural": "pairs", "facts": "image_facts", "preview": "thumbnail", "text": ""}
    (path / "manifest.json").write_text(json.dumps(manifest | {"face": face | {"caption": "caption"}}))
    captions = export.collect(View(open_snapshot(Workspace(tmp_path, "toy"), 1)))["captions"]
    assert len(captions) == 30 and captions[1] == "view of bonsai"


def test_modules_that_import_each_other_are_refused(tmp_path, monkeypatch):
    """One of the two would run before what it needs; the message draws the circle."""
    for name, other in (("app", "one"), ("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.js").write_text(f'import {{ x }} from "./{other}.js";\n')
    monkeypatch.setattr(export, "STATIC", tmp_path)
    with pytest.raises(ValueError, match="app → one → two → one"):
        in_order()


@pytest.fixture
def offline_page(browser, page_file):
    """The file opened from disk, without a network; fails on any script error or refused script."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
    page.goto(page_file.as_uri())
    page.wait_for_selector("body[data-started]")
    yield page
    context.close()
    assert problems == []


@pytest.mark.browser
def test_the_file_opens_offline_and_selects_like_the_server(offline_page, client):
    """Drawn, and a confusion cell holds as many samples as the server says."""
    page = offline_page
    page.get_by_role("button", name="Tables").click()
    page.get_by_role("tab", name="Confusion").click()
    page.locator(".cell").first.click()
    page.wait_for_selector(".window .card img")
    wanted = json.loads(unquote(page.evaluate("location.hash.slice(1)")))["f"]
    shown = page.locator(".window .card").count()
    answer = client.post("/api/1/facets", json={"filter": wanted, "columns": []}).json()
    assert shown == answer["selected"] > 0
    page.locator(".window .card").first.click()
    page.wait_for_selector(".detail-scroll .scores")
    assert page.evaluate("window.hacked === undefined")


@pytest.mark.browser
@pytest.mark.parametrize("words", ["EOS bonsai", "view of", '"view of ferry" pixel', "s/000003 train", "no such thing"])
def test_the_file_finds_the_same_words_as_the_server(offline_page, client, words):
    """Each word in any column of the source, as the server reads them."""
    page = offline_page
    page.keyboard.press("/")
    page.fill("#search", words)
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)
    answer = client.post("/api/1/facets", json={"filter": {"text": words}, "columns": []}).json()
    assert int(page.locator("#plot").get_attribute("data-count")) == answer["selected"]


@pytest.mark.browser
def test_the_file_tells_the_same_night(offline_page, client):
    """The headline is the server's; what could be reviewed leads to its samples on the map."""
    page, told = offline_page, client.get("/api/1/overview").json()
    assert page.locator(".headline").inner_text() == told["sentence"]
    assert page.locator(".thing").count() == len(told["worth"])
    page.get_by_role("button", name="Review: Labels that look wrong").click()
    page.wait_for_selector(".window .card .suggested")
    assert page.get_by_role("button", name="Evaluation").count() == 0
