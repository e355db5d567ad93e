"""The mechanism behind every stage: keyed, cached, whole or absent."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import AssayError, BusyError, ContractError
from assay.store.facts import FactStore
from assay.store.files import atomic_file, hash_text
from assay.store.lock import dataset_lock, disk_full_is_clear, lack_of_memory_is_clear
from assay.store.stage import run_stage, write_rows
from assay.store.vectors import read_vectors, vectors_frame
from assay.store.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path, "data")


def units(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"sample_id": ids, "unit_id": ids}, schema={"sample_id": pl.String, "unit_id": pl.String})


def run(workspace, body, config=None, version=1, inputs=()):
    return run_stage(workspace, "toy", version=version, tables=["units"], config=config or {}, inputs=inputs, body=body)


def test_a_finished_stage_is_not_run_again(workspace):
    """The second call finds the manifest and calls no body."""
    calls = []

    def body(writer):
        calls.append(1)
        writer.write("units", units("a"))

    assert run(workspace, body).read("units").rows() == run(workspace, body).read("units").rows() == [("a", "a")]
    assert len(calls) == 1


def test_config_version_and_inputs_are_in_the_key(workspace):
    """Any of them changes where the output lies."""

    def body(writer):
        writer.write("units", units("a"))

    first = run(workspace, body)
    keys = {first.key, run(workspace, body, {"k": 1}).key, run(workspace, body, version=2).key}
    keys.add(run(workspace, body, inputs=[first]).key)
    assert len(keys) == 4


def test_a_failed_body_leaves_nothing(workspace):
    """No folder, no manifest: the next run starts over."""

    def body(writer):
        writer.write("units", units("a"))
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        run(workspace, body)
    assert list(workspace.work.iterdir()) == []


def test_an_output_that_breaks_its_contract_stops_the_stage(workspace):
    """A stage cannot publish what its contract forbids."""
    with pytest.raises(ContractError, match="primary_key"):
        run(workspace, lambda writer: writer.write("units", units("a", "a")))
    with pytest.raises(ContractError, match="no contract"):
        run(workspace, lambda writer: writer.write("nonsense", units("a")))
    with pytest.raises(ContractError, match="undeclared"):
        run(
            workspace,
            lambda writer: writer.write(
                "rejects",
                pl.DataFrame(schema={}).with_columns(
                    uri=pl.lit("u"), sample_id=pl.lit("s"), stage=pl.lit("x"), reason=pl.lit("r"), detail=pl.lit("d")
                ),
            ),
        )


def test_an_interrupted_move_is_done_again(workspace):
    """A folder without a manifest is not a cache hit."""
    output = run(workspace, lambda writer: writer.write("units", units("a")))
    (output.path / "manifest.json").unlink()
    assert run(workspace, lambda writer: writer.write("units", units("b"))).read("units").rows() == [("b", "b")]


def test_the_contract_version_is_in_every_parquet_file(workspace):
    """Readers can tell what a file promised when it was written."""
    import pyarrow.parquet as pq

    output = run(workspace, lambda writer: write_rows(writer, "units", units()))
    metadata = pq.read_schema(output.parts("units")[0]).metadata
    assert metadata[b"assay.table"] == b"units" and metadata[b"assay.contract"] == b"1"


def test_group_columns_travel_with_samples_and_with_nothing_else(workspace):
    """Further columns of the source stay behind the contract's columns."""
    from assay.store.parts import check

    row = {"sample_id": "a", "position": 0, "uri": None, "content_hash": "0" * 32, "modality": "text", "label": None}
    frame = pl.DataFrame([row | {"split": None, "size_bytes": 1, "country": "KR"}])
    assert check("samples", frame).columns[-1] == "country"
    assert check("units", units("a").with_columns(country=pl.lit("KR"))).columns == ["sample_id", "unit_id"]


