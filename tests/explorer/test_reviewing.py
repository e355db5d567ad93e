"""Review in the page: queues that shrink by keys, any label, undo, progress that is there tomorrow."""

import re

import polars as pl
import pytest

from assay.store.decisions import effective_decisions, read_decisions
from tests.explorer.page_driver import at, settle

pytestmark = pytest.mark.browser


def standing(workspace):
    """What is decided by now, as kinds by sample."""
    made = effective_decisions(read_decisions(workspace))
    return dict(made.select("sample_id", "kind").iter_rows())


def progress(page):
    """What the head of the queue says."""
    settle(page)
    return page.locator("#progress").inner_text()


def test_all_label_issues_by_keys_alone(open_page, workspace):
    """One key an issue; the queue ends with what comes next, and every decision is the one that was made."""
    page = open_page(path=at(p="review", q="label_issue"))
    total = int(progress(page).split(" of ")[1])
    flagged = pl.read_parquet(workspace.snapshots / "v00000002/label_issues/*.parquet").filter("is_issue")
    assert total == len(flagged) > 10
    worst = page.locator(".item-host").get_attribute("data-id")
    page.keyboard.press("r")
    for _ in range(total - 1):
        page.wait_for_selector(".review-item.is-label")
        page.keyboard.press("a")
    page.wait_for_selector("#review[data-ready='label_issue:done']")
    settle(page)
    made = standing(workspace)
    assert made[worst] == "reject_label" and len(made) == total
    assert progress(page) == f"{total} of {total}"
    assert page.get_by_role("button", name=re.compile("^Next: ")).is_visible()


def test_undo_comes_back_to_the_item_and_progress_outlives_the_page(open_page, serve, workspace):
    """Ctrl+Z reopens the last one; another window begins where this one stopped."""
    address = serve(workspace)
    page = open_page(address, at(p="review", q="label_issue"))
    settle(page)
    first = page.locator(".item-host").get_attribute("data-id")
    page.keyboard.press("a")
    settle(page)
    second = page.locator(".item-host").get_attribute("data-id")
    page.keyboard.press("d")
    assert progress(page).startswith("2 of")
    page.keyboard.press("Control+z")
    assert progress(page).startswith("1 of")
    assert page.locator(".item-host").get_attribute("data-id") == second != first
    other = open_page(address, at(p="review", q="label_issue"))
    assert progress(other).startswith("1 of")
    assert other.locator(".item-host").get_attribute("data-id") == second
    assert standing(workspace) == {first: "accept_label"}


def test_any_label_is_given_by_a_few_letters_and_new_ones_too(open_page, workspace):
    """L, some letters, Enter: a class that exists, then one that does not, which is offered afterwards."""
    page = open_page(path=at(p="review", q="label_issue"))
    for typed, wanted in (("gram", "gramophone"), ("zeppelin", "zeppelin"), ("zep", "zeppelin")):
        settle(page)
        sample = page.locator(".item-host").get_attribute("data-id")
        page.keyboard.press("l")
        page.get_by_role("combobox", name="Another label").fill(typed)
        page.keyboard.press("Enter")
        settle(page)
        made = effective_decisions(read_decisions(workspace)).filter(pl.col("sample_id") == sample)
        assert made["value"].to_list() == [wanted]


def test_copies_stand_side_by_side_with_their_difference(open_page, workspace):
    """Both pictures and what differs; D drops the copy, 2 keeps it instead, K keeps both."""
    page = open_page(path=at(p="review", q="duplicate"))
    groups = pl.read_parquet(workspace.snapshots / "v00000002/duplicates/*.parquet")
    for key, kept, copy in (("d", None, "drop"), ("2", "drop", "keep"), ("k", "keep", "keep")):
        settle(page)
        assert page.locator(".three .zoom").count() == 2 and page.locator(".three .difference").count() == 1
        assert re.search("differ|same", page.locator(".differs figcaption").inner_text())
        first = page.locator(".item-host").get_attribute("data-id")
        page.keyboard.press(key)
        settle(page)
        members = groups.filter(pl.col("group_id") == first)
        made = standing(workspace)
        assert made.get(members.filter("keep")["sample_id"][0]) == kept
        assert made.get(members.filter(~pl.col("keep"))["sample_id"][0]) == copy


