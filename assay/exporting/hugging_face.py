"""The cleaned samples as a dataset folder of Hugging Face, which `datasets.load_dataset(FOLDER)` opens.

README.md                   its card, with the features
data/SPLIT-00000-of-N.parquet   the samples; files inside, their type in the schema's metadata
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from assay.contracts.errors import AssayError, SpecError
from assay.contracts.splits import split_kind
from assay.exporting.takeaway import cleaned, with_text
from assay.reading.columns import View
from assay.reading.samples import Raw
from assay.sources.roles import WRITTEN

SHARD_BYTES = 256 * 2**20  # of content in one file
SHARD_ROWS = 100_000
MEDIA = {"picture": ("image", "Image"), "sound": ("audio", "Audio"), "video": ("video", "Video")}  # by face
SCORED = ("label_issue", "outlier")


def write_hugging_face(view: View, target: Path, mask: np.ndarray | None = None) -> tuple[int, dict[str, str]]:
    """Write the folder, which must be empty or absent.

    Args:
        mask: the samples that are considered, bool of shape (n,); by default all.

    Returns:
        How many samples were written, and why each of the others was not.

    Raises:
        SpecError: something is there already; or samples are neither files nor texts.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SpecError(f"{target} is not empty; name a folder that is empty or does not exist yet")
    kind = view.face["kind"]
    if kind not in (*MEDIA, "text"):
        raise SpecError(
            f"a dataset of Hugging Face holds images, sounds, videos or texts; these are {view.face['plural']}"
        )
    frame = rows_of(view, np.ones(len(view), dtype=bool) if mask is None else mask)
    classes = sorted(frame["label"].drop_nulls().unique().to_list())
    (target / "data").mkdir(parents=True)
    left_out: dict[str, str] = {}
    sizes: dict[str, tuple[int, int]] = {}  # rows and bytes of each split
    features: dict[str, Any] = {}
    for split, rows in by_split(frame):
        shards: list[Path] = []
        for shard in _shards(view, rows, left_out):
            table, features = typed(shard, classes, kind)
            shards.append(target / "data" / f"{split}-{len(shards):05d}.parquet")
            pq.write_table(table, shards[-1], compression="zstd")
            rows_before, bytes_before = sizes.get(split, (0, 0))
            sizes[split] = rows_before + len(table), bytes_before + table.nbytes
        for number, path in enumerate(shards):
            path.rename(path.with_name(f"{split}-{number:05d}-of-{len(shards):05d}.parquet"))
    (target / "README.md").write_text(card(view, sizes, features), encoding="utf-8")
    return sum(n for n, _ in sizes.values()), left_out


def zip_hugging_face(view: View, mask: np.ndarray, target: BinaryIO) -> None:
    """The folder in one ZIP file, as `write_hugging_face` writes it. Raises as that does."""
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch, zipfile.ZipFile(target, "w") as archive:
        folder = Path(scratch) / "dataset"
        write_hugging_face(view, folder, mask)
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))


def rows_of(view: View, mask: np.ndarray) -> pl.DataFrame:
    """The cleaned samples of `mask`, their further columns, and what a night says of each: `label_issue`, `outlier`
    (0 to 1), and the label that was suggested."""
    frame = with_text(view, cleaned(view, mask))
    scores = view.scan("scores").filter(pl.col("metric").is_in(SCORED)).collect()
    for metric in SCORED:
        mine = scores.filter(metric=metric).select("sample_id", pl.col("score").alias(metric))
        frame = frame.join(mine, on="sample_id", how="left", maintain_order="left")
    suggested = view.scan("label_issues").filter("is_issue").select("sample_id", "suggested_label").collect()
    return frame.join(suggested, on="sample_id", how="left", maintain_order="left")


