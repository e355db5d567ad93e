"""The static report: complete, safe, small, the same for the same tables, and alive in a real browser."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from assay.contracts.tables import PUBLISHED, empty
from assay.reading import report as report_reading
from assay.reading.report import Tables, printable
from assay.report import map as report_map
from assay.report import page as report
from assay.report import sections as report_sections
from assay.report.page import write_report
from tests.report.made_up import context, made_up_tables, write_tables

HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "{{ 7 * 7 }}{% raise %}",
    "\u202egnp.exe\u202c \u0007bell",
    "x" * 10_000,
    "naïve 한국어 🦉",
    "' or 1=1 --",
    " ",
]


class Reader(HTMLParser):
    """The text, the tags and the outside addresses of a page."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self.addresses, self.handlers, self._skip = [], [], [], [], 0

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._skip = tag in ("script", "style")
        for name, value in attributes:
            if name.startswith("on") or name == "style":
                self.handlers.append((tag, name))
            if name in ("src", "href", "srcset", "action", "data") and not re.match(
                r"data:image/jpeg;base64,|#", value or ""
            ):
                self.addresses.append(value)

    def handle_endtag(self, tag):
        self._skip = False

    def handle_data(self, data):
        if not self._skip:
            self.words.append(data)


def render(frames, folder, **changes) -> tuple[str, Reader]:
    """The page of some tables, as HTML and as read."""
    target = folder / "report.html"
    write_report(write_tables(frames, folder / "tables"), context(**changes), target)
    page = target.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    return page, reader


def map_of(page: str) -> dict:
    """The values that the page's script draws."""
    return json.loads(re.search(r'id="map-data">(.*?)</script>', page, re.S)[1])


def test_the_headline_numbers_are_the_tables_numbers(tmp_path):
    """Each tile shows a plain count of its table."""
    frames = made_up_tables(60)
    _, reader = render(frames, tmp_path)
    text = " ".join(" ".join(reader.words).split())
    issues = frames["label_issues"]["is_issue"].sum()
    outliers = frames["scores"].filter(pl.col("is_issue") & (pl.col("metric") == "outlier")).height
    assert f"Samples 60 3 classes Label issues {issues} " in text
    assert "Duplicates 3 in 2 groups · 5.0% Leaks 1 " in text
    assert f"Outliers {outliers} " in text and "Rejects 1 truncated image" in text
    assert "estimated noise 10.0%" in text


def test_equal_tables_give_equal_bytes(tmp_path):
    """Nothing but the tables and the context decides what is written."""
    first, _ = render(made_up_tables(80), tmp_path / "a")
    second, _ = render(made_up_tables(80), tmp_path / "b")
    assert first == second
    assert str(tmp_path) not in first


