"""Cells of a CSV that a spreadsheet would run: how they are escaped when written, and read back as they were.

A cell that begins like a formula gets an apostrophe in front, and the column `assay_escaped` names, in its row, the
columns in which that was done. A number or a name that only begins with a sign (`-1`, `-kmz01.jpg`, `@home`) is left
as it is: without a call, a pipe, a sheet or an equals sign it runs nothing.
"""

import json
import re

import polars as pl

ESCAPED = "assay_escaped"
BEGINS = "=＝\t\r\n"  # always a formula, or a way to hide one; the second is full-width
SIGNS = "+\\-@＋－＠"
FORMULA = f"^(?:[{BEGINS}]|(?s:[{SIGNS}].*[(|!=＝]))"


def escape(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with its formulas escaped, and the column that says so where there were any."""
    # by place: `pl.col("*")` would be all columns, and `^…$` a pattern
    texts = {name: pl.nth(i) for i, (name, kind) in enumerate(frame.schema.items()) if kind == pl.String}
    is_formula = {name: column.str.contains(FORMULA).fill_null(False) for name, column in texts.items()}
    found = [name for name in texts if frame.select(is_formula[name].any()).item()]
    headers = {name: f"'{name}" for name in frame.columns if re.match(FORMULA, name)}
    if not found and not headers:
        return frame
    marks = frame.select(is_formula[name].alias(name) for name in found)
    said = [json.dumps(names) if (names := [name for name, hit in row.items() if hit]) else None for row in
            marks.iter_rows(named=True)] if found else [None] * len(frame)  # fmt: skip
    escaped = frame.with_columns(
        pl.when(is_formula[name]).then(pl.lit("'") + texts[name]).otherwise(texts[name]).alias(name) for name in found
    )
    return escaped.rename(headers).with_columns(pl.Series(ESCAPED, said, dtype=pl.String))


def unescape_header(names: list[str]) -> list[str]:
    """The columns' own names, where the file says that it escapes."""
    if ESCAPED not in names:
        return names
    return [name[1:] if name.startswith("'") and re.match(FORMULA, name[1:]) else name for name in names]


def unescape_cells(columns: dict[str, list[str | None]]) -> dict[str, list[str | None]]:
    """The cells as they were, by the column `assay_escaped`, which is left out."""
    said = columns.pop(ESCAPED, None)
    for row, names in enumerate(said or ()):
        for name in json.loads(names) if names else ():
            cell = columns.get(name, [None] * (row + 1))[row]
            if cell is not None and cell.startswith("'"):
                columns[name][row] = cell[1:]
    return columns
