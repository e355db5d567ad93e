"""The self-test's copy of a spec, and what it says of a run."""

import shlex
import tomllib

import polars as pl
import pytest

from assay.contracts.spec import make_spec
from assay.selftest.count import Judged
from assay.selftest.demo import QUERIES, found_table, next_steps
from assay.selftest.run import KEPT_SECTIONS, copied_spec, table_of, to_toml
from assay.selftest.sandbox import make_sandbox
from assay.store.snapshots import Snapshot

SECTIONS = [
    {},
    {"embed": {"kind": "lsa", "dimensions": 10, "long_texts": "windows"}},
    {"embed": {"kind": "service", "model": 'a "b" \\ ü', "service": {"url": "https://host/v1", "max_characters": 99}}},
    {"clean": {"text_steps": ["ftfy", "lowercase"], "language": "de"}, "thresholds": {"outlier": 0.25}},
    {"dedup": {"split_order": ["a'b", "tab\t", "한국"]}, "index": {"k": 7}},
]


@pytest.mark.parametrize("sections", SECTIONS)
def test_the_copy_is_read_as_the_users_own_spec(tmp_path, sections):
    """Every section that is kept, with the sections inside of it: an embedding service keeps its address."""
    source = {"kind": "table", "path": "t.csv", "label_separator": ";"}
    own = make_spec({"name": "t", "modality": "text", "source": source, **sections}, tmp_path)
    text = to_toml(copied_spec(own, tmp_path / 'odd "place" \\ 한'))
    copy = make_spec(tomllib.loads(text), tmp_path)
    assert [copy.part(name) for name in KEPT_SECTIONS] == [own.part(name) for name in KEPT_SECTIONS]
    assert copy.source.label_separator == ";" and copy.source.path.endswith('odd "place" \\ 한/samples.parquet')


def test_toml_of_tables_in_tables():
    """Nothing is left out but None; odd keys are quoted."""
    values = {"a": 1, "b": None, "c": {"x.y": [1.5, "z"], "d": {"e": {"ü": True}}, "f": "g\n"}, "h": {}}
    assert tomllib.loads(to_toml(values)) == {
        "a": 1, "c": {"x.y": [1.5, "z"], "d": {"e": {"ü": True}}, "f": "g\n"}, "h": {},
    }  # fmt: skip


FOUND = [
    Judged("near duplicates", 20, 15, 5, 0.8, 0.7, 0.9, 12.4, 30.0, 0.41, 0.6, 0.5, 0.7),
    Judged("outliers", 10, 0, 0, 0.1, 0.0, 0.2, 3.0, 7.0),
    Judged("off_topic", 0, 0, 2, None, None, None),
]
KINDS = pl.DataFrame(
    {"detector": ["near duplicates"] * 2, "kind": ["mirrored", "re_encoded"], "planted": [8, 12], "found": [3, 12]}
)


def test_the_tables_say_what_was_found_and_what_cannot_be_said():
    """A line a detector, one a kind where it has several; dashes for what has no number, `< 5` for few."""
    lines = [" ".join(line.split()) for line in table_of(FOUND, KINDS, 1_234).splitlines()]
    assert any("1,234 of your samples, 3 times" in line for line in lines)
    for wanted in (
        "near duplicates 20 15 5 0.75 0.75 0.80 (0.70 to 0.90)", "mirrored 8 3 0.38", "re encoded 12 12 1.00",
        "outliers 10 0 0 – 0.00 0.10 (0.00 to 0.20)", "off topic 0 0 2 0.00 – –",
        "near duplicates 30 12 0.41 0.60 (0.50 to 0.70)", "outliers 7 < 5 – –",
    ):  # fmt: skip
        assert wanted in lines
    assert sum(line.startswith("off topic") for line in lines) == 1


def test_the_demo_says_what_was_missed():
    """With precision and recall; kinds where a detector has several."""
    lines = [" ".join(line.split()) for line in found_table(FOUND, KINDS).splitlines()]
    assert {"near duplicates 20 15 5 5 0.75 0.75", "mirrored 8 3 5 0.38", "off_topic 0 0 0 2 0.00 –"} <= set(lines)


def test_commands_that_are_printed_can_be_typed(tmp_path, capsys):
    """Also where a folder's name has blanks and quotes."""
    home = tmp_path / "my 'home' folder"
    spec = make_sandbox("karate", home / "karate")
    typed = next(line for line in capsys.readouterr().out.splitlines() if "assay run" in line)
    assert shlex.split(typed) == ["assay", "run", str(spec)]
    told = next_steps(Snapshot(1, home / "snapshots", {"dataset": "karate"}), home)
    for line in told.splitlines():
        if "assay" in line and "explore" in line:
            assert shlex.split(line) == ["assay", "explore", "karate", "--home", str(home)]
    assert sum("assay query karate --home" in line for line in told.splitlines()) == len(QUERIES)
