"""Tables of interactions, users and items with odd columns and odd cells."""

import io

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SourceError
from assay.contracts.tables import empty
from assay.modalities.interactions.facts import measure
from assay.modalities.interactions.modality import worth
from assay.sources.batches import BATCH_ROWS
from assay.store.workspace import Workspace
from tests.snapshot_builder import stage_output

ROWS = "user,item\n1,a\n2,a\n2,gone\n"


def by_id(output) -> dict[str, dict[str, object]]:
    """Samples by id."""
    return {row["sample_id"]: row for row in output.read("ingested").to_dicts()}


def listed(output) -> dict[str, bool]:
    """Whether the table of items names each item."""
    return dict(output.read("interactions").select("item", "is_listed").iter_rows())


@pytest.mark.parametrize(
    ("items", "carried"),
    [
        ("item,kind\na,book\nb,toy\n", ("item_kind", "book")),
        ("item,Kind\na,book\nb,toy\n", ("item_kind", "book")),
        ("item,sample_id\na,x\nb,y\n", ("item_sample_id", "x")),
        ("id,item\n7,a\n8,b\n", ("id", 7)),
        ("item,uri\na,x.jpg\nb,y.jpg\n", ("item_uri", "x.jpg")),
    ],
)
def test_columns_named_as_our_own_keep_out_of_the_way(ingested, items, carried):
    """Items stay items under their own ids, and the column is carried beside."""
    output = ingested("interactions", {"interactions.csv": ROWS, "items.csv": items})
    found = by_id(output)
    assert {name: row["kind"] for name, row in found.items()} == {
        "user:1": "user", "user:2": "user", "item:a": "item", "item:gone": "item", "item:b": "item",
    }  # fmt: skip
    assert found["item:a"][carried[0]] == carried[1] and output.read("rejects").is_empty()
    assert listed(output) == {"item:a": True, "item:gone": False}


def test_the_column_of_labels_is_the_one_that_the_spec_names(ingested):
    """`source.columns` maps it in the tables of items and users."""
    files = {"interactions.csv": ROWS, "items.csv": "item,genre\na,jazz\n", "users.csv": "user,genre\n1,old\n"}
    found = by_id(ingested("interactions", files, {"label": "genre"}))
    assert (found["item:a"]["label"], found["user:1"]["label"], found["user:2"]["label"]) == ("jazz", "old", None)


@pytest.mark.parametrize(
    ("files", "columns", "said"),
    [
        ({"items.csv": "item,genre,label\na,x,y\n"}, {"label": "genre"}, r"items.csv has a column 'label'.*rename it"),
        ({"items.csv": "item,style\na,x\n"}, {"label": "genre"}, r"label = 'genre', and neither.*'item', 'style'"),
        ({}, {"label": "genre"}, "the columns there are none"),
        ({"items.csv": "item,position\na,1\n"}, {}, "items.csv has a column 'position'"),
        ({"users.csv": "user,kind,user_kind\n1,x,y\n"}, {}, "two columns named 'user_kind'"),
        ({"items.csv": "item,Name\na,x\n", "users.csv": "user,name\n1,y\n"}, {}, "columns named 'name' and 'Name'"),
        ({"items.csv": "sku,label\na,x\n"}, {}, r"'sku', 'label'; wanted item or id.*item_column"),
        ({"Items.tsv": "item\na\n", "items.csv": "item\na\n"}, {}, r"items.csv.*say which.*items = "),
    ],
)
def test_columns_that_leave_a_doubt_are_refused(ingested, files, columns, said):
    """The message names the file and the column, and what to do."""
    with pytest.raises(SourceError, match=said):
        ingested("interactions", {"interactions.csv": ROWS, **files}, columns)


def test_a_column_that_only_the_spec_names(ingested):
    """One that is not there is refused with those that are."""
    with pytest.raises(SourceError, match=r"no column 'who'; its columns are 'user', 'item'"):
        ingested("interactions", {"interactions.csv": ROWS}, interactions={"user_column": "who"})


def test_items_may_be_named_as_in_the_interactions(ingested):
    """The spec's name for the items' column holds for their table too."""
    files = {"interactions.csv": "user,sku\n1,a\n", "items.csv": "sku,label\na,x\n"}
    output = ingested("interactions", files, interactions={"item_column": "sku"})
    assert by_id(output)["item:a"]["label"] == "x" and listed(output) == {"item:a": True}


def test_the_first_row_of_an_item_stands(ingested):
    """Rows without an id are left out, and so is a later one of the same id."""
    output = ingested("interactions", {"interactions.csv": ROWS, "items.csv": "item,label\n,x\na,y\na,z\n"})
    found = by_id(output)
    assert found["item:a"]["label"] == "y" and len(found) == 4


def test_types_of_further_columns_are_those_of_any_table(ingested):
    """Numbers of CSV are numbers, mixed values of JSON text, bytes of Parquet no column."""
    items = '{"item": "a", "price": 1, "tags": ["x"]}\n{"item": "b", "price": "free", "stock": 2}\n'
    users = io.BytesIO()
    pl.DataFrame({"user": ["1", "2"], "photo": [b"\xff\xd8", b"\x00"], "age": [30, 40]}).write_parquet(users)
    output = ingested(
        "interactions", {"interactions.csv": ROWS, "items.jsonl": items, "users.parquet": users.getvalue()}
    )
    found = by_id(output)
    assert (found["item:a"]["price"], found["item:b"]["price"], found["item:a"]["tags"]) == ("1", "free", '["x"]')
    assert (found["item:a"]["stock"], found["item:b"]["stock"], found["user:1"]["age"]) == (None, 2, 30)
    assert "photo" not in found["user:1"]


