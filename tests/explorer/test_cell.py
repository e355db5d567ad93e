"""The explorer in a notebook's cell: the widget's traits and messages, the page in a frame, an executed notebook."""

import base64
import json

import pytest

pytest.importorskip("anywidget", reason="a notebook's cell needs anywidget, of the extra `notebook`")

import nbformat
import polars as pl
from nbclient import NotebookClient

from assay.explorer.cell import MOST_POINTS, ExplorerCell
from assay.reading.filters import FilterError
from assay.store.decisions import read_decisions
from assay.store.snapshots import open_snapshot
from tests.explorer.make_snapshot import make_snapshot
from tests.explorer.page_driver import at

SHOWN = pl.col("label") == "bonsai"
NOTEBOOK = """
<!doctype html><title>notebook</title>
<body><script type="module">
const heard = { "msg:custom": [] }, traits = TRAITS;
const model = {
  get: (name) => traits[name],
  set(name, value) { traits[name] = value; },
  save_changes: () => window.kept(JSON.stringify(traits)),
  on: (name, run) => (heard[name] ??= []).push(run),
  off: () => {},
  async send(content, _, buffers = []) {
    const bytes = buffers[0] ? String.fromCharCode(...new Uint8Array(buffers[0])) : null;
    const [answer, body] = await window.kernel(JSON.stringify(content), bytes === null ? null : btoa(bytes));
    const view = body === null ? [] : [new DataView(Uint8Array.from(atob(body), (c) => c.charCodeAt(0)).buffer)];
    for (const run of heard["msg:custom"]) run(answer, view);
  },
};
window.given = (name, value) => { traits[name] = value; for (const run of heard[`change:${name}`]) run(); };
const widget = (await import(`data:text/javascript;base64,ESM`)).default;
widget.render({ model, el: document.body });
</script>
"""


@pytest.fixture
def cell(workspace):
    """The widget over the newest snapshot."""
    made = ExplorerCell(open_snapshot(workspace))
    yield made
    made.close()


@pytest.fixture
def framed(browser, cell):
    """The widget in a page that stands for the notebook; gives the notebook's page and the frame's."""
    context, problems = browser.new_context(viewport={"width": 1280, "height": 800}), []
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))

    def kernel(question, body):
        sent = None if body is None else base64.b64decode(body)
        answer, data = cell._workers.submit(cell.answer, json.loads(question), sent).result()
        return answer, None if data is None else base64.b64encode(data).decode()

    page.expose_function("kernel", kernel)
    page.expose_function("kept", lambda traits: cell.set_state(json.loads(traits)))
    traits = {name: getattr(cell, name) for name in ("filter", "number", "sample", "height")}
    esm = base64.b64encode(cell._esm.encode()).decode()
    html = NOTEBOOK.replace("TRAITS", json.dumps(traits)).replace("ESM", esm)
    page.route("http://notebook.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://notebook.test/")
    frame = page.frame_locator("iframe")
    frame.locator("body[data-started]").wait_for()
    yield page, frame
    context.close()
    assert problems == []


def test_what_is_selected_comes_back(cell):
    """A filter of the page gives its samples with what was found of them; no filter gives all."""
    everything = cell.selection
    assert everything.height == open_snapshot(cell._app.explorer.workspace).read("samples").height
    cell.set_state({"filter": {"values": {"label": ["bonsai"]}}})
    assert cell.selection.equals(everything.filter(SHOWN)) and 0 < cell.selection.height < everything.height
    assert {"sample_id", "label", "suggested_label", "issues"} <= set(cell.selection.columns)
    with pytest.raises(FilterError, match="a filter has the keys"):
        cell.filter = {"labels": ["bonsai"]}


def test_an_older_snapshot_is_what_is_opened_and_selected(home, workspace):
    """Its number stands in the page, and its samples are those that are given."""
    old = ExplorerCell(open_snapshot(workspace, 1))
    page = old.answer({"to": "a", "path": "page"}, None)[0]["page"]
    assert '<script type="application/json" id="assay-cell">{"s": 1}</script>' in page
    assert old.selection.height > ExplorerCell(open_snapshot(workspace)).selection.height


