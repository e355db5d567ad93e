"""Verdicts from night to night: what nobody touched keeps its verdict, unless the evidence is clear."""

import itertools

import numpy as np
import polars as pl
import pytest

from assay.contracts.spec import make_spec
from assay.night import run_night
from assay.store.decisions import append_decisions
from assay.store.workspace import Workspace

CLASSES, NIGHTS, TOUCHED = 4, 4, 8


def first_night() -> pl.DataFrame:
    """Four classes that overlap, so that many samples are on the edge; one label in twelve is another's."""
    rng = np.random.default_rng(0)
    codes = np.arange(400) % CLASSES
    vectors = 1.1 * rng.normal(size=(CLASSES, 12))[codes] + rng.normal(size=(len(codes), 12))
    codes[::12] = (codes[::12] + rng.integers(1, CLASSES, len(codes[::12]))) % CLASSES
    return frame_of([f"s{n:03d}" for n in range(len(codes))], vectors, [f"c{code}" for code in codes])


def frame_of(ids, vectors, labels) -> pl.DataFrame:
    """A table of vectors."""
    array = pl.Series(np.asarray(vectors, np.float32), dtype=pl.Array(pl.Float32, np.shape(vectors)[1]))
    return pl.DataFrame({"sample_id": ids, "vector": array, "label": labels})


def nights() -> list[pl.DataFrame]:
    """The first night and others; each removes the first samples there are and adds as many of another place."""
    out = [first_night()]
    for night in range(NIGHTS):
        rng = np.random.default_rng(10 + night)
        fresh = frame_of([f"n{night}-{n}" for n in range(TOUCHED)], rng.normal(size=(TOUCHED, 12)), ["c0"] * TOUCHED)
        out.append(pl.concat([out[-1][TOUCHED:], fresh]))
    return out


def publish(home, frame, **more):
    """A night of the table in `home`; its snapshot."""
    home.mkdir(exist_ok=True)
    frame.write_parquet(home / "data.parquet")
    described = {"name": "toy", "modality": "vectors", "source": {"kind": "table", "path": "data.parquet"}}
    described |= {"project": {"methods": ["pca"]}} | more
    return run_night(make_spec(described, base=home), Workspace(home, "toy"))


def verdicts(snapshot) -> set[tuple[str, str]]:
    """`(sample_id, metric)` of every issue of an old sample."""
    rows = snapshot.read("scores").filter("is_issue", pl.col("sample_id").str.starts_with("s"))
    return set(rows.select("sample_id", "metric").rows())


def test_what_nobody_touched_keeps_its_verdict(tmp_path):
    """Night after night hardly a verdict of an untouched sample changes, where first nights of the same data differ in
    many; and the tables of a night agree with one another."""
    steady, fresh = [], []
    for night, frame in enumerate(nights()):
        steady.append(publish(tmp_path / "home", frame))
        fresh.append(publish(tmp_path / f"fresh-{night}", frame))
    assert verdicts(steady[0]) == verdicts(fresh[0])

    def flips(snapshots):
        last = set(snapshots[-1].read("samples")["sample_id"])
        kept = [{issue for issue in verdicts(snapshot) if issue[0] in last} for snapshot in snapshots]
        return sum(len(before ^ after) for before, after in itertools.pairwise(kept))

    assert flips(steady) <= 2 and flips(fresh) >= 8
    for snapshot in steady:
        issues = snapshot.read("label_issues").filter("is_issue")
        scores = snapshot.read("scores").filter("is_issue", pl.col("metric") == "label_issue")
        assert sorted(issues["sample_id"]) == sorted(scores["sample_id"])
        assert snapshot.read("classes")["n_issues"].sum() == len(issues)
        assert (issues["suggested_label"] != issues["label"]).all()
        assert snapshot.manifest["headline"]["n_label_issues"] == len(issues)


def test_no_verdict_outlives_what_it_was_made_by(tmp_path):
    """Another threshold counts at once, within its leeway too; a decision that was taken back leaves no trace; a new
    label or content is judged by itself."""
    frame, home = first_night(), tmp_path / "home"
    one = publish(home, frame)
    issues = one.read("label_issues").filter("is_issue").sort("score")
    off = one.read("scores").filter(pl.col("metric") == "off_class", "is_issue")["score"]
    limit = round(float(off.min()) + 0.01, 4)
    two = publish(home, frame, thresholds={"off_class": limit})
    rows = two.read("scores").filter(pl.col("metric") == "off_class")
    assert rows["is_issue"].to_list() == (rows["score"] >= limit).to_list()
    assert rows["is_issue"].sum() < len(off)
    chosen = one.read("samples").filter(pl.col("sample_id") == issues["sample_id"][-1])
    rejected = chosen.select("sample_id", "content_hash", "label")
    batch = append_decisions(Workspace(home, "toy"), rejected, "reject_label", None, "ada", 2)
    three = publish(home, frame)
    assert issues["sample_id"][-1] not in set(three.read("label_issues").filter("is_issue")["sample_id"])
    nobody = rejected.with_columns(sample_id=pl.lit(""))
    append_decisions(Workspace(home, "toy"), nobody, "undo", batch, "ada", 3)
    four = publish(home, frame)
    assert issues["sample_id"][-1] in set(four.read("label_issues").filter("is_issue")["sample_id"])
    right = pl.col("sample_id") == issues["sample_id"][-1]
    mended = frame.with_columns(label=pl.when(right).then(pl.lit(issues["suggested_label"][-1])).otherwise("label"))
    five = publish(home, mended)
    assert issues["sample_id"][-1] not in set(five.read("label_issues").filter("is_issue")["sample_id"])


def test_an_unchanged_night_is_the_one_before(tmp_path):
    """A night of the same data has the tables of the last one, whose verdicts were steadied."""
    frames = nights()[:2]
    snapshots = [publish(tmp_path / "home", frame) for frame in (*frames, frames[1], frames[1])]
    for table in ("scores", "label_issues", "classes", "duplicates"):
        digests = [snapshot.manifest["tables"][table]["digest"] for snapshot in snapshots[1:]]
        assert len(set(digests)) == 1, table


@pytest.mark.parametrize("times", [1.0, 1.5])
def test_leeway_is_on_both_sides(times):
    """A rule's verdicts nest: what starts to be an issue is one, and what is one stays one."""
    from assay.metrics.verdict import with_leeway

    rank = np.arange(10)
    told = with_leeway(lambda scale: rank < 4 * times * scale, 0.5)
    assert (told.starts <= told.is_issue).all() and (told.is_issue <= told.stays).all()
    assert [int(kind.sum()) for kind in (told.starts, told.is_issue, told.stays)] == (
        [3, 4, 6] if times == 1 else [4, 6, 9]
    )
