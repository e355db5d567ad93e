"""The snapshot as CleanVision writes its `Imagelab.issues`: a row an image, `is_…_issue` and `…_score` a kind.

CleanVision's scores run from 0 (surely an issue) to 1 (clean): the other way round than ours.
"""

from pathlib import Path

import polars as pl

from assay.contracts.errors import SpecError
from assay.reading.columns import face_of
from assay.reading.printed import write_file
from assay.store.snapshots import Snapshot

KINDS = {
    "odd_size": "odd_size",
    "odd_aspect": "odd_aspect_ratio",
    "low_information": "low_information",
    "bright": "light",
    "grayscale": "grayscale",
    "dark": "dark",
    "blurry": "blurry",
}
EXACT = ("bytes", "pixels")  # tiers of what looks the same


def write_cleanvision(snapshot: Snapshot, target: Path) -> int:
    """Write the table as a CSV, JSON or Parquet file. Returns its rows.

    Raises:
        SpecError: the samples are no images, or the file's ending is another.
    """
    face = face_of(snapshot.manifest)
    if face["kind"] != "picture":
        raise SpecError(f"CleanVision is about images, and `{snapshot.manifest['dataset']}` holds {face['plural']}")
    frame = cleanvision_frame(snapshot)
    write_file(frame, target)
    return len(frame)


def cleanvision_frame(snapshot: Snapshot) -> pl.DataFrame:
    """A row an image: `image` (its uri, else its id), then two columns a kind of issue, in CleanVision's names."""
    samples = (
        snapshot.scan("samples").sort("position").select("sample_id", pl.coalesce("uri", "sample_id").alias("image"))
    )
    frame = samples.collect()
    scores = snapshot.scan("scores").filter(pl.col("metric").is_in(list(KINDS))).collect()
    for ours, theirs in KINDS.items():
        mine = scores.filter(metric=ours).select("sample_id", "is_issue", "score")
        frame = frame.join(mine, on="sample_id", how="left", maintain_order="left").with_columns(
            pl.col("is_issue").fill_null(False).alias(f"is_{theirs}_issue"),
            (1.0 - pl.col("score").fill_null(0.0)).alias(f"{theirs}_score"),
        )
        frame = frame.drop("is_issue", "score")
    copies = snapshot.read("duplicates", ["sample_id", "group_id", "tier", "similarity"])
    for name, is_kind in (("exact", pl.col("tier").is_in(EXACT)), ("near", ~pl.col("tier").is_in(EXACT))):
        found = copies.filter(pl.col("group_id").is_in(copies.filter(is_kind)["group_id"].implode()))
        found = found.filter(is_kind | (pl.col("sample_id") == pl.col("group_id")))
        flag = pl.col("sample_id").is_in(found["sample_id"].implode())
        frame = frame.with_columns(
            flag.alias(f"is_{name}_duplicates_issue"),
            pl.when(flag).then(0.0).otherwise(1.0).alias(f"{name}_duplicates_score"),
        )
    return frame.drop("sample_id")
