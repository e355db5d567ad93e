"""Whole nights on real digits with planted defects: found, cheap to repeat, the same in two homes, safe to kill."""

import contextlib
import os
import queue
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from assay import night
from assay.contracts.errors import SourceError
from assay.store.decisions import append_decisions, undo_batch
from assay.store.snapshots import Snapshot, list_snapshots, newest_snapshot, read_snapshot, verify
from assay.store.workspace import Workspace
from tests.corpus import write_digits
from tests.nightly import DIGITS_SPEC, copied, run_nightly

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dataset(tmp_path) -> Path:
    """A spec over a small folder of digits of its own."""
    write_digits(tmp_path / "digits", seed=1, n=120)
    spec = tmp_path / "digits.toml"
    spec.write_text(DIGITS_SPEC)
    return spec


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder with such a spec as `digits.toml`, its digits, and `home`, in which one night was published."""
    base = tmp_path_factory.mktemp("published")
    write_digits(base / "digits", seed=1, n=120)
    (base / "digits.toml").write_text(DIGITS_SPEC)
    run_nightly(base / "digits.toml", base / "home")
    return base


@pytest.fixture
def base(published, tmp_path) -> Path:
    """A copy of one's own."""
    return copied(published, tmp_path / "here")


def newest(base: Path) -> Snapshot:
    """The last snapshot of such a folder."""
    found = newest_snapshot(workspace_of(base))
    assert found is not None
    return found


def workspace_of(base: Path) -> Workspace:
    """Its workspace."""
    return Workspace(base / "home", "digits")


def digests(snapshot) -> dict[str, str]:
    return {name: table["digest"] for name, table in snapshot.manifest["tables"].items()}


def test_a_snapshot_is_whole_and_has_every_table_filled(digits_night):
    """Digests and contracts hold; no table of the design is missing."""
    assert verify(digits_night) == []
    filled = {name for name, table in digits_night.manifest["tables"].items() if table["rows"]}
    assert filled >= {
        "samples", "rejects", "image_facts", "vectors", "neighbors", "duplicates", "leaks", "projection", "scores",
        "label_issues", "label_noise", "classes", "embedding_health", "dataset_metrics",
    }  # fmt: skip
    health = pl.concat([pl.read_parquet(part) for part in digits_night.parts("embedding_health")])
    assert health.filter(check="index_recall_at_10")["value"].item() >= 0.95


@pytest.mark.parametrize(
    ("kind", "query", "recall"),
    [
        ("corrupt", "select uri from rejects", 1.0),
        ("byte_duplicate", "select uri from duplicates join samples using (sample_id)", 1.0),
        ("dark", "select uri from scores join samples using (sample_id) where metric = 'dark' and is_issue", 0.9),
        ("bright", "select uri from scores join samples using (sample_id) where metric = 'bright' and is_issue", 0.9),
        ("leak", "select uri from scores join samples using (sample_id) where metric = 'leak'", 0.8),
        ("flipped_label", "select uri from label_issues join samples using (sample_id) where is_issue", 0.6),
    ],
)
def test_planted_defects_are_found(digits_night, kind, query, recall):
    """By the table in which a user would look."""
    truth = pl.read_parquet(digits_night.path.parents[3] / "truth.parquet").filter(kind=kind)["uri"]
    found = {row[0] for row in digits_night.connect().sql(query).fetchall()}
    assert len(truth) >= 2
    assert sum(uri in found for uri in truth) / len(truth) >= recall


