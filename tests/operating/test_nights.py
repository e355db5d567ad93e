"""What a night needs, and what it wrote: counted from the files, whatever else is there."""

import os

import pytest

from assay.operating import nights
from assay.operating.nights import Ended, free_bytes, gigabytes, last_nights, needed, note, written_since
from assay.operating.prometheus import Gauges
from assay.store.digests import write_sealed
from assay.store.workspace import Workspace


def test_a_file_is_counted_once_however_often_it_is_linked(tmp_path):
    """Of those that are new; a link that leads nowhere, and files beside the three folders, are none."""
    workspace = Workspace(tmp_path, "toy")
    for folder in (workspace.work, workspace.facts, workspace.snapshots):
        folder.mkdir(parents=True)
    (workspace.work / "old").write_bytes(b"x" * 50_000)
    os.utime(workspace.work / "old", (1_000, 1_000))
    (workspace.facts / "new").write_bytes(b"x" * 100_000)
    os.link(workspace.facts / "new", workspace.snapshots / "linked")
    (workspace.root / "beside").write_bytes(b"x" * 100_000)
    (workspace.work / "gone").symlink_to(tmp_path / "nowhere")
    assert written_since(Workspace(tmp_path, "none"), 0.0) == 0
    size = os.stat(workspace.facts / "new").st_blocks * 512
    assert size <= written_since(workspace, 2_000) <= size + 8_192  # the link itself
    assert written_since(workspace, 0.0) >= size + 49_152


@pytest.mark.parametrize("written, most", [
    ([], 0), ([(1, 900)], 900), ([(1, 900), (2, 10), (3, 30)], 30), ([(1, 900), (None, 40)], 40),
    ([(2, 999)] + [(n, n) for n in range(3, 3 + nights.LATELY)], 2 + nights.LATELY),
])  # fmt: skip
def test_what_a_night_needs_is_the_most_of_the_last(tmp_path, written, most):
    """The first one wrote all; it counts as long as there is no other, failed ones count as well."""
    workspace = Workspace(tmp_path, "toy")
    for number, size in written:
        note(workspace, Ended(0.0, 1.0, number, "", size))
    assert needed(workspace) == most


@pytest.mark.parametrize(
    "record", [{}, {"nights": None}, {"nights": [{"at": 1}]}, {"nights": ["x"]}, {"nights": [{"new": 1}]}]
)
def test_a_record_of_another_shape_is_none(tmp_path, record):
    """As another version may have written it; the next night begins it anew."""
    workspace = Workspace(tmp_path, "toy")
    workspace.root.mkdir()
    write_sealed(workspace.root / "nights.json", record)
    assert last_nights(workspace) == []
    note(workspace, Ended(1.0, 2.0, 1, "caf\udce9", 3))
    assert [night.error for night in last_nights(workspace)] == ["caf\udce9"]


def test_the_disk_of_a_home_that_is_not_there_yet_is_its_parents(tmp_path):
    """A number of bytes, in words that a person reads."""
    free = free_bytes(Workspace(tmp_path / "not" / "there", "toy"))
    assert free == pytest.approx(free_bytes(Workspace(tmp_path, "toy")), rel=0.1) and free > 0
    assert [gigabytes(size) for size in (0, 5e5, 9.9e7, 1e8, 1.25e12)] == [
        "0.0 MB",
        "0.5 MB",
        "99.0 MB",
        "0.1 GB",
        "1,250.0 GB",
    ]


def test_a_gauge_is_a_line_and_nothing_is_none():
    """Names of datasets and metrics are quoted as Prometheus wants it."""
    gauges = Gauges()
    gauges.set("issues", "Words.", 3, dataset='a"b\\c\nd', metric="dark")
    gauges.set("issues", "Words.", 0.5, dataset="other", metric="é")
    gauges.set("unknown", "Words.", None, dataset="a")
    lines = [line for line in gauges.text().decode().splitlines() if not line.startswith("#")]
    assert lines == [
        r'assay_issues{dataset="a\"b\\c\nd",metric="dark"} 3.0',
        'assay_issues{dataset="other",metric="é"} 0.5',
    ]