def test_many_at_once_are_chosen_in_the_grid(open_page, workspace):
    """The grid holds what is open; three chosen ones are kept together, and leave it."""
    page = open_page(path=at(p="review", q="outlier", g=True))
    settle(page)
    cards = page.locator("#review .window .card")
    n = cards.count()
    cards.nth(0).click(modifiers=["Control"])
    cards.nth(2).click(modifiers=["Shift"])
    page.get_by_role("button", name="Decide …").click()
    settle(page)
    page.get_by_role("button", name=re.compile("^Keep them")).click()
    settle(page)
    assert list(standing(workspace).values()) == ["keep"] * 3
    assert progress(page).startswith("3 of") and cards.count() == n - 3


def test_the_overview_tells_the_night_and_leads_on(open_page, workspace):
    """Headline, its numbers over the nights, what changed, five things with a button each that opens the queue."""
    page = open_page(path="")
    head = page.locator(".headline").inner_text()
    assert head.startswith("1,180 images in ") and "labels look wrong" in head
    assert page.get_by_role("heading", name="Since v1").is_visible()
    assert 1 <= page.locator(".thing").count() <= 5
    assert page.get_by_role("img", name="Samples over 2 snapshots").is_visible()
    assert page.locator(".spark path").first.get_attribute("d").count("L") == 1
    page.get_by_role("button", name="Review: Labels that look wrong").click()
    page.wait_for_selector(".review-item.is-label")
    page.keyboard.press("a")
    settle(page)
    page.get_by_role("button", name="Overview", exact=True).click()
    page.locator(".thing", has_text="1 done").wait_for()


def test_predictions_that_are_brought_are_evaluated(open_page, workspace, tmp_path):
    """A dropped CSV file: accuracy, worst classes, calibration; a number of errors opens exactly them."""
    from tests.explorer.page_driver import count

    samples = pl.read_parquet(workspace.snapshots / "v00000002/samples/*.parquet")
    wrong = samples["position"] % 10 == 3
    predicted = samples.select("sample_id", predicted=pl.when(wrong).then(pl.lit("chair")).otherwise("label"))
    predicted = predicted.with_columns(probability=pl.lit(0.99))
    predicted.write_csv(tmp_path / "predictions.csv")
    errors = int((predicted["predicted"] != samples["label"]).sum())
    page = open_page(path=at(p="evaluation"))
    try:
        page.set_input_files("#evaluation input[type=file]", tmp_path / "predictions.csv")
        page.wait_for_selector("#evaluation[data-ready=true]")
        assert "too sure of itself" in page.locator("#evaluation").inner_text()
        page.locator("#evaluation .headline .link").click()
        assert count(page) == errors
    finally:
        (workspace.root / "predictions.parquet").unlink(missing_ok=True)


def test_on_a_slow_line_there_is_something_to_read_within_two_seconds(browser, serve, workspace):
    """400 ms away at 60 kB a second: the night's sentence stands there long before the page can be used."""
    from tests.explorer.visit import BEARER

    context = browser.new_context(extra_http_headers=BEARER)
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    slow = {"offline": False, "latency": 400, "downloadThroughput": 60_000, "uploadThroughput": 60_000}
    line.send("Network.emulateNetworkConditions", slow)
    page.goto(serve(workspace), wait_until="commit")
    page.wait_for_selector(".headline", timeout=2_000)
    assert page.locator(".headline").inner_text().startswith("1,180 images in ")
    page.wait_for_selector("#overview[data-ready]", timeout=20_000)
    context.close()