def test_an_unchanged_night_decodes_embeds_and_reads_nothing(dataset, tmp_path, monkeypatch):
    """The second snapshot has the first's tables, and no stage's body ran."""
    first = run_nightly(dataset, tmp_path / "home")
    import assay.modalities.image.decode
    import assay.sources.files
    import assay.store.facts

    def forbidden(*_arguments, **_options):
        raise AssertionError("an unchanged night touched the data")

    monkeypatch.setattr(assay.modalities.image.decode, "decode_rgb", forbidden)
    monkeypatch.setattr(assay.sources.files.Source, "read", forbidden)
    monkeypatch.setattr(assay.store.facts.FactStore, "append", forbidden)
    second = run_nightly(dataset, tmp_path / "home")
    rerun = {name.split("-")[0] for name in set(second.manifest["stages"]) - set(first.manifest["stages"])}
    assert second.number == 2 and rerun <= {"drift", "judge"}  # since the parent, which is new; its verdicts hold
    tonight = {"embedding_health", "dataset_metrics"}
    assert {n: d for n, d in digests(second).items() if n not in tonight} == {
        n: d for n, d in digests(first).items() if n not in tonight
    }


def test_a_new_file_is_the_only_one_decoded(base):
    """Facts are kept by content: one new content, one decode in the clean stage."""
    facts = base / "home/digits/facts/image_facts"
    before = set(facts.rglob("part-*.parquet"))
    source = next((base / "digits/train/3").glob("*.png"))
    from PIL import Image, ImageOps

    ImageOps.flip(Image.open(source)).save(base / "digits/train/3/new.png")
    snapshot = run_nightly(base / "digits.toml", base / "home")
    (added,) = set(facts.rglob("part-*.parquet")) - before
    assert len(pl.read_parquet(added)) == 1
    assert ("train/3/new.png", "added", "") in snapshot.read("diff", ["sample_id", "change", "metric"]).rows()


def test_two_homes_agree_on_every_table(published, tmp_path):
    """The same input gives the same snapshot, also when the data has moved."""
    shutil.copytree(published / "digits", tmp_path / "digits")
    (tmp_path / "digits.toml").write_text(DIGITS_SPEC)
    second = run_nightly(tmp_path / "digits.toml", tmp_path / "two")
    assert digests(newest(published)) == digests(second)


def test_a_threshold_recomputes_no_fact(base):
    """Thresholds are applied late: embed, index and project are found again."""
    first = newest(base)
    (base / "digits.toml").write_text(DIGITS_SPEC + "[thresholds]\ndark = 0.9\n")
    second = run_nightly(base / "digits.toml", base / "home")
    kept = set(first.manifest["stages"]) & set(second.manifest["stages"])
    assert {name.split("-")[0] for name in kept} >= {"ingest", "clean", "dedup", "embed", "index", "project"}


def test_a_dismissed_suspicion_does_not_come_back(base):
    """Until the label changes: a decision is about a content under a label."""
    first = newest(base)
    flagged = first.connect().sql(
        "select sample_id, content_hash, s.label from label_issues join samples s using (sample_id) where is_issue"
    )
    row = flagged.pl().head(1)
    append_decisions(workspace_of(base), row, "reject_label", None, "tester", first.number)
    second = run_nightly(base / "digits.toml", base / "home")
    now = pl.read_parquet(second.parts("label_issues")).filter(sample_id=row["sample_id"].item())
    assert now["is_issue"].to_list() == [False] and now["score"].item() > 0
    assert (row["sample_id"].item(), "resolved", "label_issue") in second.read(
        "diff", ["sample_id", "change", "metric"]
    ).rows()


