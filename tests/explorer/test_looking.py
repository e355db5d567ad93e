"""Looking in the page: names, rings and pictures on the plot, two plots beside each other, a sample's own pixels, and
the plot as a file."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.explorer.make_snapshot import CLASSES
from tests.explorer.page_driver import at, count, lasso, settle, state

pytestmark = pytest.mark.browser


def data_of(page, name):
    """What the plot says of itself."""
    settle(page)
    return page.locator("#plot").get_attribute(f"data-{name}")


def orange(page):
    """Pixels of the plot's points in the colour of a ring."""
    settle(page)
    return page.evaluate(
        """() => { const from = document.querySelector('#plot .ink'), to = document.createElement('canvas');
           to.width = from.width; to.height = from.height; const pen = to.getContext('2d'); pen.drawImage(from, 0, 0);
           const { data } = pen.getImageData(0, 0, to.width, to.height); let n = 0;
           for (let i = 0; i < data.length; i += 4)
             if (data[i + 3] > 200 && data[i] > 170 && data[i + 1] < 110 && data[i + 2] < 70) n++;
           return n; }"""
    )


def test_the_plot_tells_names_and_rings_and_is_silent_when_told(open_page):
    """Names of the classes stand on it until they are switched off; what is flagged has a ring while that is wanted."""
    page = open_page(path=at(p="map", c="split"), color_scheme="light")
    assert int(data_of(page, "names")) >= 5
    flagged = [option.get_attribute("value") for option in page.locator("#ring option").all()]
    assert "label_issue" in flagged
    page.select_option("#ring", "label_issue")
    ringed = orange(page)
    page.select_option("#ring", "none")
    assert orange(page) < ringed / 2 and ringed > 200
    page.get_by_role("button", name="Names on the plot").click()
    settle(page)
    assert page.get_by_role("button", name="Names on the plot").get_attribute("aria-pressed") == "false"


def test_points_are_pictures_when_there_is_room(open_page):
    """None on the whole map; with a few dozen points on the screen their thumbnails stand in their places."""
    page = open_page()
    assert data_of(page, "pictures") == "0"
    page.locator(".over").focus()
    for _ in range(9):
        page.keyboard.press("+")
    box = page.locator("#plot").bounding_box()
    settle(page)
    if data_of(page, "pictures") == "0":  # the middle of the ring is empty: to one of its clusters
        page.keyboard.press("0")
        settle(page)
        x, y = page.evaluate(
            """() => { const c = JSON.parse(document.getElementById('plot').dataset.camera);
               return [(6 - c.x) * c.scale, c.y * c.scale]; }"""
        )
        page.mouse.move(box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2 + y)
        for _ in range(7):
            page.mouse.wheel(0, -240)
            settle(page)
    assert int(data_of(page, "pictures")) > 5


def test_a_lasso_on_either_plot_of_a_comparison_lists_its_samples(open_page):
    """The same ground on both sides; what is drawn on the older lists samples of the older, and a click opens one."""
    page = open_page(path=at(p="compare"))
    page.wait_for_selector("#compare[data-ready]")
    for side, number in ((0, 1), (1, 2)):
        box = page.locator(".half .over").nth(side).bounding_box()
        cx, cy, r = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.48 * box["height"]
        page.mouse.move(cx - r, cy - r)
        page.mouse.down()
        for x, y in ((r, -r), (r, r), (-r, r), (-r, -r + 4)):
            page.mouse.move(cx + x, cy + y, steps=4)
        page.mouse.up()
        page.locator(".compare-list .lead", has_text=f"in the lasso of v{number}").wait_for()
        settle(page)
        assert int(re.search(r"([\d,]+) (?:samples|of)", page.locator(".lead").inner_text()).group(1).replace(",", ""))
    page.locator(".compare-list .card").first.click()
    page.wait_for_selector(".detail-scroll .id")


def test_a_sample_is_zoomed_to_its_pixels_and_moved(open_page):
    """Wheel, drag, keys; 0 shows the whole again."""
    page = open_page()
    settle(page)
    page.locator(".window .card").first.click()
    pane = page.locator(".detail-scroll .zoom").first
    settle(page)
    box = pane.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -600)
    settle(page)
    assert float(pane.get_attribute("data-scale")) > 3
    before = pane.locator("img").bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2 + 10, steps=4)
    page.mouse.up()
    assert pane.locator("img").bounding_box()["x"] == pytest.approx(before["x"] + 40, abs=2)
    pane.focus()
    page.keyboard.press("0")
    assert pane.get_attribute("data-scale") == "1"


def test_pictures_are_as_large_as_they_were_set(open_page):
    """The slider makes fewer and larger cards, the arrow beside the order turns it round, and both say so."""
    page = open_page(width=1440, height=900)
    settle(page)
    first = page.locator(".window .card").first
    before, sample = first.bounding_box()["width"], first.get_attribute("data-id")
    page.locator(".gallery-head .size").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    settle(page)
    assert first.bounding_box()["width"] > before + 40
    page.get_by_role("button", name="Largest first: turn round").click()
    settle(page)
    assert first.get_attribute("data-id") != sample
    page.get_by_role("button", name="Smallest first: turn round").click()
    settle(page)
    assert first.get_attribute("data-id") == sample


def test_the_plot_goes_out_as_a_drawing_and_as_a_picture(open_page):
    """SVG with a circle a point and the classes' names as text; PNG of the plot's size that is not empty."""
    page = open_page(path=at(p="map", c="label"))
    n = count(page)

    def taken(name):
        page.get_by_role("button", name="Take these samples away").click()
        with page.expect_download() as download:
            page.locator("#menu").get_by_role("button", name=name).click()
        settle(page)
        return Path(download.value.path())

    drawing = ElementTree.parse(taken("Drawing of the plot")).getroot()
    assert 0.9 * n < len(list(drawing.iter("{http://www.w3.org/2000/svg}circle"))) <= n
    names = {text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert len(names & set(CLASSES)) >= 5
    with Image.open(taken("Picture of the plot")) as picture:
        box = page.locator("#plot").bounding_box()
        assert picture.size == (round(box["width"]), round(box["height"])) and len(picture.getcolors(10**7)) > 50


def test_a_view_by_link_names_its_snapshot(open_page, serve, workspace):
    """What is opened by the copied link is the same selection of the same snapshot."""
    address = serve(workspace)
    page = open_page(address, permissions=["clipboard-read", "clipboard-write"])
    lasso(page, 3)
    n = count(page)
    page.get_by_role("button", name="Take these samples away").click()
    page.locator("#menu").get_by_role("button", name="Link to this view").click()
    settle(page)
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(address)
    other = open_page(address, "#" + link.split("#")[1])
    assert count(other) == n and state(other)["s"] == 2
