"""What a visitor asks in the page: by a picture that is chosen, pasted or dropped, and by words where there is a model
with a tower of words. The order of the answers is that of the encoder, which tests of its own hold to the samples."""

import base64
import re
from pathlib import Path

import polars as pl
import pytest

import assay
from assay.store.workspace import Workspace
from tests.corpus import write_digits
from tests.explorer.page_driver import MAP, count, settle, state
from tests.explorer.visit import client_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GIVE = """([how, name, text]) => {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  const event = how === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  return !document.querySelector("#plot").dispatchEvent(event); }"""


def first_card(page):
    """The first card: its sample and what its badge says."""
    settle(page)
    card = page.locator(".window .card").first
    return card.get_attribute("data-id"), card.locator(".mark").first.inner_text()


@pytest.mark.parametrize("how", ["choose", "paste", "drop"])
def test_a_picture_is_asked_for(open_page, serve, digits_night, how):
    """However it is brought: the most alike come first, itself before all; a condition says so, and lifting it brings
    everything back."""
    workspace = Workspace(digits_night.path.parents[2], digits_night.path.parents[1].name)
    row = digits_night.read("samples").filter(pl.col("split") == "train").row(7, named=True)
    file = Path(digits_night.manifest["spec_base"], "digits", row["uri"])
    page = open_page(serve(workspace), MAP)
    everything = count(page)
    if how == "choose":
        page.set_input_files(".by-picture input[type=file]", file)
    else:
        assert page.evaluate(GIVE, [how, file.name, base64.b64encode(file.read_bytes()).decode()])
    found, badge = first_card(page)
    assert count(page) == 200 and state(page)["f"]["picture"]["k"] == 200
    copies = digits_night.read("duplicates").filter(pl.col("group_id") == row["sample_id"])["sample_id"].to_list()
    assert found in [row["sample_id"], *copies] and re.sub(r"\s+", " ", badge) in ("alike 1.00", "alike 1")
    page.get_by_role("button", name=re.compile("^Lift: .*picture")).click()
    assert count(page) == everything


def test_what_is_no_picture_is_said_to_be(open_page, serve, digits_night):
    """The page stays as it is, with the reason."""
    workspace = Workspace(digits_night.path.parents[2], digits_night.path.parents[1].name)
    page = open_page(serve(workspace), MAP)
    everything = count(page)
    page.evaluate(GIVE, ["drop", "x.png", base64.b64encode(b"no picture").decode()])
    page.locator("#toast.on", has_text="cannot be read as a picture").wait_for()
    assert count(page) == everything and "f" not in state(page)


@pytest.fixture(scope="module")
def towers(tmp_path_factory, two_towers):
    """The workspace of digits, embedded by a small model that also knows their names."""
    pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("towers")
    write_digits(folder / "digits", seed=0, n=300)
    (folder / "spec.toml").write_text(
        'name = "digits"\nmodality = "image"\n[source]\nkind = "folder"\npath = "digits"\n'
        f'[embed]\nkind = "open_clip"\nmodel = "local-dir:{two_towers}"\n[project]\nmethods = ["pca"]\n'
    )
    assay.run(folder / "spec.toml", home=folder / "home")
    return Workspace(folder / "home", "digits")


def test_pictures_are_asked_for_by_words(open_page, serve, towers):
    """“by meaning” ranks as the model's two towers do, and finds what the words name; “in columns” stays a filter."""
    page = open_page(serve(towers), MAP)
    everything = count(page)
    page.select_option("#how", "words")
    page.fill("#search", "a handwritten seven")
    page.keyboard.press("Enter")
    settle(page)
    shown = [card.get_attribute("data-id") for card in page.locator(".window .card").all()[:8]]
    client = client_of(towers)
    wanted = {"words": state(page)["f"]["words"]}
    answer = client.post("/api/1/gallery", json={"filter": wanted, "sort": "similarity", "limit": 8}).json()
    assert shown == [card["id"] for card in answer["cards"]]
    labels = [card["label"] for card in answer["cards"]]
    assert labels.count("7") >= 5, labels
    page.get_by_role("button", name=re.compile("^Lift: .*seven")).click()
    assert count(page) == everything
    page.select_option("#how", "text")
    page.fill("#search", "test")
    page.keyboard.press("Enter")
    assert 0 < count(page) < everything and "words" not in state(page)["f"]
