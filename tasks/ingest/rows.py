"""A table's batches turned into samples, contents and rejects, one row's fate at a time.

`TableRows` keeps what must be known across batches: the ids and contents already met, and the samples so far. The
contents, which are large, go to the writer as they come.
"""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from data_contracts.errors import SourceError
from data_contracts.tables import Ingested
from tasks.ingest.groups import Fates, group_column, printable, strings, unify_columns
from tasks.ingest.labels import normalize_column
from tasks.ingest.readers import Batch
from tasks.ingest.vectors import as_matrix
from tasks.stage import StageWriter, hash_bytes

ROLES = ("sample_id", "uri", "text", "vector", "label", "split")
CELL_LIMIT = 100_000  # characters of a label, a uri, a group value
CONTENT_BYTES = 64 * 2**20  # of one part of `contents`
CORE = list(Ingested.columns())


class TableRows:
    """Samples out of batches. `content` is the role that holds the content: uri, text or vector.

    Args:
        resolve: for `uri` content, `(uris) → [(content_hash, size_bytes, reason, detail, text)]`.
    """

    def __init__(
        self,
        writer: StageWriter,
        *,
        modality: str,
        content: str,
        columns: Mapping[str, str],
        with_vector: bool,
        max_characters: int,
        resolve: Callable[[Sequence[str]], list[tuple]] | None = None,
    ):
        self._writer, self._modality, self._content, self._resolve = writer, modality, content, resolve
        self._columns, self._with_vector, self._max_characters = columns, with_vector, max_characters
        self._ids: set[str] = set()
        self._contents: set[bytes] = set()
        self._frames: list[pl.DataFrame] = []
        self._rejects: list[dict] = []
        self._pending: list[pl.DataFrame] = []
        self._pending_bytes = 0
        self._dimensions: int | None = None
        self._untyped: set[str] = set()
        self.labels_normalized = 0
        self.skipped_columns: set[str] = set()

    def take(self, batch: Batch, file: str, split: str | None, first: int) -> None:
        """Add a batch of one file whose row 0 is number `first` of the whole source; `split` is the file's own."""
        prefix = f"{split}-row-" if split else "row-"
        for row, reason, detail in batch.refused:
            self._reject(None, f"{prefix}{row + (0 if split else first):08d}", reason, f"{file}, row {row}: {detail}")
        if not batch.rows:
            return
        roles, groups = self._assign(batch.columns, file, split)
        fates = Fates(len(batch.rows))
        texts = {role: strings(roles[role], fates, role, self._limit(role)) for role in roles if role != "vector"}
        ids = texts.get("sample_id") or [f"{prefix}{row + (0 if split else first):08d}" for row in batch.rows]
        self._untyped |= set(groups) if batch.is_untyped else set()
        columns = {name: group_column(column, fates, name, CELL_LIMIT) for name, column in groups.items()}
        self.skipped_columns |= {name for name, column in columns.items() if column is None}
        contents = self._contents_of(texts, roles.get("vector"), fates, len(ids))
        self._check_ids(ids, fates)
        frame = pl.DataFrame(
            {
                "sample_id": pl.Series(ids, dtype=pl.String),
                "position": pl.Series([first + row for row in batch.rows], dtype=pl.Int64),
                "uri": pl.Series(texts.get("uri") or [None] * len(ids), dtype=pl.String),
                "content_hash": contents["content_hash"],
                "label": pl.Series(texts.get("label") or [None] * len(ids), dtype=pl.String),
                "split": pl.Series(
                    [split] * len(ids) if split else texts.get("split") or [None] * len(ids), dtype=pl.String
                ),
                "size_bytes": contents["size_bytes"],
                **{name: column for name, column in columns.items() if column is not None},
            }
        )
        kept = pl.Series([reason is None for reason in fates.reasons], dtype=pl.Boolean)
        for place in (~kept).arg_true():
            where = f"{file}, row {batch.rows[place]}"
            detail = f"{where}: {fates.details[place]}" if fates.details[place] else where
            self._reject(frame["uri"][place], ids[place], fates.reasons[place], detail)
        self._frames.append(self._labelled(frame.filter(kept)))
        self._carry(contents.filter(kept))

    def finish(self) -> tuple[pl.DataFrame, list[dict]]:
        """All samples with typed group columns in one frame, and the rejects. Writes the last contents."""
        self._flush()
        return unify_columns(self._frames, self._untyped), self._rejects

    def _limit(self, role: str) -> int:
        return self._max_characters if role == "text" else CELL_LIMIT

    def _assign(self, columns: Mapping[str, object], file: str, split: str | None) -> tuple[dict, dict]:
        """The batch's columns by role, and the further ones. Raises `SourceError` on a clash of names."""
        wanted = {role: self._columns.get(role, role) for role in ROLES}
        absent = [
            f"{role} = {name!r}"
            for role, name in self._columns.items()
            if name not in columns and role == self._content
        ]
        if absent or wanted[self._content] not in columns:
            raise SourceError(
                f"{file} has no column {wanted[self._content]!r}, which holds the samples; its columns are "
                f"{', '.join(map(repr, list(columns)[:20]))}. Name the right one in the spec: "
                f'columns = {{ {self._content} = "…" }}'
            )
        roles = {role: columns[name] for role, name in wanted.items() if name in columns}
        if not self._with_vector and self._content != "vector" and roles.pop("vector", None) is not None:
            self.skipped_columns.add(wanted["vector"])
        if self._content == "uri" or self._content == "vector":
            moved = roles.pop("text", None)
        else:
            moved = None
        further = {name: column for name, column in columns.items() if name not in wanted.values()}
        if moved is not None:
            further[wanted["text"]] = moved
        self._refuse_clash(further, file, split, "split" in roles)
        return roles, further

    def _refuse_clash(self, further: Mapping, file: str, split: str | None, has_split: bool) -> None:
        if split and has_split:
            raise SourceError(f"{file} has a `split` column, and source.files names its split too; keep one of them")
        reserved = {name.casefold() for name in CORE}
        for name in further:
            if name.casefold() in reserved:
                raise SourceError(
                    f"{file} has a column {name!r}, a name that `samples` needs for itself; rename it in the file"
                    f", or say what it is with source.columns (as in columns = {{ label = {name!r} }})"
                )

    def _contents_of(self, texts: dict, vector: object, fates: Fates, n: int) -> pl.DataFrame:
        """Columns content_hash, size_bytes, text, vector of each row; refusals go to `fates`."""
        hashes: list[str | None] = [None] * n
        sizes, held = [0] * n, [None] * n
        matrix = None
        if vector is not None:
            matrix, reasons, self._dimensions = as_matrix(vector, self._dimensions)
            wanted = f"wanted {self._dimensions} finite numbers"
            for place, reason in enumerate(reasons):
                if reason:
                    fates.refuse(place, reason, wanted)
        if self._content == "vector":
            hashes = [hash_bytes(row.tobytes()) for row in matrix]
            sizes = [matrix.shape[1] * 4] * n
        elif self._content == "text":
            for place, text in enumerate(texts["text"]):
                if text is None:
                    fates.refuse(place, "missing_text", "no text")
                elif fates.reasons[place] is None:
                    data = text.encode("utf-8")
                    hashes[place], sizes[place], held[place] = hash_bytes(data), len(data), text
        else:
            for place, found in enumerate(self._resolve(texts["uri"])):
                hashes[place], sizes[place], reason, detail, held[place] = found
                if reason:
                    fates.refuse(place, reason, detail)
        vectors = pl.Series("vector", [None] * n, dtype=pl.List(pl.Float32))
        if matrix is not None and matrix.shape[1]:
            vectors = pl.Series("vector", matrix).arr.to_list()
        return pl.DataFrame(
            {
                "content_hash": pl.Series(hashes, dtype=pl.String),
                "size_bytes": pl.Series(sizes, dtype=pl.Int64),
                "text": pl.Series(held, dtype=pl.String),
                "vector": vectors,
            }
        )

    def _check_ids(self, ids: list[str | None], fates: Fates) -> None:
        for place, sample_id in enumerate(ids):
            if sample_id is None:
                fates.refuse(place, "missing_sample_id", "no sample_id")
            elif fates.reasons[place] is None:
                if sample_id in self._ids:
                    fates.refuse(place, "duplicate_sample_id", "an earlier row has the same sample_id")
                self._ids.add(sample_id)

    def _labelled(self, frame: pl.DataFrame) -> pl.DataFrame:
        label, changed = normalize_column(frame["label"])
        split, _ = normalize_column(frame["split"])
        self.labels_normalized += changed
        return frame.with_columns(label, split)

    def _reject(self, uri: str | None, sample_id: str | None, reason: str, detail: str) -> None:
        shown = [None if value is None else printable(value)[:1000] for value in (uri, sample_id)]
        self._rejects.append({"uri": shown[0], "sample_id": shown[1], "reason": reason, "detail": detail[:1000]})

    def _carry(self, contents: pl.DataFrame) -> None:
        """Queue contents not met before, and write them once they are a part's worth."""
        fresh = []
        for place, digest in enumerate(contents["content_hash"]):
            key = bytes.fromhex(digest)
            if key not in self._contents:
                self._contents.add(key)
                fresh.append(place)
        if contents["text"].null_count() == len(contents) and contents["vector"].null_count() == len(contents):
            return
        frame = contents[fresh]
        self._pending.append(frame.select("content_hash", "text", "vector"))
        self._pending_bytes += frame["size_bytes"].sum() + (self._dimensions or 0) * 4 * len(frame)
        if self._pending_bytes >= CONTENT_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write("contents", pl.concat(self._pending))
        self._pending, self._pending_bytes = [], 0
