"""The map in headless Chromium: load, colour, lasso, filter, decide, export, compare, share the view."""

import csv
import io
import re

import polars as pl
import pytest

from assay.explorer.serve import LEADS_ON
from assay.store.decisions import effective_decisions, read_decisions
from tests.explorer.make_snapshot import CLASSES
from tests.explorer.page_driver import MAP, count, even_odd, lasso, settle, state
from tests.explorer.visit import TOKEN

pytestmark = pytest.mark.browser
STARTED = "body[data-started]"


def colors_of(page, box):
    """How many pixels of a part of the plot have a strong colour, and how many are grey."""
    return page.evaluate(
        """([x, y, w, h]) => { const from = document.querySelector('#plot .ink'), to = document.createElement('canvas');
           to.width = from.width; to.height = from.height; const pen = to.getContext('2d'); pen.drawImage(from, 0, 0);
           const data = pen.getImageData(x, y, w, h).data; let strong = 0, grey = 0;
           for (let i = 0; i < data.length; i += 4) { if (data[i + 3] < 40) continue;
             const rgb = [data[i], data[i + 1], data[i + 2]];
             if (Math.max(...rgb) - Math.min(...rgb) > 60) strong++; else grey++; }
           return [strong, grey]; }""",
        box,
    )


def test_a_lasso_finds_the_planted_mislabelled_samples(open_page, workspace):
    """Around one cluster: exactly the oracle's samples, the wrong labels first; the rest of the plot turns grey."""
    page = open_page()
    count(page)
    strong, _ = colors_of(page, [0, 0, 630, 670])
    lasso(page, 3)
    n = count(page)
    polygon = state(page)["f"]["lasso"][0]["points"]
    rows = pl.read_parquet(workspace.snapshots / "v00000002/projection/*.parquet").filter(pl.col("method") == "umap")
    inside = [i for i, x, y in rows.select("sample_id", "x", "y").iter_rows() if even_odd(polygon, x, y)]
    assert n == len(inside) > 80
    issues = pl.read_parquet(workspace.snapshots / "v00000002/label_issues/*.parquet")
    wrong = issues.filter(pl.col("is_issue") & pl.col("sample_id").is_in(inside)).sort("score", descending=True)
    settle(page)
    first = [card.get_attribute("data-id") for card in page.locator(".window .card").all()[: len(wrong)]]
    assert len(wrong) and set(first) == set(wrong["sample_id"])
    assert page.locator(".window .card .suggested").first.inner_text() == f"→ {CLASSES[3]}"
    left, grey = colors_of(page, [0, 0, 630, 670])
    assert left < strong / 4 and grey > 500


def test_the_address_holds_the_whole_view(open_page, serve, workspace):
    """Colour, class, range and opened sample come back from the address alone, in another window."""
    address = serve(workspace)
    page = open_page(address)
    page.select_option("#color", "split")
    page.locator(".class-name", has_text="test").click()
    page.locator("[data-key='scores.blurry'] input.lower").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    n = count(page)
    page.locator(".window .card").nth(2).click()
    page.wait_for_selector(".detail-scroll .id")
    sample = page.locator(".detail-scroll .id").inner_text()
    other = open_page(address, "#" + page.evaluate("location.hash.slice(1)"))
    assert count(other) == n < 240
    assert other.locator(".detail-scroll .id").inner_text() == sample
    assert other.locator("#color").input_value() == "split"
    assert other.locator(".conditions .chip").count() == 2


def test_decide_with_the_keyboard_and_undo(open_page, workspace):
    """Open the worst, press A: it is written; Undo in the message takes it back."""
    page = open_page()
    count(page)
    page.locator(".window .card").first.click()
    page.wait_for_selector(".actions")
    page.keyboard.press("a")
    page.wait_for_selector(".made .chip")
    made = effective_decisions(read_decisions(workspace))
    assert made["kind"].to_list() == ["accept_label"]
    page.locator("#toast button").click()
    page.wait_for_selector(".made", state="detached")
    assert effective_decisions(read_decisions(workspace)).is_empty()
    page.keyboard.press("ArrowRight")
    settle(page)
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()


def test_isolate_a_class_and_export_it(open_page, workspace):
    """A click on the legend isolates; the file that is downloaded holds exactly that class."""
    page = open_page()
    page.select_option("#color", "label")
    page.locator(".class-name", has_text="dolphin").click()
    n = count(page)
    page.get_by_role("button", name="Take these samples away").click()
    with page.expect_download() as download:
        page.locator("#menu").get_by_role("button", name="CSV").first.click()
    rows = list(csv.DictReader(io.StringIO(open(download.value.path(), encoding="utf-8").read())))
    assert len(rows) == n > 50 and {row["label"] for row in rows} == {"dolphin"}


def test_confusion_cells_select(open_page):
    """A cell of the matrix shows as many samples as it counts, all with that pair of labels."""
    page = open_page()
    page.get_by_role("button", name="Tables").click()
    page.get_by_role("tab", name="Confusion").click()
    cell = page.locator(".cell").first
    wanted = int(cell.inner_text())
    cell.click()
    assert count(page) == wanted
    assert page.locator(".window .card").count() == wanted


