"""The server's answers: points, counts, cards, one sample, lists, decisions, files to take away, comparison."""

import csv
import io
import json
import shutil
import struct
import tempfile

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import AssayError
from assay.contracts.spreadsheet import ESCAPED
from assay.explorer import deciding
from assay.exporting.takeaway import without_formulas
from assay.reading.columns import View, match
from assay.reading.samples import history
from assay.reading.selection import Selections
from assay.store.decisions import append_decisions, effective_decisions, read_decisions, undo_batch
from assay.store.snapshots import all_files, file_sha256, list_snapshots, open_snapshot
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import HOSTILE, make_snapshot
from tests.explorer.visit import client_of

N = 1200


def post(client, path, **body):
    answer = client.post(f"/api/1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def table(workspace, name, number=1):
    return pl.read_parquet(workspace.snapshots / f"v{number:08d}" / name / "*.parquet")


def unpack(data):
    """x, y, row, color code, chosen, flagged of a reply without z."""
    count, there, selected, deep = struct.unpack("<4I", data[:16])
    kinds = [("<f4", 4), ("<f4", 4), ("<u4", 4), ("<u2", 2), ("u1", 1), ("u1", 1)]
    columns, at = [], 16
    for kind, size in kinds:
        columns.append(np.frombuffer(data[at : at + size * count], kind))
        at += size * count
    assert at == len(data) and not deep
    return there, selected, columns


def test_points_are_columns_of_every_sample(client, workspace):
    """x and y of each row equal the projection's; the chosen ones are those that pass the filter."""
    wanted = {"values": {"split": ["test"]}}
    reply = post(client, "points", method="umap", color="label", ring="dark", filter=wanted).content
    there, selected, (x, y, row, code, chosen, flagged) = unpack(reply)
    plain = table(workspace, "projection").filter(pl.col("method") == "umap")
    assert there == N and np.array_equal(row, np.arange(N))
    assert np.array_equal(x, plain["x"].to_numpy()) and np.array_equal(y, plain["y"].to_numpy())
    dark = table(workspace, "scores").filter(pl.col("is_issue") & (pl.col("metric") == "dark"))["sample_id"]
    assert set(table(workspace, "samples")["sample_id"].to_numpy()[row[flagged == 1]]) == set(dark)
    assert selected == chosen.sum() == (table(workspace, "samples")["split"] == "test").sum()
    names = client.post("/api/1/facets", json={"columns": ["label"]}).json()["facets"][0]["names"]
    assert [names[c] for c in code] == table(workspace, "samples")["label"].to_list()


def test_a_crowd_is_thinned_but_few_chosen_ones_are_all_drawn(client):
    """With room for 300 points, the 20 chosen of 1,200 are all there."""
    ids = [f"s/{i:07d}" for i in range(0, 1200, 60)]
    there, selected, columns = unpack(post(client, "points", method="umap", limit=300, filter={"ids": ids}).content)
    assert there == N and selected == 20 and len(columns[0]) <= 300 and columns[4].sum() == 20


def test_a_region_gives_more_of_itself(client):
    """Zooming in asks for one region: only its points come, and all of them where they fit."""
    reply = post(client, "points", method="umap", limit=300, region=[4, -3, 9, 3], filter={}).content
    there, _, (x, y, *_) = unpack(reply)
    assert len(x) == there <= 300 and (x >= 4).all() and (np.abs(y) <= 3).all()


def test_counts_agree_with_the_table(client, workspace):
    """Class counts of a selection and the bins of a score, against plain Polars."""
    body = {"filter": {"values": {"camera": ["EOS"]}}, "columns": ["label"]}
    assert client.post("/api/1/facets", json=body).status_code == 400
    reply = post(
        client, "facets", filter={"values": {"columns.camera": ["EOS"]}}, columns=["label", "scores.dark"]
    ).json()
    samples = table(workspace, "samples").filter(pl.col("camera") == "EOS")
    label, dark = reply["facets"]
    plain = dict(samples.group_by("label").len().rows())
    assert {name: n for name, n in zip(label["names"], label["selected"], strict=True) if n} == plain
    scores = table(workspace, "scores").filter(pl.col("metric") == "dark").join(samples, on="sample_id", how="semi")
    bins = np.histogram(scores["score"].to_numpy(), bins=48, range=(0, 1))[0]
    assert dark["selected"] == bins.tolist() and reply["selected"] == len(samples)


def test_the_gallery_is_worst_first_and_pages_without_gaps(client, workspace):
    """Three pages together are the sorted table."""
    pages = [post(client, "gallery", sort="scores.outlier", offset=o, limit=50, filter={}).json() for o in (0, 50, 100)]
    shown = [card["id"] for page in pages for card in page["cards"]]
    plain = table(workspace, "scores").filter(pl.col("metric") == "outlier")
    scores = dict(plain.select("sample_id", "score").rows())
    assert len(set(shown)) == 150 and pages[0]["total"] == N
    assert [scores[i] for i in shown] == sorted(scores.values(), reverse=True)[:150]


def test_one_sample_tells_everything(client, workspace):
    """Scores with meanings, neighbours, its group with the kept one first, and its past."""
    reply = client.get("/api/1/sample", params={"id": "s/0000037"}).json()
    assert reply["source"]["uri"] == "s/0000037.jpg"
    assert {line["metric"] for line in reply["scores"]} >= {"outlier", "dark"} and reply["scores"][0]["title"]
    assert [m["id"] for m in reply["group"]] == ["s/0000027", "s/0000037"] and reply["group"][0]["keep"]
    near = (
        table(workspace, "neighbors").filter(pl.col("sample_id") == "s/0000027").sort("rank")["neighbor_id"].to_list()
    )
    assert [card["id"] for card in reply["neighbors"]] == near
    past = client.get("/api/1/history", params={"id": "s/0000003"}).json()["history"]
    assert [line["there"] for line in past] == [True, False]


@pytest.mark.parametrize("sample", ["../../etc/passwd", "s/0000003.jpg", "", "' or 1=1 --", "\0", "s/%"])
def test_only_ids_open_samples(client, sample):
    """A path is no id, and neither is SQL."""
    assert client.get("/api/1/sample", params={"id": sample}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/1/thumbnail?row=-1",
        "/api/1/thumbnail?row=99999999",
        "/api/1/raw?row=1e3",
        "/api/9/meta",
        "/api/1/table/samples",
        "/api/1/table/..%2fmanifest",
        "/api/99999999999999999999/meta",
    ],
)
def test_what_is_not_there_is_said(client, path):
    """Rows out of range, unknown snapshots, tables that are not for listing: 404 or 400, never a trace."""
    answer = client.get(path)
    assert answer.status_code in (400, 404) and "Traceback" not in answer.text


