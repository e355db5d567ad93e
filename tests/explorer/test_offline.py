"""The page that works without a server answers as the server does: the same questions to both, on one odd snapshot."""

import csv
import io
import itertools
import json
import random
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.contracts.spreadsheet import unescape_cells
from assay.explorer.export import NEIGHBORS, collect
from assay.reading.columns import View
from assay.reading.selection import select
from assay.reading.tables import PLAIN
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import make_snapshot
from tests.explorer.visit import client_of

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
ASK = Path(__file__).parent.parent / "page" / "ask_offline.js"
N = 260
CLOSE = 2e-6  # the server rounds to six digits


def odd(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Gaps everywhere, groups of three with ties, several pairs of splits, numbers of every size."""
    row = np.arange(N)
    ids, split = tables["samples"]["sample_id"], texts("train", "test", "val", None).gather(row % 4)
    labels = texts(
        None, "|", "cat|dog", "cat", "dog|ibis", "ÄÖ", "İstanbul", "Straße", "-1", "@home", "-2+3|cmd", "＝1"
    )
    tables["samples"] = tables["samples"].with_columns(
        label=pl.when(pl.Series(row % 3 == 0)).then(labels.gather(row // 3 % 12)).otherwise("label"),
        split=split,
        note=texts("ΟΔΟΣ 'x'", 'say "hi"', None, "100%_sure").gather(row % 4),
        tiny=pl.Series(np.where(row % 9 == 0, np.nan, row * 1e-9)).fill_nan(None),
        far=pl.Series(np.where(row == 3, np.inf, np.where(row == 4, -np.inf, row / 7))),
        year=1_600_000_000 + 500 * row,
        constant=7.5,
        is_new=pl.Series(row % 2 == 0),
    )
    judged, doubted, blurry = (
        ids.filter(pl.Series(keep)).implode() for keep in (row % 5 != 1, row % 7 != 0, row % 3 == 0)
    )
    of, metric = pl.col("sample_id").is_in, pl.col("metric")
    tables["label_issues"] = (
        tables["label_issues"].filter(of(judged)).with_columns(confidence=pl.when(of(doubted)).then("confidence"))
    )
    tables["scores"] = (
        tables["scores"]
        .filter((metric != "label_issue") | of(judged), (metric != "blurry") | of(blurry))
        .with_columns(is_issue=pl.col("is_issue") & (metric != "bright"))
    )
    tables["projection"] = tables["projection"].filter(~of(ids[::31].implode()))
    groups = [(200, [202, 200, 201]), (100, [102, 100, 101]), (40, [42, 40, 41]), (9, [8, 9])]
    tables["duplicates"] = pl.DataFrame(
        {"group_id": ids[kept], "sample_id": ids[at], "tier": "pixels", "keep": at == kept, "similarity": 1 - order / 9}
        for kept, rows in groups
        for order, at in enumerate(rows)
    )
    ends = [(5, 6, 0.9), (6, 5, 0.9), (5, 10, 0.95), (12, 13, 0.99), (13, 18, 0.9), (20, 21, 0.9), (16, 19, 0.7)]
    tables["leaks"] = pl.DataFrame(
        {"sample_id": ids[a], "other_id": ids[b], "split": split[a], "other_split": split[b], "similarity": alike}
        for a, b, alike in ends
    ).with_columns(tier=pl.lit("pixels"))
    return tables


def texts(*values: str | None) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """`ask(questions)` of the offline page, and a client of the server, on the same snapshot; its view too."""
    home = tmp_path_factory.mktemp("twins")
    make_snapshot(home, "odd", N, 1, change=odd, source={"label_separator": "|"})
    workspace = Workspace(home, "odd")
    view = View(open_snapshot(workspace, 1))
    data = json.dumps(collect(view), allow_nan=False)

    def ask(questions):
        given = json.dumps({"data": data, "questions": questions})
        done = subprocess.run(["node", str(ASK)], input=given, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    return ask, client_of(workspace), view


def close(mine, theirs):
    """Whether two answers are the same, numbers to six digits."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(close(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(close, mine, theirs))
    if isinstance(mine, float) or isinstance(theirs, float):
        return None not in (mine, theirs) and abs(mine - theirs) <= CLOSE * max(1, abs(mine))
    return mine == theirs


def made_filter(dice: random.Random, view: View) -> dict:
    """One to three conditions, among them odd ones."""
    columns = [entry["key"] for entry in view.catalog()]
    numbers = [key for key in columns if not hasattr(view.column(key), "names")]
    names = [key for key in columns if key not in numbers]

    def ranges():
        key = dice.choice(numbers)
        values = view.number(key)
        low, high = sorted(dice.choices([*values[np.isfinite(values)][:50].tolist(), 0.5, -1.0], k=2))
        return {key: [low, high]}

    def values():
        key = dice.choice(names)
        return {key: dice.choices([*view.category(key).names[:20], None, "no such name"], k=3)}

    def stroke():
        x, y = dice.uniform(-6, 6), dice.uniform(-6, 6)
        corners = [[x + dice.uniform(-5, 5), y + dice.uniform(-5, 5)] for _ in range(7)]
        deep = {"matrix": [[0.6, 0.2, 0.1], [-0.3, 0.8, 0.2]]} if dice.random() < 0.3 else {}
        how = {"how": how} if (how := dice.choice([None, "add", "subtract"])) else {}
        return {"method": "pca" if deep else dice.choice(["umap", "pca"]), "points": corners} | deep | how

    make = {
        "ranges": ranges, "values": values, "hidden": values,
        "lasso": lambda: dice.choice([stroke(), [stroke(), stroke(), stroke()]]),
        "carries": lambda: dice.choice([["cat"], ["dog", "cat"], ["|"], [""], ["bonsai"]]),
        "flags": lambda: dice.sample(["label_issue", "outlier", "bright", "near_duplicate"], 2),
        "cell": lambda: [dice.choice(["chair", "bonsai", None]), dice.choice(["chair", "ferry"])],
        "text": lambda: dice.choice(TEXTS),
        "ids": lambda: [*(view.ids[dice.randrange(N)] for _ in range(90)), "no such id"],
    }  # fmt: skip
    keys = dice.sample(sorted(make), dice.choice([1, 1, 2, 3]))
    return {key: make[key]() for key in keys} | dice.choice([{}, {}, {"text": ""}, {"flags": []}, {"lasso": None}])


TEXTS = [
    "view of",
    "VIEW",
    '"view of" ferry',
    "οδος",
    'say "',
    '"say "hi"',
    "100%_",
    "s/000001",
    "İstanbul",
    ".jpg x",
    " ",
    "image",
    "a1",
]
EMPTY = [{}, {"ids": []}, {"flags": []}, {"lasso": []}, {"text": ""}, {"carries": []}, {"text": None, "cell": None}]


def test_a_filter_selects_the_same_samples(asked):
    """Every condition, alone and together, with gaps in columns; what is empty is none, but no ids are no samples."""
    ask, _, view = asked
    dice = random.Random(1)
    filters = [*EMPTY, *({"text": text} for text in TEXTS), *(made_filter(dice, view) for _ in range(200))]
    order = {"sort": "position", "descending": False, "offset": 0, "limit": N}
    answers = ask([["gallery", 1, order | {"filter": wanted}] for wanted in filters])
    sizes = set()
    for wanted, told in zip(filters, answers, strict=True):
        rows = np.flatnonzero(select(view, wanted)).tolist()
        assert [card["row"] for card in told["answer"]["cards"]] == rows, wanted
        sizes.add(len(rows))
    assert len(sizes) > 40


SOME = [{}, {"values": {"split": ["train", None]}}, {"flags": ["outlier"]}, {"ids": []}]


def test_the_same_order_the_same_cards_the_same_counts(asked):
    """The gallery by every column, up and down, and the counts of every column in a selection."""
    ask, client, view = asked
    keys = [entry["key"] for entry in view.catalog()]
    orders = itertools.product(["position", *keys], [True, False], SOME[1:2])
    bodies = [
        ("gallery", {"sort": sort, "descending": down, "filter": wanted, "offset": 3, "limit": 100})
        for sort, down, wanted in orders
    ] + [("facets", {"filter": wanted, "columns": keys}) for wanted in SOME]  # fmt: skip
    same(ask, client, bodies)


def test_the_same_copies_leaks_and_lifts(asked):
    """Groups and pairs that a selection touches, in pages; what a condition hides."""
    ask, client, _ = asked
    several = {"text": "view ferry", "values": {"split": ["train"], "label": ["cat"]}, "flags": ["outlier"]}
    bodies = [("duplicates", {"filter": wanted, "offset": 0, "limit": 30}) for wanted in SOME]
    bodies += [("duplicates", {"filter": {}, "offset": 1, "limit": 2})]
    bodies += [
        ("leaks", {"filter": wanted, "pair": pair, "offset": 1, "limit": 3})
        for wanted in SOME for pair in ("", "train ↔ val", "no such pair")
    ]  # fmt: skip
    same(ask, client, bodies)
    (told,) = ask([["lifts", 1, several]])
    assert told["answer"] == client.post("/api/1/lifts", json={"filter": several}).json()


def same(ask, client, bodies):
    """The same answer of both to each `(question, body)`."""
    answers = ask([[name, 1, body] for name, body in bodies])
    for (name, body), told in zip(bodies, answers, strict=True):
        wanted = client.post(f"/api/1/{name}", json=body).json()
        assert close(told.get("answer"), wanted), (name, body, told, wanted)


@pytest.mark.parametrize("method, deep", [("umap", False), ("pca", False), ("pca", True)])
@pytest.mark.parametrize("color, kind, ring", [("label", "category", "outlier"), ("columns.tiny", "number", "none")])
def test_the_same_points(asked, method, deep, color, kind, ring):
    """Places, colours, what is chosen and ringed; a sample without a place is not drawn, and counts as selected."""
    ask, client, _ = asked
    body = {"method": method, "deep": deep, "color": color, "kind": kind, "ring": ring, "filter": SOME[1]}
    (told,) = ask([["points", 1, body]])
    data = client.post("/api/1/points", json=body).content
    count, there, selected, has_z = struct.unpack_from("<4I", data)
    kinds = ["<f4"] * (2 + has_z)
    kinds += ["<u4", "<u2" if kind == "category" else "<f4", "u1", "u1"]
    names = [*("xyz" if has_z else "xy"), "row", "color", "chosen", "flagged"]
    at, wanted = 16, {"count": count, "there": there, "selected": selected} | ({} if has_z else {"z": None})
    for name, dtype in zip(names, kinds, strict=True):
        values = np.frombuffer(data, dtype, count, at)
        at += values.nbytes
        wanted[name] = [None if value != value else value for value in values.tolist()]
    assert close(told["answer"], wanted) and 200 < count < N


def test_a_sample_is_told_as_the_server_tells_it(asked):
    """Its card, label, scores, neighbours, copies and measurements, as far as the file holds them; infinite is none."""
    ask, client, view = asked
    rows = [0, 1, 4, 9, 40, 41, 100, 202, 259]
    answers = ask([["sample", 1, view.ids[row]] for row in rows] + [["peek", 1, row] for row in rows])
    for row, told in zip(rows, answers[: len(rows)], strict=True):
        mine, theirs = told["answer"], client.get("/api/1/sample", params={"id": view.ids[row]}).json()
        for score in theirs["scores"]:
            score["value"] = None  # the file has none
        theirs["label_issue"] and theirs["label_issue"].pop("label")
        theirs["neighbors"] = theirs["neighbors"][:NEIGHBORS]
        theirs["source"] = {name: theirs["source"].get(name) for name in mine["source"]}
        theirs["source"]["is_new"] = str(theirs["source"]["is_new"]).lower()
        assert {"far", "tiny", "note", "camera"} <= mine["source"].keys() and "year" not in mine["source"]
        scored = {(score["metric"], round(score["score"], 4)) for score in theirs.pop("scores")}
        assert {(score["metric"], round(score["score"], 4)) for score in mine.pop("scores")} == scored
        assert close(mine, theirs), (mine, theirs)
    for row, told in zip(rows, answers[len(rows) :], strict=True):
        assert close(told["answer"], client.get("/api/1/peek", params={"row": row}).json()), row


def test_what_needs_no_question_is_the_same(asked):
    """Overview, classes, names, matrix, tables; and nothing is offered that needs the server."""
    ask, client, _ = asked
    names = ["overview", "classes", "confusion", "names", "meta", *(f"table/{name}" for name in PLAIN)]
    answers = ask([[name.split("/")[0], 1, *name.split("/")[1:]] for name in names])
    for name, told in zip(names, answers, strict=True):
        wanted = client.get(f"/api/1/{name}").json()
        if name == "meta":
            wanted |= {"has_vectors": False, "has_words": False, "has_pictures": False}
        assert close(told["answer"], wanted), name


def test_the_selection_is_a_csv_that_runs_nothing_and_reads_back(asked):
    """One line a sample with the cells of the server's CSV; what a spreadsheet would run is escaped, and says so."""
    ask, client, _ = asked
    (told,) = ask([["exported", 1, {"filter": {"hidden": {"label": ["ÄÖ"]}}}]])
    body = {"what": "selection", "format": "csv", "filter": {"hidden": {"label": ["ÄÖ"]}}}
    mine, theirs = (cells(text) for text in (told["answer"], client.post("/api/1/export", json=body).text))
    for name in ("sample_id", "label", "split", "suggested_label"):
        assert mine[name] == theirs[name]
    assert {'\'=HYPERLINK("http://x")', "' or 1=1 --", "-1", "@home", "'-2+3|cmd", "'＝1"} <= set(mine["label"])
    assert unescape_cells(mine)["label"] == unescape_cells(theirs)["label"]
    assert {'=HYPERLINK("http://x")', "-2+3|cmd", "＝1"} <= set(mine["label"])


def cells(text):
    """The columns of a CSV."""
    names, *rows = csv.reader(io.StringIO(text))
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def test_what_the_file_lacks_is_said_in_words(asked):
    """An address may name a column, a projection or a sample of another snapshot."""
    ask, _, _ = asked
    body = {"sort": "position", "descending": False, "offset": 0, "limit": 9}
    answers = ask(
        [
            ["gallery", 1, body | {"filter": {"ranges": {"scores.gone": [0, 1]}}}],
            ["gallery", 1, body | {"filter": {"values": {"columns.year": ["1"]}}}],
            ["gallery", 1, body | {"filter": {"lasso": [{"method": "tsne", "points": [[0, 0], [1, 0], [1, 1]]}]}}],
            ["sample", 1, "no such id"],
        ]
    )  # fmt: skip
    assert [told["error"] for told in answers] == [
        "there is no column scores.gone with values in this file",
        "there is no column columns.year with names in this file",
        "there is no projection tsne in this file",
        "there is no sample no such id in this file",
    ]