def test_lists_tables_and_comparison(open_page):
    """Each list and table opens with its rows; the comparison draws both plots and counts what was removed."""
    page = open_page()
    for tab, row in (("Duplicates", ".dup"), ("Leaks", ".leak")):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_selector(f".panel {row}")
    page.get_by_role("button", name="Tables").click()
    for tab in ("Classes", "Noise", "Rejects", "Health"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_selector(f"#tables[data-ready={tab.lower()}] tbody tr")
    page.get_by_role("tab", name="Annotators").click()
    page.wait_for_selector("#tables[data-ready=annotators] .nothing")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#compare[data-ready]")
    assert page.locator(".half canvas.ink").count() == 2
    page.get_by_role("button", name=re.compile("^Removed")).click()
    page.locator(".compare-list .card").nth(19).wait_for()
    assert page.locator(".compare-list .card").count() == 20


def test_hostile_labels_and_texts_are_shown_as_text(open_page):
    """No label, caption or search ever becomes markup or script; the page stays as wide as it was."""
    page = open_page()
    page.select_option("#color", "label")
    page.get_by_role("button", name=re.compile("Show all")).click()
    assert page.get_by_text("<script>window.hacked=1</script>").first.is_visible()
    assert page.locator(".class-name", has_text="\ufffdgnp.exe").count() == 1
    for text in ("<img src=x onerror=window.hacked=1>", "xxxxxxxx", "'; drop"):
        page.fill("#search", text)
        page.keyboard.press("Enter")
        count(page)
    page.fill("#search", "<img src=x")
    page.keyboard.press("Enter")
    assert count(page) >= 1
    settle(page)
    page.locator(".window .card").first.click()
    page.wait_for_selector(".detail-scroll")
    assert page.evaluate("window.hacked === undefined && document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("renderer", ["webgl2", "canvas"])
def test_points_are_drawn_with_and_without_webgl(open_page, renderer):
    """Coloured pixels in a ring and none in its middle, in both renderers."""
    page = open_page(path=("?nogl" if renderer == "canvas" else "") + MAP)
    page.select_option("#color", "label")
    count(page)
    assert page.locator("#plot").get_attribute("data-renderer") == renderer
    box = page.locator("#plot").bounding_box()
    assert colors_of(page, [0, 0, int(box["width"]), int(box["height"])])[0] > 2_000
    middle = [int(box["width"] / 2) - 60, int(box["height"] / 2) - 60, 120, 120]
    assert colors_of(page, middle)[0] < 100


def test_a_phone_has_all_three_parts(open_page):
    """At 390 pixels: plot, filters and samples one at a time, nothing wider than the screen."""
    page = open_page(width=390, height=800, color_scheme="light", has_touch=True)
    for part, inside in (("Filters", "#color"), ("Samples", ".window .card"), ("Plot", "#plot canvas")):
        page.locator("#phone").get_by_role("button", name=part).click()
        assert page.locator(inside).first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_keyboard_reaches_plot_gallery_and_search(open_page):
    """Slash searches, arrows walk the gallery, Enter opens, plus zooms the plot and the address remembers."""
    page = open_page()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator(".window .card").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    settle(page)
    columns = int(page.evaluate("getComputedStyle(document.querySelector('.window')).getPropertyValue('--columns')"))
    assert page.evaluate("document.activeElement.dataset.index") == str(1 + columns)
    page.keyboard.press("Enter")
    page.wait_for_selector(".detail-scroll")
    page.keyboard.press("Escape")
    page.locator(".over").focus()
    page.keyboard.press("+")
    settle(page)
    assert state(page)["v"][2] == pytest.approx(1.4, rel=1e-3)


@pytest.mark.parametrize("through_a_file", [False, True])
def test_the_printed_link_opens_the_page_and_the_cookie_keeps_it_open(
    browser, serve, workspace, tmp_path, through_a_file
):
    """Typed, or by the file that the browser is given: the token leaves the address, and a reload works."""
    address = serve(workspace)
    link = f"{address}?token={TOKEN}"
    if through_a_file:
        (tmp_path / "open.html").write_text(LEADS_ON.format(link))
        link = (tmp_path / "open.html").as_uri()
    context = browser.new_context()
    try:
        page = context.new_page()
        assert page.goto(address).status == 401
        page.goto(link)
        page.wait_for_selector(STARTED)
        assert page.url.startswith(address) and "token" not in page.url
        page.reload()
        page.wait_for_selector(STARTED)
        elsewhere = context.new_page()
        (tmp_path / "chat.html").write_text(f'<a href="{address}">look</a>')
        elsewhere.goto((tmp_path / "chat.html").as_uri())
        elsewhere.click("a")
        elsewhere.wait_for_selector(STARTED)
    finally:
        context.close()
