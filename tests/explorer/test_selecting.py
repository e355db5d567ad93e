"""Selections in the page: strokes that add up, cards that are chosen, filters that are edited, the way back."""

import re

import pytest

from tests.explorer.page_driver import at, count, lasso, settle, state

pytestmark = pytest.mark.browser


def test_shift_adds_to_a_lasso_and_alt_takes_away(open_page):
    """Two clusters are as many as both alone; taking one away again leaves the other."""
    page = open_page()
    lasso(page, 1)
    one = count(page)
    lasso(page, 4, key="Shift")
    both = count(page)
    assert both > one + 50 and len(state(page)["f"]["lasso"]) == 2
    lasso(page, 1, key="Alt")
    assert count(page) == both - one


def test_a_lasso_is_a_set_of_samples_that_outlives_its_projection(open_page):
    """On another projection the same samples are chosen; Back returns to the first, and then to everything."""
    page = open_page()
    everything = count(page)
    lasso(page, 2)
    n = count(page)
    page.get_by_role("button", name="PCA").click()
    assert count(page) == n and state(page)["m"] == "pca"
    page.go_back()
    assert count(page) == n and state(page).get("m", "umap") == "umap"
    page.go_back()
    assert count(page) == everything


def test_cards_are_chosen_with_ctrl_and_shift_and_decided_together(open_page, workspace):
    """Five cards by two clicks; the menu says how many a decision changes before it is made."""
    from assay.store.decisions import effective_decisions, read_decisions

    page = open_page()
    count(page)
    cards = page.locator(".window .card")
    cards.nth(1).click(modifiers=["Control"])
    cards.nth(5).click(modifiers=["Shift"])
    assert page.locator("#map .chosen-bar").inner_text().startswith("5 chosen")
    page.get_by_role("button", name="Decide …").click()
    settle(page)
    line = page.get_by_role("button", name=re.compile("Drop them"))
    assert "changes 5" in line.inner_text()
    line.click()
    settle(page)
    assert effective_decisions(read_decisions(workspace))["kind"].to_list() == ["drop"] * 5
    assert page.locator(".window .card.decided").count() == 5
    page.keyboard.press("Control+z")
    settle(page)
    assert effective_decisions(read_decisions(workspace)).is_empty()


def test_words_are_anded_and_an_empty_result_says_what_to_lift(open_page):
    """Two words narrow; with a third nothing is left, and one click on the offered condition brings samples back."""
    page = open_page()
    page.fill("#search", "bonsai")
    page.keyboard.press("Enter")
    one = count(page)
    page.fill("#search", "EOS bonsai")
    page.keyboard.press("Enter")
    two = count(page)
    assert 0 < two < one
    page.goto(page.url.split("#")[0] + at(p="map", f={"text": "bonsai", "values": {"label": ["no such class"]}}))
    page.reload()
    assert count(page) == 0
    page.get_by_role("button", name=re.compile("Lift “Label is no such class”")).click()
    assert count(page) == one


def test_a_condition_is_edited_where_it_stands(open_page):
    """A range is set by numbers; its chip says so; another is lifted by its cross."""
    page = open_page(path=at(p="map", f={"ranges": {"scores.dark": [0.1, 1]}}))
    before = count(page)
    page.locator(".chip .says").click()
    page.get_by_label("at least").last.fill("0.2")
    page.keyboard.press("Enter")
    assert count(page) < before and page.locator(".chip .says").inner_text() == "Dark ≥ 0.20"
    page.get_by_role("button", name=re.compile("^Lift: Dark")).click()
    settle(page)
    assert page.locator(".chip").count() == 0


def test_a_drag_of_a_slider_goes_on_while_counts_arrive(open_page):
    """The handle stays under the pointer through several answers, and keeps the focus."""
    page = open_page()
    count(page)
    handle = page.locator("[data-key='scores.dark'] input.lower")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + 8 + 12 * step, box["y"] + box["height"] / 2)
        page.wait_for_timeout(160)
    page.mouse.up()
    count(page)
    low = state(page)["f"]["ranges"]["scores.dark"][0]
    assert low == pytest.approx(96 / box["width"], abs=0.08)
    assert page.evaluate("document.activeElement.className") == "lower"


def test_a_view_is_saved_by_name_and_opened_again(open_page, workspace):
    """Filter and colour come back from the list of saved views, in another window too."""
    page = open_page()
    page.select_option("#color", "split")
    page.locator(".class-name", has_text="test").click()
    n = count(page)
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Name of this view").fill("the test split")
    page.keyboard.press("Enter")
    settle(page)
    other = open_page()
    assert count(other) > n
    other.get_by_role("button", name="Saved views").click()
    other.get_by_role("button", name=re.compile("^the test split")).click()
    assert count(other) == n and other.locator("#color").input_value() == "split"


def test_find_similar_asks_within_or_everywhere(open_page):
    """With a filter, both are offered: among the selected ones all results carry the class."""
    page = open_page(path=at(p="map", f={"values": {"label": ["ferry"]}}))
    n = count(page)
    page.locator(".window .card").first.click()
    page.wait_for_selector(".detail-scroll .actions")
    page.keyboard.press("s")
    page.get_by_role("button", name=re.compile("^Among the selected")).click()
    assert 0 < count(page) <= n
    labels = {card.inner_text().split("\n")[-1] for card in page.locator(".window .card .caption .label").all()}
    assert labels == {"ferry"}


def test_skip_leads_to_the_samples_and_leaves_the_view(open_page):
    """The first link of the page moves the focus, not the address."""
    page = open_page()
    lasso(page, 2)
    n = count(page)
    page.keyboard.press("Tab")
    page.locator("#skip").focus()
    page.keyboard.press("Enter")
    assert count(page) == n and page.evaluate("document.activeElement.id") == "gallery"


def test_panes_are_as_wide_as_they_were_pulled(open_page):
    """The gallery is pulled wider by its edge, by keys too, and is as wide after a reload."""
    page = open_page(width=1440, height=900)
    before = page.locator("#side").bounding_box()["width"]
    box = page.locator(".grip.right").bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] - 117, box["y"] + 300, steps=4)
    page.mouse.up()
    assert page.locator("#side").bounding_box()["width"] == pytest.approx(before + 120, abs=4)
    page.locator(".grip.right").focus()
    page.keyboard.press("ArrowRight")
    page.reload()
    settle(page)
    assert page.locator("#side").bounding_box()["width"] == pytest.approx(before + 96, abs=4)