def vector_rows(names: list[str], dimensions: int = 4) -> tuple[pl.DataFrame, np.ndarray]:
    matrix = np.random.default_rng(0).normal(size=(len(names), dimensions)).astype(np.float32)
    return vectors_frame([hash_text(name) for name in names], "toy", matrix), matrix


def test_facts_are_kept_once_and_found_again(workspace):
    """Only what is missing is asked for; the same part twice is one file."""
    store = FactStore(workspace, "vectors", "toy")
    rows, _ = vector_rows(["a", "b"])
    store.append(rows)
    store.append(rows)
    wanted = pl.Series([hash_text(name) for name in "cba"])
    assert store.missing(wanted).to_list() == [hash_text("c")]
    assert len(store.parts_for(wanted)) == 1 and len(list(store.folder.iterdir())) == 1


def test_vectors_come_back_in_the_order_asked_for(workspace):
    """Rows without a vector are zeros and say so; parts may hold more than is asked for."""
    store = FactStore(workspace, "vectors", "toy")
    first, a = vector_rows(["a", "b"])
    second, c = vector_rows(["c"])
    store.append(first)
    store.append(second)
    hashes = pl.Series([hash_text(name) for name in ["c", "nothing", "b", "b"]])

    def body(writer):
        for part in store.parts_for(hashes):
            writer.link("vectors", part)

    output = run_stage(workspace, "embed", version=1, tables=["vectors"], config={}, inputs=[], body=body)
    matrix, found = read_vectors(output, hashes)
    assert found.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(matrix, np.stack([c[0], np.zeros(4, np.float32), a[1], a[1]]))


def test_a_killed_writer_leaves_no_file(tmp_path):
    """SIGKILL in the middle of a write: the target is absent, or what it was before."""
    target = tmp_path / "facts.json"
    target.write_text("old")
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from assay.store.files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as aside:\n"
        "    aside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert target.read_text() == "old"
    with atomic_file(target) as aside:
        aside.write_text("new")
    assert target.read_text() == "new"


def test_two_runs_of_one_dataset_do_not_overlap(workspace):
    """The second is told, in words; the lock goes with its process."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom assay.store.workspace import Workspace\n"
        "from assay.store.lock import dataset_lock\n"
        "with dataset_lock(Workspace(Path(sys.argv[1]), 'data')):\n    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(workspace.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(BusyError, match=r"`data` in .* is in use by a run \(process \d+, since 20"),
            dataset_lock(workspace),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with dataset_lock(workspace):
        pass


def test_a_full_disk_is_one_clear_message(tmp_path):
    """ENOSPC from anywhere becomes an error that says what to do."""
    with pytest.raises(AssayError, match="is full.*assay gc"), disk_full_is_clear(tmp_path):
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("Unknown error: Failed to launch worker thread: Resource temporarily unavailable"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=["memory", "threads", "number", "library", "worker thread", "allocation"],
)
def test_a_lack_of_memory_is_one_clear_message(error):
    """From anywhere; another error stays what it is."""
    with pytest.raises(AssayError, match="no memory is left.*run again"), lack_of_memory_is_clear():
        raise error
    with pytest.raises(ValueError, match="^other$"), lack_of_memory_is_clear():
        raise ValueError("other")


def test_identical_rows_give_identical_bytes(tmp_path):
    """Two homes agree on the digest of every table."""
    outputs = []
    for home in ("one", "two"):
        output = run(Workspace(tmp_path / home, "data"), lambda writer: writer.write("units", units("a", "b")))
        outputs.append(output.parts("units")[0].read_bytes())
    assert outputs[0] == outputs[1]


def test_the_manifest_names_the_inputs(workspace):
    """A stage's manifest says what it was made from."""
    first = run(workspace, lambda writer: writer.write("units", units("a")))
    second = run(workspace, lambda writer: writer.write("units", units("a")), inputs=[first], config={"k": 2})
    manifest = json.loads((second.path / "manifest.json").read_text())
    assert manifest["inputs"] == {"toy": first.key} and manifest["config"] == {"k": 2}
    assert not os.access(second.path / "nothing", os.F_OK)