def by_split(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each split under a name that Hugging Face takes; all of them are `train` where there is none."""
    named = {one: split_name(one) for one in frame["split"].unique(maintain_order=True).to_list()}
    for name in dict.fromkeys(named.values()):
        mine = [one for one, given in named.items() if given == name]
        chosen = pl.col("split").is_in([one for one in mine if one is not None])
        yield (
            name,
            frame.filter(chosen.fill_null(False) | (pl.col("split").is_null() if None in mine else pl.lit(False))),
        )


def split_name(split: str | None) -> str:
    """`train`, `validation` or `test` for what is called so in any way, else the name in letters, digits and dots."""
    if split is None:
        return "train"
    return split_kind(split) or re.sub(r"[^A-Za-z0-9.]+", "_", split).strip("_.") or "train"


def _shards(view: View, rows: pl.DataFrame, left_out: dict[str, str]) -> Iterator[pl.DataFrame]:
    """The rows with their files' bytes, some at a time; all at once where they are texts."""
    if view.face["kind"] not in MEDIA:
        yield from (rows.slice(start, SHARD_ROWS) for start in range(0, len(rows), SHARD_ROWS))
        return
    raw, places = Raw(view), view.rows_of(rows["sample_id"]).tolist()
    kept: list[int] = []
    held: list[bytes] = []
    size = 0
    for at, place in enumerate(places):
        try:
            held.append(raw.bytes(place))
        except (AssayError, OSError) as error:
            left_out[rows["sample_id"][at]] = str(error)
            continue
        kept.append(at)
        size += len(held[-1])
        if size >= SHARD_BYTES or len(kept) >= SHARD_ROWS:
            yield rows[kept].with_columns(content=pl.Series(held, dtype=pl.Binary))
            kept, held, size = [], [], 0
    if kept:
        yield rows[kept].with_columns(content=pl.Series(held, dtype=pl.Binary))


def typed(frame: pl.DataFrame, classes: list[str], kind: str) -> tuple[pa.Table, dict[str, Any]]:
    """A shard as Arrow with the features of Hugging Face in its metadata, and those features."""
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    features: dict[str, Any] = {}
    if kind in MEDIA:
        name, feature = MEDIA[kind]
        names = [Path(uri or sample).name for uri, sample in zip(frame["uri"], frame["sample_id"], strict=True)]
        content = [frame["content"].to_arrow().cast(pa.binary()), pa.array(names, pa.string())]
        columns[name] = pa.StructArray.from_arrays(content, ["bytes", "path"])
        features[name] = {"_type": feature}
    if classes:
        place = {label: number for number, label in enumerate(classes)}
        codes = [None if label is None else place[label] for label in frame["label"]]
        columns["label"] = pa.array(codes, pa.int64())
        features["label"] = {"names": classes, "_type": "ClassLabel"}
    others = frame.drop("uri", "label", "split", "content", *WRITTEN, strict=False)
    others = others.select(sorted(others.columns, key=lambda name: name != "text"))  # the text first
    plain = [name for name, given in others.schema.items() if not given.is_nested() and name not in columns]
    table = others.select(plain).to_arrow(compat_level=pl.CompatLevel.oldest())
    for column in plain:
        given = table.column(column)
        given = given.cast(pa.string()) if pa.types.is_large_string(given.type) else given
        columns[column], features[column] = given, {"dtype": dtype_of(given.type), "_type": "Value"}
    described = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(columns).replace_schema_metadata(described), features


def dtype_of(kind: pa.DataType) -> str:
    """An Arrow type in the words of `datasets`."""
    names = {"double": "float64", "float": "float32", "halffloat": "float16", "large_string": "string"}
    names |= {"date32[day]": "date32", "date64[ms]": "date64"}
    return names.get(str(kind), str(kind))


def card(view: View, sizes: dict[str, tuple[int, int]], features: dict[str, Any]) -> str:
    """The README: what it is, in words, and above them what Hugging Face reads."""
    manifest = view.snapshot.manifest
    files = [{"split": split, "path": f"data/{split}-*"} for split in sizes]
    info = {
        "features": [{"name": name, "dtype": _in_card(feature)} for name, feature in features.items()],
        "splits": [{"name": split, "num_bytes": size, "num_examples": n} for split, (n, size) in sizes.items()],
    }
    head = yaml.safe_dump(
        {"dataset_info": info, "configs": [{"config_name": "default", "data_files": files}]},
        sort_keys=False, allow_unicode=True,
    )  # fmt: skip
    counted = ", ".join(f"{n:,} in {split}" for split, (n, _) in sizes.items())
    return (
        f"---\n{head}---\n\n# {manifest['dataset']}\n\nThe cleaned samples of snapshot {view.snapshot.number} of "
        f"{manifest.get('created_at', '')[:10]}, by assay: {counted}. Superfluous copies and what people dropped are "
        "left out, accepted labels are put in. `label_issue` and `outlier` run from 0 (clean) to 1 (surely an issue).\n"
    )


def _in_card(feature: dict[str, Any]) -> Any:
    """A feature as the card spells it."""
    if feature["_type"] == "ClassLabel":
        return {"class_label": {"names": {str(at): name for at, name in enumerate(feature["names"])}}}
    return feature["dtype"] if feature["_type"] == "Value" else feature["_type"].lower()
