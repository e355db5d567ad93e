"""A table's batches turned into samples, contents and rejects, one row's fate at a time.

`TableRows` keeps what must be known across batches: the ids already met and the samples so far. The contents, which
are large, go to the writer as they come.
"""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from assay.contracts.errors import SourceError
from assay.sources.batches import Batch
from assay.sources.columns import Fates, group_column, strings, unify_columns, values_of
from assay.sources.contents import ContentWriter, content_frame, text_contents, vector_contents
from assay.sources.label_sets import count_lists, set_texts
from assay.sources.label_text import as_text, id_text, value_text
from assay.sources.labels import normalize_column
from assay.sources.matrix import as_matrix
from assay.sources.roles import Roles
from assay.sources.told import Told
from assay.sources.unicode import printable
from assay.store.stage import StageWriter

CELL_LIMIT = 100_000  # characters of a label, a uri, a group value
DETAIL_LIMIT = 1000  # characters of what a reject says

SPELL = {"label": value_text, "split": value_text, "sample_id": id_text}

Resolve = Callable[[Sequence[str | None], Fates], list[tuple[str | None, int, str | None]]]


class TableRows:
    """Samples out of batches.

    Args:
        max_characters: of one text.
        resolve: for samples given by uri: content hash, size and text of each, refusing what cannot be read.
        separator: of the classes of a label; empty where a label is one class.
    """

    def __init__(
        self,
        writer: StageWriter,
        roles: Roles,
        max_characters: int,
        resolve: Resolve | None = None,
        separator: str = "",
    ) -> None:
        self._separator = separator
        self.roles, self.labels_normalized, self.labels_as_lists = roles, 0, 0
        self.told = Told()
        self.lost: Counter[str] = Counter()
        self.seen_columns: set[str] = set()
        self.used_roles: dict[str, str] = {}
        self.skipped_columns: set[str] = set()
        self._max_characters, self._resolve = max_characters, resolve
        self._contents = ContentWriter(writer)
        self._ids: set[str] = set()
        self._again: dict[str, int] = {}
        self._untyped: set[str] = set()
        self._frames: list[pl.DataFrame] = []
        self._rejects: list[dict[str, Any]] = []
        self._dimensions: int | None = None

    def take(self, batch: Batch, file: str, split: str | None, first: int) -> None:
        """Add a batch of one file whose row 0 is number `first` of the whole source; `split` is the file's own.

        Raises:
            SourceError: the file's columns cannot be used.
        """
        start, prefix = (0, f"{split}-row-") if split else (first, "row-")
        for words in batch.said:
            self.told.say(f"file:{file}", 1.0, words)
        for words in batch.doubts:
            self.told.doubt(words)
        for row, reason, detail in batch.refused:
            self._reject(None, f"{prefix}{start + row:08d}", reason, f"{file}, row {row}: {detail}")
        if not batch.rows:
            self.seen_columns |= set(batch.columns)
            return
        named, further, left_out = self.roles.assign(batch, file, bool(split))
        self.seen_columns |= set(batch.columns)
        self.skipped_columns |= left_out
        self._tell_columns(
            batch, family=self.roles.vector_columns(list(batch.columns), file), cells=named.get("vector")
        )
        self.used_roles |= {role: self.roles.name(role) for role in named}
        fates = Fates(len(batch.rows))
        cells = self._cells(named, fates)
        is_named = "sample_id" in cells
        if not is_named:
            numbers = [f"{prefix}{start + row:08d}" for row in batch.rows]
            cells["sample_id"] = self._ids_of(cells["uri"], numbers) if self.roles.content == "uri" else [*numbers]
        if split:
            cells["split"] = [split] * len(batch.rows)
        contents = self._contents_of(cells, named.get("vector"), fates)
        groups = self._groups(further, set(further) if batch.is_untyped else batch.untyped & set(further), fates)
        if is_named:
            self._check_ids(cells["sample_id"], fates)
        self._keep([first + row for row in batch.rows], cells, contents, groups, fates)
        self.lost.update(fates.lost)
        for place, refused in enumerate(fates.reasons):
            if refused:
                uri = cells["uri"][place] if "uri" in cells else None
                detail = f"{file}, row {batch.rows[place]}: {fates.details[place]}"
                self._reject(uri, cells["sample_id"][place], refused, detail)

    def _tell_columns(self, batch: Batch, family: Sequence[str], cells: Any) -> None:
        """Where columns come from, if not from columns of their own name; once each."""
        said = {name for name, _, _ in self.told.rows}
        if family and "source_vector" not in said:
            self.told.say("vector", len(family), f"vectors of {len(family):,} columns, {family[0]} to {family[-1]}")
        elif cells is not None and "source_vector" not in said and _is_text(cells):
            self.told.say("vector", len(cells), "vectors are read from cells of text")
        if batch.partitions and "source_partitions" not in said:
            names = ", ".join(sorted(batch.partitions))
            self.told.say("partitions", len(batch.partitions), f"columns that the folders' names give: {names}")

    def finish(self) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
        """All samples with typed group columns in one frame, and the rejects. Writes the last contents."""
        self._contents.flush()
        for name, n in sorted(self.lost.items()):
            self.told.doubt(
                f"{n:,} values of column {name!r} are null here, since they lie beyond the years 1 to 9999 or beyond "
                "what a time can be: is its unit wrong?"
            )
        return unify_columns(self._frames, self._untyped), self._rejects

    def _cells(self, named: dict[str, Any], fates: Fates) -> dict[str, list[str | None]]:
        """The text of each role but the vector's."""
        plain = {role: column for role, column in named.items() if role != "vector"}
        sets = {}
        if "label" in plain and self._separator:
            sets["label"] = set_texts(plain.pop("label"), fates, "label", self._separator, CELL_LIMIT)
        elif "label" in plain:
            self.labels_as_lists += count_lists(plain["label"])
        limits = {"text": self._max_characters}
        texts = {
            role: strings(column, fates, role, limits.get(role, CELL_LIMIT), SPELL.get(role, as_text))
            for role, column in plain.items()
        }
        return texts | sets

    def _groups(self, further: dict[str, Any], untyped: Set[str], fates: Fates) -> dict[str, pl.Series]:
        columns = {name: group_column(column, fates, name, CELL_LIMIT) for name, column in further.items()}
        self.skipped_columns |= {name for name, column in columns.items() if column is None}
        self._untyped |= untyped
        return {name: column for name, column in columns.items() if column is not None}

    def _contents_of(self, cells: dict[str, Any], vector: object, fates: Fates) -> pl.DataFrame:
        """The frame of each row's content; what has none is refused."""
        matrix = self._matrix(vector, fates) if vector is not None else None
        if self.roles.content == "vector" and matrix is not None:
            return content_frame(vector_contents(matrix), matrix)
        if self.roles.content == "text":
            return content_frame(text_contents(cells["text"], fates), matrix)
        if self._resolve is None:
            raise SourceError("rows of files need a listing of these files")
        return content_frame(self._resolve(cells["uri"], fates), matrix)

    def _matrix(self, vector: object, fates: Fates) -> np.ndarray:
        matrix, reasons, self._dimensions = as_matrix(vector, self._dimensions)
        for place, reason in enumerate(reasons):
            if reason:
                fates.refuse(place, reason, f"wanted {self._dimensions or 'some'} finite numbers")
        return matrix

    def _ids_of(self, uris: Sequence[str | None], numbers: Sequence[str]) -> list[str | None]:
        """Ids that stay when rows come and go: a row's uri, `uri#2` where it stands again; its number without one."""
        ids: list[str | None] = []
        for uri, number in zip(uris, numbers, strict=True):
            name = sample_id = number if uri is None else uri
            while sample_id in self._ids:
                self._again[name] = self._again.get(name, 1) + 1
                sample_id = f"{name}#{self._again[name]}"
            self._ids.add(sample_id)
            ids.append(sample_id)
        return ids

    def _check_ids(self, ids: Sequence[str | None], fates: Fates) -> None:
        """A row without an id, or with one that an earlier row has, is refused."""
        for place, sample_id in enumerate(ids):
            if sample_id is None:
                fates.refuse(place, "missing_sample_id", "no sample_id")
            elif fates.reasons[place] is None:
                if sample_id in self._ids:
                    fates.refuse(place, "duplicate_sample_id", "an earlier row has the same sample_id")
                self._ids.add(sample_id)

    def _keep(
        self, positions: list[int], cells: dict[str, Any], contents: pl.DataFrame, groups: dict[str, Any], fates: Fates
    ) -> None:
        """Keep the rows that nothing refused."""
        kept = pl.Series([reason is None for reason in fates.reasons], dtype=pl.Boolean)
        nothing = [None] * len(positions)
        texts = {name: pl.Series(cells.get(name, nothing), dtype=pl.String) for name in ("uri", "label", "split")}
        label, changed = normalize_column(texts["label"].filter(kept), self._separator)
        split, _ = normalize_column(texts["split"].filter(kept))
        self.labels_normalized += changed
        self._contents.add(contents.filter(kept))
        frame = pl.DataFrame(
            {
                "sample_id": pl.Series(cells["sample_id"], dtype=pl.String),
                "position": pl.Series(positions, dtype=pl.Int64),
                "uri": texts["uri"],
                "content_hash": contents["content_hash"],
                "size_bytes": contents["size_bytes"],
                **groups,
            }
        )
        self._frames.append(frame.filter(kept).with_columns(label=label, split=split))

    def _reject(self, uri: str | None, sample_id: str | None, reason: str, detail: str) -> None:
        shown = [None if value is None else printable(value)[:DETAIL_LIMIT] for value in (uri, sample_id)]
        detail = printable(detail)[:DETAIL_LIMIT]
        self._rejects.append({"uri": shown[0], "sample_id": shown[1], "reason": reason, "detail": detail})


def _is_text(column: Sequence[Any] | pa.Array) -> bool:
    """Whether a column's first cells are text."""
    return any(isinstance(cell, str) for cell in values_of(column[:50]))