def test_a_vanished_file_says_so_and_the_thumbnail_stays(client):
    """The raw sample is gone since the snapshot; the page still has something to show."""
    gone = client.get("/api/1/raw?row=3")
    assert gone.status_code == 409 and gone.json()["error"]
    picture = client.get("/api/1/thumbnail?row=3")
    assert picture.status_code == 200 and picture.content.startswith(b"\xff\xd8")
    assert "sandbox" in picture.headers["content-security-policy"]


def test_each_thumbnail_is_that_of_its_content(client, workspace):
    """Whatever the order of the facts, a row shows the picture measured for its content hash."""
    facts = dict(table(workspace, "image_facts", 2).select("content_hash", "thumbnail").rows())
    hashes = table(workspace, "samples", 2)["content_hash"]
    rows = list(range(0, len(hashes), 97))
    assert [client.get(f"/api/2/thumbnail?row={row}").content for row in rows] == [facts[hashes[row]] for row in rows]


def test_contents_that_share_their_first_bits_stay_apart():
    """Matching looks at the whole hash when the quick part is not enough; what is not there is −1."""
    facts = pl.Series([f"{i:032x}" for i in (5, 3, 9)])
    assert match(pl.Series([f"{i:032x}" for i in (9, 7, 5)]), facts).tolist() == [2, -1, 0]
    assert match(pl.Series(["f" * 32]), facts).tolist() == [-1]
    assert match(pl.Series(["f" * 32]), facts.head(0)).tolist() == [-1]


def test_lists_of_both_pages(client, workspace):
    """Duplicate groups, leaks by pair of splits, rejects and the confusion matrix count what the tables hold."""
    groups = post(client, "duplicates", filter={}, limit=60).json()
    assert groups["total"] == table(workspace, "duplicates")["group_id"].n_unique()
    assert all(group["members"][0]["keep"] for group in groups["groups"])
    leaks = post(client, "leaks", filter={}).json()
    assert leaks["total"] == len(table(workspace, "leaks")) and leaks["pairs"] == [["test ↔ train", leaks["total"]]]
    assert client.get("/api/1/table/rejects").json()["total"] == 2
    flagged = table(workspace, "label_issues").filter("is_issue")
    matrix = client.get("/api/1/confusion").json()
    assert matrix["total"] == len(flagged) == sum(n for *_, n in matrix["cells"])
    for given, suggested, n in matrix["cells"]:
        assert post(client, "facets", filter={"cell": [given, suggested]}).json()["selected"] == n