def test_the_order_of_parts_does_not_matter_to_what_is_worst(tmp_path):
    """Cards are ordered by score, then by id, wherever the rows lie."""
    frames = made_up_tables(60)
    shuffled = frames | {
        name: frames[name].sample(fraction=1.0, shuffle=True, seed=3) for name in ("label_issues", "scores")
    }
    assert render(frames, tmp_path / "a")[0] == render(shuffled, tmp_path / "b")[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Reader:
    """The page of harmless tables."""
    return render(made_up_tables(40), tmp_path_factory.mktemp("plain"))[1]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_word_is_text(tmp_path, plain, number):
    """A label, a file name, a reject's detail full of markup is shown, shortened, and never becomes markup."""
    word = HOSTILE[number]
    frames = made_up_tables(40, labels=(word, "b"))
    frames["samples"] = frames["samples"].with_columns(uri=pl.lit(word), split=pl.lit(word))
    frames["rejects"] = frames["rejects"].with_columns(uri=pl.lit(word), detail=pl.lit(word))
    frames["leaks"] = frames["leaks"].with_columns(split=pl.lit(word))
    page, reader = render(frames, tmp_path / "hostile", dataset=word)
    assert reader.tags.count("script") == plain.tags.count("script")
    assert not reader.handlers and not reader.addresses
    assert set(reader.tags) <= set(plain.tags) | {"p", "b", "bdi"}
    assert len(page) < 1_500_000
    assert not report_reading.BIDI & set(page) and "\u0007" not in page
    if word.isprintable() and len(word) < 20 and word.strip():
        assert word in " ".join(reader.words)


def test_a_hostile_text_is_text(tmp_path):
    """A text sample of ten thousand characters of markup is a short card."""
    texts = [HOSTILE[i % len(HOSTILE)] * 20 for i in range(40)]
    page, reader = render(made_up_tables(40, modality="text", texts=texts), tmp_path, modality="text")
    assert "x" * 398 in page and "x" * 402 not in page
    assert reader.tags.count("script") == 2 and not reader.addresses


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_snapshot_with_hardly_anything_has_a_report(tmp_path, n):
    """No sample, one or two; no labels; no projection: a page all the same."""
    frames = {name: empty(name) for name in PUBLISHED if name not in ("image_facts", "text_facts", "vectors")}
    frames |= made_up_tables(n, labels=()) if n else {}
    page, _reader = render(frames, tmp_path)
    assert "No duplicates." in page and "Nothing was left out." in page
    assert ('id="map-data"' in page) == (n > 0)


def test_no_tables_at_all(tmp_path):
    """A snapshot of which no table was written still opens."""
    page, _ = render({}, tmp_path)
    assert "Nothing looks wrong." in page


def test_labels_that_were_not_judged_are_not_called_right(tmp_path):
    """Where the metrics stage flagged none because it could not judge them, the page says so in place of praise."""
    frames = {"samples": made_up_tables(40)["samples"], "label_issues": made_up_tables(40)["label_issues"]}
    frames["label_issues"] = frames["label_issues"].with_columns(is_issue=pl.lit(False))
    frames["dataset_metrics"] = pl.DataFrame(
        {"metric": ["label_issues_note"], "value": [None], "note": ["vectors know nothing"]},
        schema_overrides={"value": pl.Float64},
    )
    page, _ = render(frames, tmp_path)
    assert "Nothing looks wrong, but the labels were not judged." in page and "vectors know nothing" in page
    assert "No label looks wrong" not in page


def test_nulls_and_infinities_do_not_stop_it(tmp_path):
    """Unknown numbers are dashes; a score that is not a number is 0 on the map."""
    frames = made_up_tables(40)
    unknown = ("noise", "separability", "purity", "coverage", "probe_accuracy")
    nulls = {name: pl.lit(None, pl.Float64) for name in unknown} | {"overlap_label": pl.lit(None, pl.String)}
    frames["classes"] = frames["classes"].with_columns(**nulls)
    frames["dataset_metrics"] = pl.DataFrame(
        {"metric": ["a", "b", "c"], "value": [None, float("inf"), float("nan")], "note": [None] * 3},
        schema={"metric": pl.String, "value": pl.Float64, "note": pl.String},
    )
    frames["scores"] = frames["scores"].with_columns(value=pl.lit(float("nan")))
    page, _ = render(frames, tmp_path)
    assert ">–<" in page


def test_changes_since_the_last_night_are_counted(tmp_path):
    """The `diff` table is told in words and on the tiles."""
    changes = [
        ("s1", "added", "", None, None),
        ("s2", "added", "", None, None),
        ("s3", "new_issue", "label_issue", None, None),
        ("s4", "resolved", "outlier", None, None),
    ]
    frames = made_up_tables(40) | {"diff": pl.DataFrame(changes, schema=empty("diff").schema, orient="row")}
    _, reader = render(frames, tmp_path, parent=2)
    text = " ".join(" ".join(reader.words).split())
    assert "Since v00000002" in text and "2 samples added" in text
    assert "+1 new" in text and "−1 no longer" in text


def test_gates_say_what_was_found_and_wanted(tmp_path):
    """A failed gate has its value and its limit; one that holds is not called failed, and without gates none is."""
    gate = {"metric": "label_issue_rate", "value": 0.1, "max": 0.05, "ok": False}
    page, _ = render(made_up_tables(40), tmp_path / "one", gates=[gate])
    assert "✕ failed" in page and "label_issue_rate is 0.1, wanted at most 0.05" in page
    for gates in ([gate | {"value": 0.01, "ok": True}], []):
        assert "✕ failed" not in render(made_up_tables(40), tmp_path / str(len(gates)), gates=gates)[0]


def test_a_policy_forbids_all_but_the_pages_own_script(tmp_path):
    """The content-security policy names the hashes of one style and one script, and images inside the page."""
    page, _ = render(made_up_tables(40), tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_map_holds_a_bounded_sample_with_the_worst_in_it(tmp_path, monkeypatch):
    """Of more points than fit, the flagged ones and an even spread are drawn, each in its place."""
    monkeypatch.setattr(report_map, "POINTS", 100)
    monkeypatch.setattr(report_map, "FLAGGED_POINTS", 30)
    frames = made_up_tables(1000)
    drawn = report_map.choose_points(Tables(write_tables(frames, tmp_path)), "umap")
    assert 90 <= len(drawn) <= 100 and drawn["position"].is_sorted()
    flagged = (
        frames["scores"].filter(pl.col("is_issue") & (pl.col("metric") == "outlier")).sort("score", descending=True)
    )
    assert set(flagged["sample_id"].head(30)) <= set(drawn["sample_id"])


def test_coordinates_survive_the_packing(tmp_path):
    """The unpacked coordinates are the projection's, moved and scaled alike in x and y."""
    frames = made_up_tables(50)
    page, _ = render(frames, tmp_path)
    packed = next(method for method in map_of(page)["methods"] if method["name"] == "UMAP")["xy"]
    import base64

    drawn = np.frombuffer(base64.b64decode(packed), "<u2").reshape(-1, 2).astype(float)
    given = frames["projection"].filter(pl.col("method") == "umap").sort("sample_id").select("x", "y").to_numpy()
    span = (given.max(0) - given.min(0)).max()
    assert np.allclose((drawn - drawn[0]) / 65535 * span, given - given[0], atol=span / 30_000)


def test_the_matrix_counts_what_is_flagged(tmp_path):
    """Each cell is a plain count of (given, suggested) among the flagged."""
    frames = made_up_tables(90)
    found = report_sections.label_issues(Tables(write_tables(frames, tmp_path)), {})["matrix"]
    for cell in found["cells"]:
        rows = frames["label_issues"].filter(
            (pl.col("label") == cell["label"]) & (pl.col("suggested_label") == cell["other"]) & pl.col("is_issue")
        )
        assert cell["value"] == len(rows)
    assert sum(cell["value"] for cell in found["cells"]) == frames["label_issues"]["is_issue"].sum()


@pytest.mark.parametrize("high, says", [(0.5, "cannot rule out that up to 50"), (0.01, "No label looks wrong")])
def test_no_flag_is_no_promise(high, says, tmp_path):
    """Where no label is flagged the report says how many may be wrong; that none looks wrong only where that is so."""
    frames = made_up_tables(90)
    frames["label_issues"] = frames["label_issues"].with_columns(is_issue=pl.lit(False))
    labelled = float(frames["label_issues"]["label"].count())
    told = {"estimated_noise_rate_high": high, "n_labeled": labelled}
    rows = [(metric, value, None) for metric, value in told.items()]
    kept = frames["dataset_metrics"].filter(~pl.col("metric").is_in(list(told)))
    frames["dataset_metrics"] = pl.concat([kept, pl.DataFrame(rows, schema=kept.schema, orient="row")])
    page, _reader = render(frames, tmp_path)
    assert says in page and ("No label looks wrong" in page) == (says == "No label looks wrong")


def test_a_great_many_classes_stay_small(tmp_path):
    """Five hundred classes: a matrix of twenty, a table of two hundred, and the rest is said to be elsewhere."""
    page, _reader = render(made_up_tables(1500, labels=tuple(f"class {i}" for i in range(500))), tmp_path)
    assert "The 200 with the most wrong labels" in page
    assert len(page) < 3_000_000


def test_pictures_stop_when_their_budget_is_spent(tmp_path, monkeypatch):
    """The cards remain."""
    monkeypatch.setattr(report_reading, "IMAGES_BYTES", 5_000)
    page, _ = render(made_up_tables(60), tmp_path)
    cards = re.sub(r'id="map-data">.*?</script>', "", page, flags=re.S)
    assert 2_000 < sum(map(len, re.findall(r'src="(data:[^"]*)"', cards))) < 60_000
    assert "no preview" in page


def test_printable_spells_out_what_cannot_be_seen():
    """Control and bidi characters are written as escapes; long words are cut at the end asked for."""
    assert printable("a\u202eb\x00c\nd") == "a\\u202eb\\u0000c d"
    assert printable("abcdef", 4) == "abc…" and printable("abcdef", 4, from_end=True) == "…def"
    assert printable(None) == "" and len(printable("y" * 99, 10)) == 10


def opened(browser, path, **options):
    """A page on the report, with everything that it complained of or asked the network for."""
    page = browser.new_page(**options)
    trouble = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: trouble.append(request.url) if request.url.startswith(("http", "ws")) else None)
    page.goto(path.as_uri())
    drawn(page)
    return page, trouble


def drawn(page):
    """Until what the page wanted to draw is drawn: it draws in the next frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.browser
def test_in_a_browser_it_draws_sorts_and_asks_nothing_of_the_network(tmp_path, browser):
    """The map has coloured pixels, a tooltip, other colours by suspicion; a click on a heading sorts the table."""
    frames = made_up_tables(200)
    frames["classes"] = frames["classes"].with_columns(n=pl.Series([30, 90, 60]))
    render(frames, tmp_path)
    page, trouble = opened(browser, tmp_path / "report.html", viewport={"width": 1280, "height": 720})
    pixels = "document.getElementById('plot').toDataURL()"
    by_class = page.evaluate(pixels)
    page.get_by_role("button", name="Label suspicion").click()
    drawn(page)
    assert page.evaluate(pixels) != by_class
    page.locator("#plot").scroll_into_view_if_needed()
    box = page.locator("#plot").bounding_box()
    for step in range(1, 30):  # somewhere along the diagonal there is a point
        page.mouse.move(box["x"] + box["width"] * step / 30, box["y"] + box["height"] * step / 30)
        if page.locator("#tip").is_visible():
            break
    assert "outlier" in page.locator("#tip").inner_text() or "/" in page.locator("#tip").inner_text()
    page.locator("nav").get_by_role("link", name="Classes").click()  # which opens what is folded
    page.locator("#classes").get_by_role("button", name="Samples").click()
    assert page.locator("#classes tbody th").all_inner_texts() == ["dog", "owl", "cat"]
    assert trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_runs_over_the_edge(tmp_path, browser, scheme):
    """At 360 pixels the page does not scroll sideways, with long labels and names."""
    render(made_up_tables(60, labels=("a" * 300, "b c " * 50, "한" * 80)), tmp_path, dataset="d" * 200)
    page, trouble = opened(
        browser, tmp_path / "report.html", viewport={"width": 360, "height": 700}, color_scheme=scheme
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert trouble == []


@pytest.mark.browser
def test_hostile_words_do_not_run_in_a_browser(tmp_path, browser):
    """No word of the data is executed, on the page or in a tooltip."""
    frames = made_up_tables(60, labels=tuple(HOSTILE[:5]))
    frames["samples"] = frames["samples"].with_columns(uri=pl.lit(HOSTILE[1]))
    render(frames, tmp_path, dataset=HOSTILE[2])
    page, trouble = opened(browser, tmp_path / "report.html", viewport={"width": 1280, "height": 720})
    box = page.locator("#plot").bounding_box()
    for step in range(1, 30):
        page.mouse.move(box["x"] + box["width"] * step / 30, box["y"] + box["height"] * step / 30)
    assert page.evaluate("window.hacked") is None
    assert trouble == []


def test_a_column_without_proposals_has_no_curve(tmp_path):
    """A measured precision of nothing says nothing; how many gaps were left open is said."""
    quality = pl.DataFrame(
        [("label", 0.5, 0.95, 0.9, 0.8), ("label", 1.0, 0.9, 0.8, 0.1), ("camera", 0.5, 0.7, 0.7, 0.8)],
        schema=empty("proposal_quality").schema, orient="row",
    )  # fmt: skip
    proposals = pl.DataFrame(
        [("a", "label", "cat", 0.9), ("b", "label", None, 0.3), ("b", "camera", None, 0.1)],
        schema=empty("proposals").schema, orient="row",
    )  # fmt: skip
    frames = made_up_tables(20) | {"proposal_quality": quality, "proposals": proposals}
    page, reader = render(frames, tmp_path / "one")
    text = " ".join(" ".join(reader.words).split())
    assert page.count("<polyline") == 1
    assert "1 proposed, 1 left open" in text and "0 proposed, 1 left open" in text and "None is sure enough" in text
    assert "Right: 95.0% of the surest 50%, 90.0% of all; 80.0% of all are the known value." in text
    page, _ = render(made_up_tables(20), tmp_path / "none")
    assert 'id="proposals"' not in page


class Made:
    """Tables that are given as frames."""

    def __init__(self, frames: dict):
        self.scan = lambda name: frames[name].lazy()


def test_a_missing_label_is_no_disagreement():
    """Only copies that carry two labels contradict each other."""
    frames = {
        "samples": pl.DataFrame({"sample_id": list("abcd"), "label": ["cat", None, "cat", "dog"]}),
        "duplicates": pl.DataFrame(
            {"group_id": list("aacc"), "sample_id": list("abcd"), "tier": ["bytes"] * 4,
             "keep": [True, False] * 2, "similarity": [1.0] * 4}
        ),
    }  # fmt: skip
    found = report_sections.duplicate_groups(Made(frames))
    assert {group["members"][0]["sample_id"]: group["conflict"] for group in found["groups"]} == {"a": False, "c": True}


def test_galleries_have_one_order_and_the_farthest_stand_for_outliers():
    """However many there are of each kind; where nothing is an outlier, the farthest are shown and counted as none."""
    rows = [("a", "outlier", 0.4, False), ("b", "outlier", 0.3, False), ("a", "grayscale", 1.0, True),
            ("b", "grayscale", 1.0, True), ("a", "dark", 0.9, True)]  # fmt: skip
    scores = pl.DataFrame(rows, schema=["sample_id", "metric", "score", "is_issue"], orient="row")
    found = report_sections.metric_galleries(Made({"scores": scores.with_columns(value=pl.lit(1.0))}))
    assert [(gallery["metric"], gallery["total"]) for gallery in found] == [
        ("outlier", 0),
        ("dark", 1),
        ("grayscale", 2),
    ]
    assert [row["sample_id"] for row in found[0]["rows"]] == ["a", "b"] and "None lies beyond" in found[0]["says"]


def test_long_names_stay_apart_and_nothing_is_minus_zero():
    """Names that differ at their ends are shortened in the middle; numbers have a true minus."""
    long = ["balance_not_updated_after_transfer", "balance_not_updated_after_cheque"]
    assert [report._middle(name, 20) for name in long] == ["balance_no…_transfer", "balance_no…er_cheque"]
    assert report._middle("card", 20) == "card"
    values = (-0.001, -0.5, None)
    assert [report._fixed(value) for value in values] == ["0.00", "−0.50", "–"] and report._fixed(
        0.04, 1, "+"
    ) == "+0.0"


def with_numbers(frames: dict, numbers: dict[str, tuple]) -> dict:
    """The made-up tables with more rows of `dataset_metrics`."""
    rows = [(metric, value, note) for metric, (value, note) in numbers.items()]
    return frames | {"dataset_metrics": pl.DataFrame(rows, schema=empty("dataset_metrics").schema, orient="row")}


def worth_numbers(low: float) -> dict[str, tuple]:
    """A raw accuracy of 0.90 and one of 0.92 after the repair, whose gain is at least `low`."""
    return {
        "worth_accuracy_raw": (0.9, "as it is"), "worth_accuracy_flagged_dropped": (0.92, "dropped"),
        "worth_gain_flagged_dropped": (0.02, ""), "worth_gain_flagged_dropped_low": (low, ""),
        "worth_gain_flagged_dropped_high": (0.04 - low, ""),
    }  # fmt: skip


def test_what_acting_is_worth_is_said_in_mistakes(tmp_path):
    """A gain beyond chance is told as mistakes in a thousand; one within chance is called that."""
    text = " ".join(
        " ".join(render(with_numbers(made_up_tables(), worth_numbers(0.01)), tmp_path / "a")[1].words).split()
    )
    assert "makes 100 mistakes in 1,000" in text and "dropping the suspicious labels too it makes 80" in text
    assert "+2.0 points" in text and "95% interval of the gain +1.0 to +3.0 points" in text
    text = " ".join(
        " ".join(render(with_numbers(made_up_tables(), worth_numbers(-0.01)), tmp_path / "b")[1].words).split()
    )
    assert "by more than chance would" in text and "within chance" in text and "it makes 80" not in text


def test_leakage_is_told_per_pair_of_splits_in_both_directions(tmp_path):
    """The share of the test set that stands in the training set is a headline number."""
    frames = with_numbers(made_up_tables(), {"leakage:test→train": (0.25, ""), "leakage:train→test": (0.02, "")})
    text = " ".join(" ".join(render(frames, tmp_path)[1].words).split())
    assert "25.0% of test in train" in text  # the tile
    assert "25.0% of test stands in train too; 2.0% of train stands in test too." in text


def test_the_dataset_as_a_whole_is_told_in_words(tmp_path):
    """Diversity, gaps, drift along the file, spurious properties, worst groups and erased columns are in the report."""
    numbers = {
        "vendi_score": (57.0, "effective number of different samples among 1000"), "coverage_gaps": (0.02, None),
        "order_gap_ratio": (0.4, ""), "order_p_value": (0.005, ""), "spurious:width": (0.22, ""),
        "worst_group_gap:<i>city": (0.1, "probe accuracy below the mean, of 'Bonn'"),
        "coverage:test→train": (0.9, "share"),
        "leakage_before_debias:city": (0.98, ""), "leakage_after_debias:city": (0.5, ""),
    }  # fmt: skip
    page, reader = render(with_numbers(made_up_tables(), numbers), tmp_path)
    text = " ".join(" ".join(reader.words).split())
    for words in ("effective number of different samples", "stand near each other in the file", "22.0%", "of 'Bonn'",
                  "<i>city", "0.98 → 0.50"):  # fmt: skip
        assert words in text
    assert "<i>city" not in page


def test_annotators_are_shown_worst_first_with_their_interval(tmp_path):
    """Who errs most comes first; a name that is code stays text; one who cannot be judged has a dash."""
    frames = made_up_tables()
    nobody = {name: None for name in empty("annotators").columns}
    rows = [
        nobody | {"annotator": "careful", "n": 50, "n_shared": 0, "error_rate": 0.01, "error_rate_low": 0.0,
                  "error_rate_high": 0.05},
        nobody | {"annotator": HOSTILE[0], "n": 50, "n_shared": 9, "error_rate": 0.3, "error_rate_low": 0.2,
                  "error_rate_high": 0.4, "confused_label": "cat", "confused_true_label": "dog", "confused_count": 7.0},
        nobody | {"annotator": "unknown", "n": 3, "n_shared": 0},
    ]  # fmt: skip
    frames["annotators"] = pl.DataFrame(rows, schema=empty("annotators").schema)
    text = " ".join(" ".join(render(frames, tmp_path)[1].words).split())
    assert text.index(HOSTILE[0]) < text.index("careful") < text.index("unknown")
    assert "20.0% to 40.0%" in text and "about 7 times" in text


def test_issues_that_are_far_more_frequent_in_a_group_are_named(tmp_path):
    """Forty dark pictures where two are expected are named beside the group; four where three are expected are not."""
    groups = [{"column": "city", "value": v, "n": 100, "share": 0.5} for v in ("Bonn", "Köln")]
    issues = [
        ("city", "Bonn", "dark", 40, 0.4, 0.02), ("city", "Köln", "dark", 2, 0.02, 0.4),
        ("city", "Köln", "blurry", 4, 0.04, 0.02), ("city", "Bonn", "blurry", 2, 0.02, 0.04),
    ]  # fmt: skip
    schema = empty("groups").schema
    frames = made_up_tables() | {
        "groups": pl.DataFrame([dict.fromkeys(schema) | row for row in groups], schema=schema),
        "group_issues": pl.DataFrame(issues, schema=empty("group_issues").schema, orient="row"),
    }
    text = " ".join(" ".join(render(frames, tmp_path)[1].words).split())
    assert "dark 40.0% against 2.0%" in text
    assert "blurry 4.0%" not in text and "dark 2.0%" not in text


def test_the_noise_over_all_counts_cells_that_are_too_small_for_the_table():
    """Of 100 and 50 labels, 95 and 50 are right: 5 in 150 are wrong, though only four of these stand in a row."""

    class Given:
        def scan(self, table):
            rows = {"label": ["a", "a", "b"], "true_label": ["a", "b", "b"]}
            return pl.LazyFrame(rows | {"rate": [0.95, 0.04, 1.0], "count": [95.0, 4.0, 50.0]})

    found = report_sections.noise(Given())
    assert (found["rate"], found["count"]) == pytest.approx((5 / 150, 5.0))
