"""Which column of a table is what: the roles that assay knows, and the further columns, which become group columns.

A vector may stand as one number a column (`f0`, `f1`, …): `source.columns = { vector = "f*" }`, or the only columns
that are numbered so. The columns with which assay itself writes samples (`position`, `content_hash`, …) are left out
where they come together: what assay writes, it reads.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa

from assay.contracts.errors import SourceError
from assay.contracts.tables import Ingested
from assay.sources.batches import COLUMN_LIMIT, Batch, unique_names

ROLES = ("sample_id", "uri", "text", "vector", "label", "split")
WRITTEN = frozenset(Ingested.columns()) - set(ROLES)  # by assay, beside a source's own columns
NUMBERED = re.compile(r"(.*?)_?(0|[1-9][0-9]*|0[0-9]+)")
FEWEST = 3  # numbered columns that are taken for a vector unasked
PATTERN = re.compile(r"\*|\^.*\$", re.DOTALL)  # names that Polars reads as several columns
RESERVED = frozenset(name.casefold() for name in Ingested.columns())


@dataclass(frozen=True)
class Roles:
    """`content` is the role that holds the samples (uri, text or vector); `columns` maps roles to a file's names."""

    content: str
    columns: Mapping[str, str]
    with_vector: bool  # carry a vector beside a uri or a text

    def name(self, role: str) -> str:
        """The file's name for a role."""
        return self.columns.get(role, role)

    def assign(self, batch: Batch, file: str, has_split: bool) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
        """A batch's columns by role, the further ones by name, and the names of those left out.

        Raises:
            SourceError: the column that holds the samples is absent, or a name clashes with one of `samples`.
        """
        columns = dict(batch.columns)
        written = WRITTEN & set(columns) if set(columns) >= WRITTEN else frozenset()
        columns = {name: column for name, column in columns.items() if name not in written}
        family = self.vector_columns(list(columns), file)
        if family:
            numbers = _stacked([columns[name] for name in family], len(batch.rows))
            columns = {name: column for name, column in columns.items() if name not in family}
            columns[self.name("vector")] = numbers
        if self.name(self.content) not in columns:
            if not batch.is_sparse:
                raise SourceError(self._no_content(file, list(columns)))
            columns[self.name(self.content)] = [None] * len(batch.rows)
        used = {role: self.name(role) for role in ROLES if self.name(role) in columns and self._is_used(role)}
        left_out = {self.name("vector")} & set(columns) if "vector" not in used else set()
        taken = set(used.values()) | left_out
        caption = (
            self.columns.get("text") if self.content == "uri" else None
        )  # words beside files keep their role's name
        further = {"text" if name == caption else name: col for name, col in columns.items() if name not in taken}
        if has_split and "split" in used:
            raise SourceError(f"{file} has a `split` column, and source.files names its split too; keep one of them")
        refuse_clash(further, file)
        return {role: columns[name] for role, name in used.items()}, further, left_out | written

    def vector_columns(self, names: Sequence[str], file: str) -> list[str]:
        """The columns that hold a vector's numbers, in their order; empty where one column holds them all, or none is
        wanted.

        Raises:
            SourceError: a pattern matches none, or several families of numbered columns could be meant.
        """
        pattern = self.name("vector")
        if not (self.content == "vector" or self.with_vector) or pattern in names:
            return []
        families = numbered_families(names)
        if "*" in pattern or "?" in pattern:
            found = [name for family in families.values() for name in family if fnmatchcase(name, pattern)]
            if not found:
                raise SourceError(
                    f"source.columns says vector = {pattern!r}, and no numbered column of {file} matches; "
                    f"the columns there are {_listed(list(names))}"
                )
            return found
        families = {key: family for key, family in families.items() if len(family) >= FEWEST}
        if "vector" in self.columns or not families or self.content != "vector":
            return []
        if len(families) > 1:
            raise SourceError(
                f"{file} has no column 'vector', and several families of numbered columns: "
                f"{_listed([key + '*' for key in families])}. Say which: source.columns = {{ vector = "
                f"{next(iter(families)) + '*'!r} }}"
            )
        return next(iter(families.values()))

    def refuse_absent(self, seen: set[str], files: str) -> None:
        """Raises `SourceError` where `source.columns` names a column that no file has."""
        for role, name in self.columns.items():
            if name not in seen and not (role == "vector" and ("*" in name or "?" in name)):
                raise SourceError(
                    f"source.columns says {role} = {name!r}, and no such column is in {files}; "
                    f"the columns there are {_listed(sorted(seen))}"
                )

    def _is_used(self, role: str) -> bool:
        """A text beside other content is a group column; a vector beside other content is carried where asked for."""
        if role == "text":
            return self.content == "text"
        return role != "vector" or self.content == "vector" or self.with_vector

    def _no_content(self, file: str, columns: list[str]) -> str:
        return (
            f"{file} has no column {self.name(self.content)!r}, which would hold the samples; its columns are "
            f'{_listed(columns)}. Name the right one in the spec: source.columns = {{ {self.content} = "…" }}'
            + (", or a pattern of numbered columns" if self.content == "vector" else "")
        )