def test_a_decision_is_kept_shown_and_undone(client, workspace):
    """Accepting a suggestion writes who and when, shows on the card, and undo takes it back."""
    worst = post(client, "gallery", sort="label_issues.score", limit=1, filter={}).json()["cards"][0]
    done = post(client, "decide", kind="accept_label", ids=[worst["id"]]).json()
    row = read_decisions(workspace).row(0, named=True)
    assert (row["value"], row["label"], row["snapshot"]) == (worst["suggested"], worst["label"], 1)
    assert row["who"] and row["at"].utcoffset().total_seconds() == 0
    assert client.get("/api/1/sample", params={"id": worst["id"]}).json()["decision"] == "label accepted"
    assert client.get("/api/decisions").json()["batches"][0]["n"] == 1
    assert client.post("/api/1/undo", json={"batch": done["batch"]}).status_code == 200
    assert effective_decisions(read_decisions(workspace)).is_empty()
    assert client.get("/api/1/sample", params={"id": worst["id"]}).json()["decision"] is None


def test_tagging_a_selection_tags_exactly_it(client, workspace):
    """Every sample of the filter and no other; the tag can then be filtered by."""
    wanted = {"values": {"label": ["bonsai"]}}
    n = post(client, "decide", kind="tag", value="trees", filter=wanted).json()["n"]
    tagged = effective_decisions(read_decisions(workspace))
    bonsai = table(workspace, "samples").filter(pl.col("label") == "bonsai")["sample_id"]
    assert n == len(bonsai) and set(tagged["sample_id"]) == set(bonsai)
    assert post(client, "facets", filter={"values": {"decision": ["tag: trees"]}}).json()["selected"] == n


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "burn", "ids": ["s/0000001"]},
        {"kind": "tag", "ids": ["s/0000001"]},
        {"kind": "drop", "ids": []},
        {"kind": "undo", "ids": ["s/0000001"]},
        {"kind": "drop"},
        {"ids": ["s/0000001"]},
    ],
)
def test_decisions_that_mean_nothing_write_nothing(client, workspace, body):
    """Unknown kinds, empty selections, missing tags."""
    assert client.post("/api/1/decide", json=body).status_code in (400, 404, 409)
    assert read_decisions(workspace).is_empty()


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("points", {}, "the request has no 'method'"),
        ("gallery", {"sort": "scores.gone"}, "no column 'scores.gone'"),
        ("undo", {"batch": "mine"}, "no decisions 'mine'"),
        ("queue", {"key": "gone"}, "no queue 'gone'; there are ['label_issue',"),
        ("cards", {"rows": [0, 5_000]}, "no such row"),
        ("evaluation", {}, '{"brought":false}'),
    ],
)
def test_a_mistake_is_told_as_it_is_written(client, path, body, words):
    """With the quotes that belong to it, and no others; what is merely absent is no mistake."""
    answer = client.post(f"/api/1/{path}", json=body)
    assert answer.json().get("error", answer.text).startswith(words)


@pytest.mark.parametrize(
    ("separator", "given", "kept"),
    [
        ("", "  Cafe\u0301 ", "Caf\u00e9"),
        ("", " \u00a0 ", None),
        ("|", " dog | cat|dog|", "cat|dog"),
        ("|", "|", "|"),
        ("|", " ", None),
        ("|", "|".join("x" * 90 + str(n) for n in range(11)), None),
    ],
)
def test_a_label_is_given_as_labels_are_spelt(tmp_path, separator, given, kept):
    """NFC, without white space around it, a set of classes sorted; what is no label is refused and writes nothing."""
    make_snapshot(tmp_path, "toy", 20, 1, hostile=False, source={"label_separator": separator})
    workspace = Workspace(tmp_path, "toy")
    body = {"kind": "accept_label", "value": given, "ids": ["s/0000003"]}
    answer = client_of(workspace).post("/api/1/decide", json=body)
    made = read_decisions(workspace)["value"].to_list()
    assert made == ([kept] if kept else []) and answer.status_code == (200 if kept else 400), answer.text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["sample_id", "s/0000001"], "predictions need a column 'predicted'"),
        ([], "this is no CSV file"),
        (['sample_id,predicted\n"a,cat'], "this is no CSV file"),
        (["sample_id,predicted,probability", "s/0000001,cat,likely"], "the predictions do not read as"),
        (["sample_id,predicted,probability", "s/0000001,cat,7"], "a probability lies in 0 to 1"),
        ("sample_id,predicted", "predictions come as the lines of a CSV file"),
    ],
)
def test_predictions_that_cannot_be_read_are_refused_in_words(client, workspace, lines, words):
    """And nothing of them is kept."""
    answer = client.post("/api/predictions", json={"lines": lines})
    assert answer.status_code in (400, 409) and answer.json()["error"].startswith(words)
    assert client.post("/api/1/evaluation", json={}).json() == {"brought": False}


