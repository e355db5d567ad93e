"""Samples from a folder: one file a sample, label and split from the folders' names."""

import polars as pl

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "holdout"})


def layout_of(uris: list[str]) -> str:
    """What the folders mean: `split/class` where the top folders are all named like splits, else `class`, `flat`."""
    tops = {uri.split("/", 1)[0].lower() for uri in uris if "/" in uri}
    if not tops:
        return "flat"
    return "split/class" if tops <= SPLITS else "class"


def label_and_split(uri: str, layout: str) -> tuple[str | None, str | None]:
    """Label and split that a relative path gives, as the folders are spelled."""
    folders = uri.split("/")[:-1]
    if layout == "class":
        return (folders[0] if folders else None), None
    if layout == "split/class":
        return (folders[1] if len(folders) > 1 else None), (folders[0] if folders else None)
    return None, None


def folder_samples(listing: pl.DataFrame, layout: str) -> pl.DataFrame:
    """Rows of a listing that hold content as samples without their modality; the position counts every file."""
    uris = listing["uri"].to_list()
    layout = layout_of(uris) if layout == "auto" else layout
    named = [label_and_split(uri, layout) for uri in uris]
    return (
        listing.with_columns(
            position=pl.int_range(pl.len(), dtype=pl.Int64),
            sample_id="uri",
            label=pl.Series([label for label, _ in named], dtype=pl.String),
            split=pl.Series([split for _, split in named], dtype=pl.String),
        )
        .filter(pl.col("content_hash").is_not_null())
        .select("sample_id", "position", "uri", "content_hash", "label", "split", "size_bytes")
    )