def test_the_kernel_answers_as_the_server_does(cell):
    """Questions are let in by the widget alone, under the same limits; a mistake is told in words."""
    told, body = cell.answer({"to": "a", "id": 7, "path": "/api/2/meta"}, None)
    assert told == {"to": "a", "id": 7, "status": 200, "type": "application/json"}
    assert json.loads(body)["most_points"] == MOST_POINTS
    assert cell.answer({"path": "/api/9/meta"}, None)[0]["status"] == 404
    assert cell.answer({"path": "/api/2/facets", "method": "POST"}, b"[")[0]["status"] == 400
    assert cell.answer({"path": "http://example.org/"}, None)[0]["status"] in (404, 421)
    assert cell.answer({"path": "/", "method": "no method"}, None)[0]["status"] >= 400


@pytest.mark.browser
def test_the_page_lives_in_a_cell(framed, cell):
    """Cards with pictures, a class picked in the page, a selection made in Python, a sample opened, a decision."""
    notebook, page = framed
    page.get_by_role("button", name="Map", exact=True).click()
    page.locator("#plot[data-state=drawn]").wait_for()
    page.locator(".card img[src^='blob:']").first.wait_for()
    notebook.evaluate("given('filter', { values: { label: ['bonsai'] } })")
    page.locator(".conditions .chip").wait_for()
    cell.filter = {"values": {"label": ["bonsai"]}}
    expected = cell.selection.height
    page.locator(f"#plot[data-selected='{expected}']").wait_for()
    page.locator(".conditions .chip button").last.click()
    page.locator(f"#plot[data-selected='{open_rows(cell)}']").wait_for()
    assert cell.filter == {}
    page.locator(".card").first.click()
    page.locator("#detail img").first.wait_for()
    assert cell.sample in set(cell.selection["sample_id"])
    page.get_by_role("button", name="Keep").first.click()
    page.locator("#toast.on").wait_for()
    kept = read_decisions(cell._app.explorer.workspace)
    assert kept["sample_id"].to_list() == [cell.sample] and kept["kind"].to_list() == ["keep"]


def open_rows(cell):
    """How many samples the newest snapshot has."""
    return open_snapshot(cell._app.explorer.workspace).read("samples").height


@pytest.mark.browser
def test_the_frame_reaches_nothing_else(framed):
    """Neither the notebook's page nor any address: it is an origin of its own, whose policy lets nothing load."""
    _, page = framed
    body = page.locator("body")
    assert body.evaluate("() => origin") == "null"
    assert body.evaluate("() => { try { return parent.document.title } catch (error) { return error.name } }") == (
        "SecurityError"
    )
    asks = "() => new Promise((done) => { const r = new XMLHttpRequest(); r.onload = () => done(1); r.onerror = () => "
    assert body.evaluate(asks + "done(0); r.open('GET', 'http://notebook.test/'); r.send(); })") == 0


@pytest.mark.slow
def test_a_notebook_shows_it_and_takes_what_is_selected(tmp_path):
    """An executed notebook: the cell's output is the widget, and its filter selects."""
    make_snapshot(tmp_path, "toy", 300, 1)
    lines = [
        f"import assay\ncell = assay.open('toy', home={str(tmp_path)!r}).explore()\ncell",
        "cell.filter = {'values': {'label': ['bonsai']}}\nset(cell.selection['label']), cell.height",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines])
    NotebookClient(notebook, timeout=200, startup_timeout=200).execute()
    shown, told = (cell.outputs[-1]["data"] for cell in notebook.cells)
    assert "application/vnd.jupyter.widget-view+json" in shown and told["text/plain"] == "({'bonsai'}, 760)"


def test_the_address_of_a_browser_names_the_snapshot(workspace):
    """Outside a notebook the link opens on the snapshot that was asked for."""
    from assay.explorer.background import start

    explorer = start(open_snapshot(workspace, 1))
    explorer.stop()
    assert explorer.link.endswith(at(s=1))