def test_a_damaged_snapshot_is_named_and_one_that_goes_is_told_of(tmp_path):
    """A file with other bytes than were published is named, with what to do; without any file of it left, the snapshot
    is being removed."""
    path = make_snapshot(tmp_path, "toy", 40, 1, hostile=False)
    manifest = json.loads((path / "manifest.json").read_text())
    for file in all_files(manifest):
        file["sha256"] = file_sha256(path / file["path"])
    (path / "manifest.json").write_text(json.dumps(manifest))
    client = client_of(Workspace(tmp_path, "toy"))
    assert client.get("/api/1/meta").status_code == 200
    (path / "leaks" / "part-00000.parquet").write_bytes(b"rotten" * 200)
    damaged = client.post("/api/1/leaks", json={})
    assert damaged.status_code == 409 and "leaks/part-00000.parquet is damaged" in damaged.json()["error"]
    assert "assay verify --repair toy" in damaged.json()["error"]
    shutil.rmtree(path)
    gone = client.post("/api/1/leaks", json={})
    assert gone.status_code == 410 and "being removed" in gone.json()["error"]


def test_a_zip_that_cannot_be_made_leaves_nothing_behind(client, monkeypatch, tmp_path):
    """Neither half a file nor a whole one once it is sent."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = {"what": "cleaned", "format": "zip", "filter": {"text": "bonsai"}}
    assert client.post("/api/1/export", json=body).headers["content-type"] == "application/zip"
    assert list(tmp_path.iterdir()) == []

    def broken(*given):
        given[-1].write(b"half")
        raise AssayError("the source is gone")

    monkeypatch.setattr(deciding, "write_zip", broken)
    assert client.post("/api/1/export", json=body).json() == {"error": "the source is gone"}
    assert list(tmp_path.iterdir()) == []


def test_a_decision_without_samples_says_what_is_wanted(client, workspace):
    """Neither a filter nor ids."""
    answer = client.post("/api/1/decide", json={"kind": "drop"})
    assert answer.status_code == 400 and answer.json()["error"].endswith("wanted a `filter`, or a list of `ids`")


def test_no_label_cannot_be_right(tmp_path):
    """Of many samples those without a label are left out, and the answer says how many; they can be kept."""
    make_snapshot(tmp_path, "toy", 40, 1, change=unlabelled, hostile=False)
    client = client_of(Workspace(tmp_path, "toy"))
    assert post(client, "decide", kind="reject_label", filter={}, dry=True).json()["unchanged"] == {"no_label": 10}
    assert post(client, "decide", kind="reject_label", filter={}).json()["n"] == 30
    assert post(client, "decide", kind="keep", filter={}).json()["n"] == 40


def unlabelled(tables):
    """Every fourth sample has no label."""
    label = pl.when(pl.col("position") % 4 > 0).then("label")
    return tables | {"samples": tables["samples"].with_columns(label=label)}


def test_a_decision_in_one_snapshot_holds_in_the_next(client, workspace):
    """It belongs to the content, not to the snapshot: still there where content and label are the same."""
    post(client, "decide", kind="keep", ids=["s/0000100"])
    assert client.get("/api/2/sample", params={"id": "s/0000100"}).json()["decision"] == "keep"


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_exports_hold_exactly_the_selection(client, workspace, form):
    """The same ids in every format, in source order."""
    reply = post(client, "export", what="selection", format=form, filter={"values": {"split": ["test"]}})
    wanted = table(workspace, "samples").filter(pl.col("split") == "test")["sample_id"].to_list()
    if form == "parquet":
        found = pl.read_parquet(reply.content)["sample_id"].to_list()
    elif form == "csv":
        found = [row["sample_id"] for row in csv.DictReader(io.StringIO(reply.text))]
    else:
        found = [json.loads(line)["data"]["sample_id"] for line in reply.text.split("\n") if line]
    assert found == wanted and "attachment" in reply.headers["content-disposition"]


def test_cells_of_a_csv_cannot_become_formulas(client):
    """Whatever a spreadsheet would run starts with an apostrophe; Parquet keeps the text as it is."""
    csv.field_size_limit(10**7)
    rows = list(csv.reader(io.StringIO(post(client, "export", what="selection", format="csv", filter={}).text)))
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]
    assert any(cell == "'" + HOSTILE[3] for row in rows for cell in row)
    frame = pl.read_parquet(post(client, "export", what="selection", format="parquet", filter={}).content)
    assert HOSTILE[3] in frame["label"]


def test_full_width_signs_are_formulas_too():
    """Spreadsheets read ＝ as =; a header is treated like a cell."""
    frame = without_formulas(pl.DataFrame({"=a": ["＝1", "\n=1", "a＝1"]}))
    assert frame.columns == ["'=a", ESCAPED] and frame["'=a"].to_list() == ["'＝1", "'\n=1", "a＝1"]


def test_the_history_passes_over_a_half_removed_snapshot(workspace, tmp_path):
    """What is left of a snapshot that is being removed is no reason to show nothing."""
    shutil.copytree(workspace.root, tmp_path / "toy")
    copied = Workspace(tmp_path, "toy")
    shutil.rmtree(copied.snapshots / "v00000001" / "samples")
    lines = history(list_snapshots(copied), "s/0000003")
    assert [line["snapshot"] for line in lines] == [2]


def test_the_cleaned_dataset_follows_duplicates_and_decisions(client, workspace):
    """Copies out, but not one that somebody keeps; dropped ones out; accepted labels in."""
    copies = table(workspace, "duplicates").filter(~pl.col("keep"))["sample_id"].to_list()
    post(client, "decide", kind="keep", ids=copies[:1])
    post(client, "decide", kind="drop", ids=["s/0000001"])
    post(client, "decide", kind="accept_label", ids=["s/0000002"], value="zebra")
    frame = pl.read_parquet(post(client, "export", what="cleaned", format="parquet", filter={}).content)
    assert set(table(workspace, "samples")["sample_id"]) - set(frame["sample_id"]) == {*copies[1:], "s/0000001"}
    assert frame.filter(pl.col("sample_id") == "s/0000002")["label"].to_list() == ["zebra"]


def test_the_cleaned_dataset_is_the_view_in_sql(client, workspace):
    """The export and `cleaned`, sample by sample, with decisions of every kind."""
    copies = table(workspace, "duplicates").filter(~pl.col("keep"))["sample_id"].to_list()
    post(client, "decide", kind="keep", ids=copies[:3])
    post(client, "decide", kind="drop", ids=["s/0000001", copies[2]])
    post(client, "decide", kind="accept_label", filter={"flags": ["label_issue"]})
    undone = post(client, "decide", kind="drop", ids=["s/0000005"]).json()["batch"]
    post(client, "undo", batch=undone)
    for number in (1, 2):
        answer = client.post(f"/api/{number}/export", json={"what": "cleaned", "format": "parquet"})
        exported = pl.read_parquet(answer.content)
        with open_snapshot(workspace, number).connect() as connection:
            view = connection.sql("select * from cleaned").pl()
        assert exported.equals(view) and 0 < len(view) < N


def test_what_others_decide_is_seen_at_once(client, workspace):
    """Two explorers and a program on one dataset: filters, cards, counts and the export follow without a restart."""
    other = client_of(workspace)
    here = {"filter": {"values": {"decision": ["drop"]}}, "columns": ["decision"]}

    def dropped(reader):
        reply = post(reader, "facets", **here).json()
        exported = pl.read_parquet(post(reader, "export", what="cleaned", format="parquet").content)
        return reply["selected"], N - len(exported)

    copies = dropped(client)[1]
    assert dropped(client) == dropped(other) == (0, copies)
    batch = post(other, "decide", kind="drop", ids=["s/0000001", "s/0000002"]).json()["batch"]
    assert dropped(client) == dropped(other) == (2, copies + 2)
    rows = table(workspace, "samples").filter(pl.col("sample_id") == "s/0000003")
    append_decisions(workspace, rows, "drop", None, "a program", 1)
    assert dropped(client) == dropped(other) == (3, copies + 3)
    undo_batch(workspace, batch, "a program", 1)
    assert dropped(client) == dropped(other) == (1, copies + 1)
    assert client.get("/api/1/sample", params={"id": "s/0000003"}).json()["decision"] == "drop"


def test_a_decision_while_a_selection_is_made_is_not_forgotten(workspace):
    """What was being read when somebody decided is not kept."""
    view = View(open_snapshot(workspace, 1), lambda: read_decisions(workspace))
    selections = Selections(view)
    rows = table(workspace, "samples").head(1)
    plain = view.decisions

    def decide_meanwhile():
        found = plain()
        if len(read_decisions(workspace)) == 0:
            append_decisions(workspace, rows, "drop", None, "kim", 1)
            view.forget("decisions", ("column", "decision"))
            selections.forget()
        return found

    view.decisions = decide_meanwhile
    wanted = {"values": {"decision": ["drop"]}}
    selections.mask(wanted)
    assert selections.mask(wanted).sum() == 1


def test_two_snapshots_compared(client, workspace):
    """Twenty samples are gone in v2; each kind of change has as many cards as it counts."""
    reply = client.get("/api/2/compare/1", params={"change": "removed"}).json()
    assert ["removed", "", 20] in reply["counts"] and reply["total"] == 20 and reply["snapshot"] == 1
    assert len(reply["cards"]) == 20 and reply["n"] == [N, N - 20]
    sides = client.get("/api/2/compare/1/plots", params={"method": "umap"}).json()["sides"]
    assert [len(side["x"]) for side in sides] == [N, N - 20] and sides[0]["code"].count(1) == 20


def test_a_broken_snapshot_is_named_and_skipped(client, workspace, home):
    """The page opens the newest one that can be read, and says which cannot."""
    broken = workspace.snapshots / "v00000003"
    broken.mkdir()
    (broken / "manifest.json").write_text("{half")
    try:
        reply = client.get("/api/snapshots").json()
        assert [s["number"] for s in reply["snapshots"]] == [1, 2] and reply["broken"] == [3]
        assert client.get("/api/3/meta").status_code == 404
    finally:
        shutil.rmtree(broken)


def test_texts_and_missing_tables(home):
    """A text dataset shows its texts; a snapshot without some tables opens all the same."""
    client = client_of(Workspace(home, "texts"))
    card = post(client, "gallery", filter={}, limit=1, descending=False).json()["cards"][0]
    assert card["text"] == HOSTILE[0]
    assert client.get("/api/1/sample", params={"id": card["id"]}).json()["text"] == HOSTILE[0]
    path = Workspace(home, "texts").snapshots / "v00000001" / "manifest.json"
    text = path.read_text()
    manifest = json.loads(text)
    for name in ("label_issues", "duplicates", "leaks", "projection", "vectors", "neighbors", "diff", "text_facts"):
        del manifest["tables"][name]
    path.write_text(json.dumps(manifest))
    try:
        client = client_of(Workspace(home, "texts"))
        meta = client.get("/api/1/meta").json()
        assert meta["layouts"] == [] and not meta["has_vectors"]
        keys = [column["key"] for column in meta["columns"]]
        assert len(post(client, "facets", filter={}, columns=keys).json()["facets"]) == len(keys)
        assert client.get("/api/1/sample", params={"id": card["id"]}).status_code == 200
    finally:
        path.write_text(text)


def test_tasks_for_label_studio_carry_the_suggestion(client):
    """One task a sample; its suggestion as a choice that the labelling configuration knows."""
    reply = post(client, "export", what="selection", format="labelstudio", filter={"flags": ["label_issue"]})
    tasks = reply.json()
    assert tasks and reply.headers["content-disposition"].endswith('.json"')
    for task in tasks:
        [choice] = task["predictions"][0]["result"]
        assert choice["type"] == "choices" and choice["to_name"] == "image" and task["data"]["image"]
        assert choice["value"]["choices"] == [task["predictions"][0]["result"][0]["value"]["choices"][0]]
        assert 0 <= task["predictions"][0]["score"] <= 1


def test_a_decision_says_what_it_would_change_and_writes_only_that(client, workspace):
    """Accepting all suggestions changes only labels that differ; dry, nothing is written; twice, nothing is left."""
    issues = table(workspace, "label_issues")
    differ = issues.filter(pl.col("suggested_label") != pl.col("label"))
    dry = post(client, "decide", kind="accept_label", filter={}, dry=True).json()
    assert dry == {"batch": None, "n": len(differ), "unchanged": {"same_label": N - len(differ)}}
    assert read_decisions(workspace).is_empty()
    done = post(client, "decide", kind="accept_label", filter={}).json()
    assert done["n"] == len(differ) == len(read_decisions(workspace))
    again = post(client, "decide", kind="accept_label", filter={}).json()
    assert again["batch"] is None and again["unchanged"]["decided"] == len(differ)


def test_queues_count_what_is_decided(client, workspace):
    """Labels by sample, duplicates by group, leaks by pair; an item is done by its own kind of decision only."""
    before = {q["key"]: q for q in post(client, "queue", key="label_issue").json()["queues"]}
    assert before["duplicate"]["total"] == table(workspace, "duplicates")["group_id"].n_unique()
    assert before["leak"]["total"] == len(table(workspace, "leaks"))
    worst = post(client, "queue", key="label_issue").json()["items"][0]["rows"]
    sample = post(client, "cards", rows=worst).json()["cards"][0]["id"]
    post(client, "decide", kind="tag", value="seen", ids=[sample])
    assert post(client, "queue", key="label_issue").json()["done"] == 0
    post(client, "decide", kind="reject_label", ids=[sample])
    assert post(client, "queue", key="label_issue").json()["done"] == 1
    copy = table(workspace, "duplicates").filter(~pl.col("keep"))["sample_id"][0]
    post(client, "decide", kind="drop", ids=[copy])
    after = {q["key"]: q["done"] for q in post(client, "queue", key="duplicate").json()["queues"]}
    assert after["duplicate"] == 1


def test_the_overview_counts_what_the_tables_hold(client, workspace):
    """One headline for page and report; changes in three words; what is worth doing with a way to it."""
    told = client.get("/api/2/overview").json()
    assert told["sentence"].startswith("1,180 images in ") and told["parent"] == 1
    assert told["changes"]["counts"] == {"removed": 20}
    assert [line["name"] for line in told["history"]][:2] == ["n_samples", "n_label_issues"]
    assert told["history"][0]["values"] == [1200, 1180]
    assert 1 <= len(told["worth"]) <= 5 and all(thing["n"] > 0 and thing["go"]["page"] for thing in told["worth"])
    assert sum(line["n"] for line in told["rejects"]) == 2 and told["health"][0]["says"]


def test_what_lets_nothing_through_is_named(client, workspace):
    """For each condition of an empty selection: what would pass without it."""
    wanted = {"values": {"label": ["no such"], "split": ["test"]}, "text": "bonsai"}
    lifts = {(one["key"], one["name"]): one["n"] for one in post(client, "lifts", filter=wanted).json()["lifts"]}
    assert lifts[("text", None)] == 0 and lifts[("values", "split")] == 0
    assert lifts[("values", "label")] == len(
        table(workspace, "samples").filter(
            (pl.col("split") == "test") & pl.any_horizontal(
                pl.col("label", "caption").str.to_lowercase().str.contains("bonsai", literal=True)
            )
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/1/queue", {"key": "no such"}),
        ("/api/1/queue", {}),
        ("/api/1/cards", {"rows": [10**9]}),
        ("/api/1/cards", {"rows": "x"}),
        ("/api/1/lifts", {"filter": {"nope": 1}}),
        ("/api/views", {"name": ""}),
        ("/api/views", {"name": "x" * 200, "state": {}}),
        ("/api/views", {"name": "x", "state": [1]}),
        ("/api/predictions", {"lines": "a"}),
        ("/api/predictions", {"lines": ["nothing,of,that", "1,2,3"]}),
        ("/api/predictions", {"lines": ["sample_id,predicted,probability", "a,b,7"]}),
        ("/api/1/export", {"what": "selection", "format": "zip"}),
    ],
)
def test_mistakes_are_answered_in_words(client, workspace, path, body):
    """Never a trace, never a file that was not asked for."""
    answer = client.post(path, json=body)
    assert answer.status_code in (400, 404, 409) and answer.json()["error"]
    assert not (workspace.root / "predictions.parquet").exists() and client.get("/api/views").json() == {"views": []}