def test_columns_that_only_some_batches_have(ingested):
    """A long JSONL is read in parts; what a part lacks is empty, and every cell stays with its item."""
    rows = [f'{{"item": "i{row}", "{"early" if row < 10 else "late"}": {row}}}' for row in range(BATCH_ROWS + 10)]
    output = ingested("interactions", {"interactions.csv": "user,item\nu,i5\n", "items.jsonl": "\n".join(rows)})
    items = output.read("ingested").filter(kind="item")
    number = items["sample_id"].str.strip_prefix("item:i").cast(pl.Int64)
    assert len(items) == len(rows) and items["late"].equals(number.set(number < 10, None), check_names=False)
    assert items["early"].equals(number.set(number >= 10, None), check_names=False)


def test_values_of_any_type_cost_themselves(ingested):
    """Lists, objects and words are no numbers; a date is none either."""
    cells = ("4", '"5"', "[1]", '{"a": 1}', '"many"', "true")
    rows = [f'{{"user": 1, "item": "a", "rating": {cell}}}' for cell in cells]
    values = ingested("interactions", {"interactions.jsonl": "\n".join(rows)}).read("interactions")["value"].to_list()
    assert values[:2] == [4.0, 5.0] and np.isnan(values[2:5]).all() and values[5] == 1.0


def test_ids_of_any_type_and_hostile_ones(ingested):
    """Whole numbers without decimals, nested ones as JSON, SQL and paths to the letter."""
    ids = ["1", "2.0", '"x"', "[1]", '"\'; drop table samples;--"', '"../../etc/passwd"', '"<script>"', '"\\u00e9"']
    rows = "\n".join(f'{{"user": {name}, "item": {name}}}' for name in ids)
    output = ingested("interactions", {"interactions.jsonl": rows})
    wanted = ["1", "2", "x", "[1]", "'; drop table samples;--", "../../etc/passwd", "<script>", "é"]
    assert list(by_id(output)) == [f"{kind}:{name}" for kind in ("user", "item") for name in wanted]
    assert output.read("edges")["is_dangling"].not_().all()


def test_times_that_are_none_are_told(ingested):
    """How many, and of which file."""
    rows = "user,item,time\n1,a,1700000000\n1,b,soon\n2,a,\n"
    output = ingested("interactions", {"interactions.csv": rows})
    assert output.read("interactions")["time"].is_null().to_list() == [False, True, True]
    assert "1 times of interactions.csv are not times" in "".join(output.read("dataset_metrics")["note"].drop_nulls())


def test_more_rejects_than_are_listed_are_counted(ingested, monkeypatch):
    """The first ones are rejects of their own; the number is told."""
    monkeypatch.setattr("assay.modalities.interactions.reading.MOST_REFUSED", 2)
    rows = "user,item\n" + "1,\n" * 5 + "1,a\n" * 9
    output = ingested("interactions", {"interactions.csv": rows})
    assert output.read("rejects")["reason"].to_list() == ["missing_id"] * 2
    assert "5 rows of interactions.csv name no user" in "".join(output.read("dataset_metrics")["note"].drop_nulls())


def test_the_only_table_is_that_of_interactions(ingested):
    """Whatever its name; beside others it has to be named."""
    assert len(ingested("interactions", {"log.csv": ROWS}).read("interactions")) == 3
    with pytest.raises(SourceError, match=r"no table of interactions.*log.csv, other.csv.*interactions = "):
        ingested("interactions", {"other.csv": ROWS})


@pytest.mark.parametrize(("name", "said"), [("nope.csv", "not_found"), ("../t.csv", "outside_root")])
def test_a_table_that_the_spec_names_and_that_is_not_there(ingested, name, said):
    """It is refused, and so is one outside of the folder."""
    with pytest.raises(SourceError, match=rf"'{name}' in .* cannot be read: {said}"):
        ingested("interactions", {"interactions.csv": ROWS}, interactions={"items": name})


def test_huge_values_have_a_mean():
    """Their sum would be infinite, and the table's contract broken."""
    given = pl.DataFrame({"user": ["u", "u", "v"], "item": ["i", "j", "i"], "value": [1e308, 1.5e308, np.inf]})
    missing = [pl.lit(None).alias(name) for name in ("row", "time", "split", "is_listed")]
    rows = given.with_columns(missing).select(empty("interactions").columns).cast(empty("interactions").schema)
    samples = pl.DataFrame({"sample_id": ["u", "v"], "content_hash": ["u", "v"], "kind": ["user", "user"]})
    assert measure(rows, samples)["mean_value"].to_list() == [1.25e308, None]


def test_what_vectors_of_users_are_worth_is_what_they_foretell(tmp_path):
    """hit@k with its standard error, of the users that its note counts; nothing where none could be judged."""
    schema = {"check": pl.String, "value": pl.Float64, "wanted": pl.String, "ok": pl.Boolean, "note": pl.String}
    note = "share of 1,600 users whose last item, held out, is among the 20 best; by popularity 0.1"
    rows = [("nodes_without_edges", 3.0, ">= 0", True, "3 nodes"), ("hit_at_20", 0.2, "> 0.1", True, note)]
    found = []
    for count in (1, 2):
        health = pl.DataFrame(rows[:count], schema=schema, orient="row")
        embedded = stage_output(Workspace(tmp_path / str(count), "t"), "embed", {"embedding_health": health})
        found.append(worth(pl.DataFrame(), None, None, embedded))
    assert found[0] is None and (found[1].name, found[1].value) == ("hit@20", 0.2)
    assert found[1].error == pytest.approx((0.2 * 0.8 / 1_600) ** 0.5)
