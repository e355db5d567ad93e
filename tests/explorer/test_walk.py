"""A newcomer's walk: from the first page through every queue to the last defect, without a word of documentation.

With ASSAY_PICTURES set to a folder, the pictures of the documentation are written there on the way.
"""

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from assay.store.decisions import effective_decisions, read_decisions
from assay.store.workspace import Workspace
from tests.explorer.page_driver import at, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEYS = {"label_issue": "a", "duplicate": "d", "leak": "2"}  # what settles an item; any other kind is dropped


@pytest.fixture
def planted(digits_night, tmp_path):
    """The workspace of a night over digits with planted defects, without decisions."""
    root = digits_night.path.parents[1]
    shutil.copytree(root, tmp_path / "home" / "digits")
    return Workspace(tmp_path / "home", "digits")


def picture(page, name):
    """Write one picture of the documentation, where they are asked for."""
    folder = os.environ.get("ASSAY_PICTURES")
    if folder:
        page.mouse.move(3, 3)
        page.wait_for_timeout(900)
        page.screenshot(path=Path(folder) / f"explorer-{name}.png")


def test_a_newcomer_mends_the_dataset_to_the_last_defect(open_page, serve, planted):
    """Overview → review, one key an item, queue after queue → all done → the cleaned dataset as files."""
    page = open_page(serve(planted), path="", width=1440, height=900)
    picture(page, "overview")
    page.get_by_role("button", name="Map", exact=True).click()
    page.wait_for_selector("#plot[data-state=drawn]")
    settle(page)
    picture(page, "map")
    page.get_by_role("button", name="Overview", exact=True).click()
    page.locator(".thing").first.get_by_role("button").click()
    seen = {}
    while True:
        page.wait_for_selector(".review-item, .finished-view")
        settle(page)
        if page.locator(".finished-view").count():
            following = page.get_by_role("button", name="Next: ")
            if not following.count():
                break
            following.click()
            continue
        key = page.locator("#review").get_attribute("data-ready")
        if key not in seen:
            picture(page, {"label_issue": "review", "duplicate": "duplicates", "leak": "leaks"}.get(key, key))
        seen[key] = seen.get(key, 0) + 1
        suggested = page.get_by_role("button", name="It is ").count() > 1
        page.keyboard.press(("a" if suggested else "r") if key == "label_issue" else KEYS.get(key, "d"))
    picture(page, "finished")
    page.get_by_role("button", name="Overview", exact=True).click()
    page.get_by_text("Everything is reviewed.").wait_for()
    assert page.locator(".thing").filter(has_text="Review").count() == 0
    page.get_by_role("button", name="Take the cleaned dataset").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV to train on").click()
    check(planted, seen, Path(download.value.path()))


def check(planted, seen, file):
    """What was taken is what the decisions say: no defect is left that the snapshot knows of."""
    read = {
        name: pl.read_parquet(planted.snapshots / "v00000001" / name / "*.parquet")
        for name in ("samples", "label_issues", "duplicates", "leaks")
    }
    flagged = read["label_issues"].filter("is_issue")
    assert seen["label_issue"] == len(flagged) and seen["duplicate"] > 0
    cleaned = pl.read_csv(file, infer_schema=False)
    gone = set(read["duplicates"].filter(~pl.col("keep"))["sample_id"])
    decided = effective_decisions(read_decisions(planted))
    gone |= set(decided.filter(pl.col("kind") == "drop")["sample_id"])
    assert set(cleaned["sample_id"]) == set(read["samples"]["sample_id"]) - gone
    mended = cleaned.join(flagged, on="sample_id").filter(pl.col("suggested_label").is_not_null())
    assert (mended["label"] == mended["suggested_label"]).all()


def test_the_first_right_decision_takes_a_few_steps(open_page, serve, planted):
    """Open, one click, one key; and what was done is there in the next window."""
    address = serve(planted)
    page = open_page(address, path="", width=1440, height=900)
    page.locator(".thing").first.get_by_role("button").click()
    page.wait_for_selector(".review-item")
    page.keyboard.press("a")
    settle(page)
    other = open_page(address, path=at(p="review", q="label_issue"))
    settle(other)
    assert other.locator("#progress").inner_text().startswith("1 of ")
