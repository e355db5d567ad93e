"""Cells that a spreadsheet would run: no such cell is written, and each is read back as it was."""

import csv
import io

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from assay.contracts.spreadsheet import ESCAPED, escape, unescape_cells, unescape_header

PIECES = st.sampled_from(["=", "+", "-", "@", "＝", "'", "\t", "\n", "a", "1", "(", "|", "!", ",", '"', "é", " ", "-1"])
CELLS = st.none() | st.lists(PIECES, max_size=5).map("".join)
NAMES = st.lists(PIECES, min_size=1, max_size=3).map("".join)


def is_run(cell: str) -> bool:
    """Whether a spreadsheet would run it, a character at a time: no part of the pattern that decides."""
    if cell[:1] in ("=", "＝", "\t", "\r", "\n"):
        return cell != ""
    return cell[:1] in tuple("+-@＋－＠") and any(mark in cell for mark in "(|!=＝")


@given(st.lists(NAMES, min_size=1, max_size=3, unique=True), st.data())
@example(["*", "^a.*$", "a"], None)
def test_what_runs_is_escaped_and_read_back(names, data):
    """Through a real CSV, nulls and all; a frame without such cells stays as it is."""
    cells = ["=1", None, "x"] if data is None else data.draw(st.lists(CELLS, min_size=1, max_size=4))
    frame = pl.DataFrame({name: cells[i % len(cells) :] + cells[: i % len(cells)] for i, name in enumerate(names)})
    frame = frame.cast(pl.String)
    written = escape(frame)
    flat = [*written.columns, *(cell for name in written.columns for cell in written[name] if cell is not None)]
    assert not any(map(is_run, flat))
    if not any(map(is_run, [*names, *(cell for name in names for cell in frame[name] if cell)])):
        assert written.equals(frame)
    header, *rows = csv.reader(io.StringIO(written.write_csv(null_value="\0none"), newline=""))
    columns = {
        name: [None if row[at] == "\0none" else row[at] for row in rows]
        for at, name in enumerate(unescape_header(header))
    }
    assert unescape_cells(columns) == {name: frame[name].to_list() for name in names}


def test_a_name_or_number_that_begins_with_a_sign_is_left_alone():
    """`-1` and `-kmz01.jpg` run nothing."""
    frame = pl.DataFrame({"uri": ["-kmz01.jpg", "@home", "+1", "-1", None], "n": [-1, 2, 3, 4, 5]})
    assert escape(frame).equals(frame) and ESCAPED not in escape(frame).columns