def test_a_copy_that_somebody_keeps_is_superfluous_no_more(base):
    """In the next night's duplicates, headline and issues; undone, it is again."""
    first = newest(base)
    copies = first.connect().sql(
        "select sample_id, content_hash, label from duplicates join samples using (sample_id) where not keep"
    )
    rows = copies.pl().head(2)
    batch = append_decisions(workspace_of(base), rows, "keep", None, "tester", first.number)

    def superfluous(snapshot):
        connection = snapshot.connect()
        marked = {name for (name,) in connection.sql("select sample_id from duplicates where not keep").fetchall()}
        flagged = "select sample_id from scores where metric = 'duplicate' and is_issue"
        assert marked == {name for (name,) in connection.sql(flagged).fetchall()}
        assert snapshot.manifest["headline"]["n_duplicates"] == len(marked)
        cleaned = {name for (name,) in connection.sql("select sample_id from cleaned").fetchall()}
        assert not cleaned & marked and len(cleaned) == snapshot.manifest["headline"]["n_samples"] - len(marked)
        return marked

    second = run_nightly(base / "digits.toml", base / "home")
    before = {name for (name,) in first.connect().sql("select sample_id from duplicates where not keep").fetchall()}
    judged = {stage for stage in second.manifest["stages"] if stage not in first.manifest["stages"]}
    assert {stage.rpartition("-")[0] for stage in judged} == {"judge", "drift"}, "one click trained something"
    assert superfluous(second) == before - set(rows["sample_id"])
    groups = "select sample_id, group_id from duplicates order by all"
    assert first.connect().sql(groups).fetchall() == second.connect().sql(groups).fetchall()
    undo_batch(workspace_of(base), batch, "tester", 2)
    assert superfluous(run_nightly(base / "digits.toml", base / "home")) == before


def test_a_shrunk_source_publishes_nothing(base):
    """A night that lost most of its data stops, and the last snapshot stays the newest."""
    for path in sorted((base / "digits/train").rglob("*.png")):
        path.unlink()
    with pytest.raises(SourceError, match="max_shrink"):
        run_nightly(base / "digits.toml", base / "home")
    assert [s.number for s in list_snapshots(workspace_of(base))] == [1]


def test_a_run_killed_at_random_moments_publishes_the_same_in_the_end(dataset, base, tmp_path):
    """SIGKILL loses nothing and leaves no half snapshot (benchmarks/hardening/kills.py does it a thousand times)."""
    command = [sys.executable, str(ROOT / "tests/nightly.py"), str(dataset), str(tmp_path / "home")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    moments = random.Random(0)
    for _ in range(2):
        victim = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_work(tmp_path / "home/digits", victim)
        time.sleep(moments.uniform(0.0, 1.5))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        assert all(verify(s) == [] for s in list_snapshots(Workspace(tmp_path / "home", "digits")))
    last = run_nightly(dataset, tmp_path / "home")
    assert last.number <= 3, "a kill between publication and exit leaves one more night, never more"
    for _ in range(last.number - 1):
        run_nightly(base / "digits.toml", base / "home")
    assert digests(last) == digests(newest(base))


def wait_for_work(folder: Path, process: subprocess.Popen) -> None:
    """Until the run has begun to write (its imports take most of the time)."""
    deadline = time.monotonic() + 60
    while not (folder / ".lock").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def test_the_flow_runs_under_prefect_by_hand(dataset, tmp_path):
    """It starts a Prefect server, quietly; its files stay in the home, and what the UI shows is in them."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | {"HOME": str(tmp_path)}
    command = [sys.executable, str(ROOT / "flows/quality_snapshot.py"), str(dataset), str(tmp_path / "home")]
    finished = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    snapshot = read_snapshot(Path(finished.stdout.splitlines()[-1]))
    assert snapshot.number == 1 and verify(snapshot) == []
    assert not [words for words in ("Traceback", "ephemeral", "not shown") if words in finished.stderr]
    with contextlib.closing(sqlite3.connect(tmp_path / "home/.prefect/by-hand/prefect.db")) as database:
        artifacts = dict(database.execute("select key, type from artifact"))
    assert artifacts.items() >= {("digits-headline", "table"), ("digits-embedding-plot", "image")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "digits.toml", "home"]


def test_a_stage_whose_thread_ends_without_a_word_has_failed(monkeypatch):
    """As it does where no memory is left to say one: the night ends, and does not wait for ever."""
    monkeypatch.setattr(night, "SILENT_SECONDS", 0.05)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    name, outcome = night._next(queue.SimpleQueue(), {"embed": thread})
    assert name == "embed" and isinstance(outcome, MemoryError)
    finished = queue.SimpleQueue()
    threading.Timer(0.3, finished.put, [("index", "output")]).start()
    assert night._next(finished, {}) == ("index", "output")