def carried(
    columns: Mapping[str, Any], given: Mapping[str, str], own: Collection[str], kind: str, file: str
) -> dict[str, Any]:
    """The columns that the samples out of a table of nodes, users or items carry, by the names they have there.

    Args:
        given: `source.columns`, which says which columns are `label` and `split`.
        own: names that assay gives such samples itself, in lower case; a column of that name becomes `KIND_NAME`.

    Raises:
        SourceError: a name clashes with one of `samples`, or two are one to SQL.
    """
    roles = {given.get(role, role): role for role in ("label", "split")}
    shown = {
        name: roles.get(name) or (f"{kind}_{name.casefold()}" if name.casefold() in own else name) for name in columns
    }
    refuse_clash({new: None for name, new in shown.items() if name not in roles}, file)
    unique_names(list(shown.values()), file)
    return {new: columns[name] for name, new in shown.items()}


def refuse_clash(further: Mapping[str, Any], file: str) -> None:
    """Raises `SourceError` where a further column has a name that `samples` has for something else."""
    if len(further) > COLUMN_LIMIT:
        raise SourceError(f"{file} has {len(further):,} columns; wanted at most {COLUMN_LIMIT:,}")
    for name in further:
        if PATTERN.fullmatch(name):
            raise SourceError(
                f"{file} has a column {name!r}, which queries would read as a pattern of several columns; rename it"
            )
        if name.casefold() in RESERVED:
            role = next((role for role in ROLES if role == name.casefold() and role != name), "")
            hint = f", or say in the spec: source.columns = {{ {role} = {name!r} }}" if role else ""
            raise SourceError(
                f"{file} has a column {name!r}, a name that the table `samples` needs for itself; rename it{hint}"
            )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (" …" if len(names) > 20 else "")


def numbered_families(names: Sequence[str]) -> dict[str, list[str]]:
    """Columns that are numbered without a gap from 0 or 1, by what stands before the number, in their order."""
    found: dict[str, dict[int, str]] = {}
    for name in names:
        if match := NUMBERED.fullmatch(name):
            found.setdefault(name[: match.start(2)], {})[int(match[2])] = name
    whole = {}
    for before, numbered in found.items():
        first = min(numbered)
        if first in (0, 1) and len(numbered) > 1 and max(numbered) == first + len(numbered) - 1:
            whole[before] = [numbered[number] for number in sorted(numbered)]
    return whole


def _stacked(columns: Sequence[Any], n: int) -> list[Any]:
    """One row of numbers for each of `n` rows out of a column a number; a row with anything else is no vector."""
    matrix = np.full((n, len(columns)), np.nan)
    is_number = np.ones(n, dtype=bool)
    for place, column in enumerate(columns):
        if isinstance(column, pa.Array) and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            matrix[:, place] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            continue
        for row, value in enumerate(column.to_pylist() if isinstance(column, pa.Array) else column):
            try:
                matrix[row, place] = np.nan if value is None else float(value)
            except (TypeError, ValueError):
                is_number[row] = False
    is_missing = is_number & np.isnan(matrix).all(axis=1)
    return [
        None if missing else (matrix[row] if good else "something else")
        for row, (good, missing) in enumerate(zip(is_number, is_missing, strict=True))
    ]
