"""The facts store: what is expensive to compute and never changes, keyed by content hash, append-only.

    HOME/DATASET/facts/NAME/FINGERPRINT/part-*.parquet

A part is written aside and renamed, so it is there whole or not at all. Its name ends in the digest of its bytes, which
is checked when it is used; a damaged part is moved aside, and its facts are computed again.
"""

import io
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import xxhash

from assay.contracts.tables import empty
from assay.store.digests import fast_digest
from assay.store.files import atomic_file, hash_text
from assay.store.parts import check, write_part
from assay.store.workspace import Workspace


@dataclass(frozen=True)
class FactStore:
    """Append-only facts of one kind, keyed by `content_hash`; `fingerprint` names the method that made them."""

    workspace: Workspace
    table: str
    fingerprint: str

    @property
    def folder(self) -> Path:
        return self.workspace.facts / self.table / self.fingerprint

    def known(self) -> pl.DataFrame:
        """Columns `content_hash`, `part` (file name) of every stored fact."""
        parts = [part for part in sorted(self.folder.glob("part-*.parquet")) if _is_whole(part)]
        if not parts:
            return pl.DataFrame(schema={"content_hash": pl.String, "part": pl.String})
        facts = pl.scan_parquet(  # all at once: a third of one after the other
            parts, include_file_paths="part", extra_columns="ignore", missing_columns="insert"
        )
        named = facts.select("content_hash", pl.col("part").str.extract(r"([^/\\]+)$"))
        return named.collect().unique("content_hash", keep="first", maintain_order=True)

    def missing(self, content_hashes: pl.Series) -> pl.Series:
        """Those of `content_hashes` that have no fact yet, once each, in order."""
        wanted = content_hashes.unique(maintain_order=True)
        return wanted.filter(~wanted.is_in(self.known()["content_hash"].implode()))

    def lookup(self, content_hashes: pl.Series, column: str) -> pl.Series:
        """One column of the facts of `content_hashes`, in their order; null where there is no fact."""
        names = ["content_hash", column]
        facts = [pl.read_parquet(part, columns=names) for part in self.parts_for(content_hashes)]
        found = pl.concat([empty(self.table).select(names), *facts]).unique("content_hash", keep="first")
        wanted = content_hashes.alias("content_hash").to_frame()
        return wanted.join(found, on="content_hash", how="left", maintain_order="left")[column]

    def append(self, frame: pl.DataFrame) -> None:
        """Add one part, named by the contents it holds. Atomic, and safe to repeat.

        Raises:
            ContractError: the rows break the table's contract.
        """
        if frame.is_empty():
            return
        frame = check(self.table, frame)
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        write_part(self.table, frame, buffer)
        data = buffer.getbuffer()
        name = f"{_contents_name(frame['content_hash'])}-{xxhash.xxh3_128_hexdigest(data)}"
        with atomic_file(self.folder / f"part-{name}.parquet") as aside:
            aside.write_bytes(data)

    def unwritten(self, chunks: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """Those of `chunks` that are not a part of their own, by the names of the parts alone."""
        there = {part.name.split("-")[1] for part in self.folder.glob("part-*.parquet")}
        return [chunk for chunk in chunks if _contents_name(chunk) not in there]

    def parts_for(self, content_hashes: pl.Series) -> list[Path]:
        """The parts that hold at least one of `content_hashes`, ordered by the first of them that each holds."""
        order = content_hashes.unique(maintain_order=True).alias("content_hash").to_frame()
        needed = order.join(self.known(), on="content_hash", how="inner", maintain_order="left")
        return [self.folder / name for name in needed["part"].unique(maintain_order=True)]


def _contents_name(content_hashes: Iterable[str]) -> str:
    """What a part is called that holds just these."""
    return hash_text("\n".join(content_hashes))[:16]


def _is_whole(part: Path) -> bool:
    """Whether a part's bytes match the digest in its name; one from before there were digests is believed. A part that
    does not match is moved aside under a hidden name, and reported."""
    digest = part.stem.split("-")[2:]
    try:
        if not digest or fast_digest(part) == digest[0]:
            return True
        os.replace(part, part.with_name(f".damaged-{part.name}"))
    except FileNotFoundError:  # gone, or put aside by another process
        return False
    print(f"damaged: {part}: its content is not what was written; it is found out again", file=sys.stderr)
    return False
