"""The source's columns from night to night: what is gone stops the night, what is different is told."""

import json

import polars as pl
import pytest

from assay.contracts.errors import SourceError
from assay.contracts.spec import make_spec
from assay.publishing.snapshot import write_snapshot
from assay.sources.ingest import ingest
from assay.sources.schema import changes
from assay.store.workspace import Workspace
from tests.snapshot_builder import stage_output

ROWS = [(f"s{n}", f"text {n}", "cat" if n % 2 else "dog", "train" if n % 3 else "test", n) for n in range(60)]
COLUMNS = ["sample_id", "text", "label", "split", "camera"]


@pytest.fixture
def night(data, tmp_path):
    """`night(header, **source)`: a table with its columns so named, ingested and published; its manifest."""
    workspace = Workspace(tmp_path / "home", "d")

    def call(header: list[str], rows=ROWS, **source) -> dict:
        frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")
        names = {old: new for old, new in zip(COLUMNS, header, strict=True) if new}
        frame.select(list(names)).rename(names).write_csv(data / "t.csv")
        values = {"name": "d", "modality": "text", "source": {"kind": "table", "path": "t.csv", **source}}
        spec = make_spec(values, base=data)
        output = ingest(spec, workspace)
        samples = stage_output(workspace, "clean", {"samples": output.read("ingested")})
        return write_snapshot(spec, workspace, [output, samples]).manifest

    return call


@pytest.mark.parametrize(
    ("columns", "role", "new"),
    [
        (["sample_id", "text", "category", "split", "camera"], "label", "'category'"),
        (["sample_id", "text", "label", "fold", "camera"], "split", "'fold'"),
        (["id", "text", "label", "split", "camera"], "sample_id", "'id'"),
        (["sample_id", "text", "", "split", "camera"], "label", ""),
    ],
)
def test_a_lost_column_stops_the_night(night, columns, role, new):
    """What is gone, what is new, how many had it, and the two keys; with one of them the night goes on."""
    night(COLUMNS)
    with pytest.raises(SourceError, match=rf"the {role} that column '{role}' held is gone.*60 of 60") as caught:
        night(columns)
    assert new in str(caught.value) and f"source.may_be_absent = ['{role}']" in str(caught.value)
    renamed = dict(zip(COLUMNS, columns, strict=True))[role]
    if renamed:
        assert night(columns, columns={role: renamed})["source"]["changes"] == [
            f"the {role} came from '{role}' and now comes from '{renamed}'"
        ]
    found = night(columns, may_be_absent=[role])["source"]["changes"]
    assert f"the {role} that column" in found[0]


def test_a_column_that_is_there_and_empty_is_gone_too(night):
    """Whatever the reason, no label is left."""
    night(COLUMNS)
    rows = [(*row[:2], None, *row[3:]) for row in ROWS]
    with pytest.raises(SourceError, match="tonight none has"):
        night(COLUMNS, pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row", strict=False).rows())


def test_after_one_night_it_is_as_it_should_be(night):
    """The key is for one night: the next one compares with what is published now."""
    night(COLUMNS)
    without = ["sample_id", "text", "", "split", "camera"]
    night(without, may_be_absent=["label"])
    assert night(without)["source"]["changes"] == []


def test_further_columns_are_told(night, capsys):
    """A group column that is gone, new or of another type stops nothing, and is no secret."""
    night(COLUMNS)
    capsys.readouterr()
    found = night(["sample_id", "text", "label", "split", "lens"])["source"]["changes"]
    assert found == ["columns that are gone: 'camera'; new are 'lens'"]
    assert "changed: columns that are gone: 'camera'" in capsys.readouterr().err
    found = night(["sample_id", "text", "label", "split", "lens"], [(*row[:4], f"f/{row[4]}") for row in ROWS])
    assert found["source"]["changes"] == ["column 'lens' was Int64 and is String"]


def test_labels_that_are_all_others_are_told(night, capsys):
    """Recoded classes change every label; few corrections are what nights are for."""
    night(COLUMNS)
    capsys.readouterr()
    night(COLUMNS, [(*row[:2], str(len(row[2])), *row[3:]) for row in ROWS])
    assert (
        "changed: 60 of 60 labels are not those of the last snapshot: then cat, dog; now 3" in capsys.readouterr().err
    )
    night(COLUMNS, [(*row[:2], str(len(row[2])) if n else "4", *row[3:]) for n, row in enumerate(ROWS)])
    assert "labels are not those" not in capsys.readouterr().err


def test_an_unchanged_source_has_nothing_to_tell(night):
    """Nor has a first night."""
    assert night(COLUMNS)["source"]["changes"] == [] == night(COLUMNS)["source"]["changes"]


def test_folders_read_otherwise_are_told():
    """The layout of both nights."""
    before = {"roles": {}, "columns": {}, "layout": "split/class"}
    assert changes(before, before | {"layout": "class"}) == ["the folders were read as split/class and now as class"]


def test_the_schema_is_published_as_json(run, data):
    """Roles with a value, further columns with their types."""
    (data / "t.csv").write_text("text,label,n\na,,1\n")
    output = run({"kind": "table", "path": "t.csv"}, "text")
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    found = json.loads(notes["source_schema"])
    assert found == {"roles": {"text": "text"}, "columns": {"n": "Int64"}, "layout": ""}
