"""Write an example as a source with planted defects, and say what was planted."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SpecError
from assay.contracts.modality import Modality, Sample, find_modality, require
from assay.contracts.plugins import registered
from assay.selftest.plant import plant

RATES = {"label": 0.04}  # of the clean samples; a defect of any other sort has DEFAULT_RATE
DEFAULT_RATE = 0.01
LEAST = 2  # of each kind
SEED = 0


def write_example(data: Modality, folder: Path, seed: int = SEED) -> tuple[Path, pl.DataFrame]:
    """The data, their spec and their truth below `folder`; what is there already is not written again.

    Returns:
        The spec's path, and the truth: a row per planted sample with `uri` (its id in the snapshot), `kind`, `of` (the
        same of the original of a copy) and `true_label` (of a flipped label).

    Raises:
        SpecError: there is no example of such data, and the message names those that have one; or it needs a package.
    """
    require(data)
    example = data.example
    if example is None:
        others = [name for name in registered("assay.modalities") if find_modality(name).example]
        raise SpecError(f"there is no example of {data.name!r}; there are {', '.join(others)}")
    spec, truth, done = (folder / name for name in (f"{example.name}.toml", "truth.parquet", "written.json"))
    stamp = json.dumps({"seed": seed, "data": 3, "example": example.name})
    if not (done.exists() and done.read_text(encoding="utf-8") == stamp):
        folder.mkdir(parents=True, exist_ok=True)
        lines = example.spec
        if example.write is not None:
            written = example.write(folder, seed)
        else:
            assert example.samples is not None
            written, lines = write_samples(data, example.samples(seed), folder, example.name, seed)
        written.write_parquet(truth)
        head = f'# The demonstration: {example.about}, with planted defects.\nname = "{example.name}"\n'
        spec.write_text(f'{head}modality = "{data.name}"\n\n{lines}', encoding="utf-8")
        done.write_text(stamp, encoding="utf-8")
    return spec, pl.read_parquet(truth)


def write_samples(
    data: Modality, clean: Sequence[Sample], folder: Path, name: str, seed: int
) -> tuple[pl.DataFrame, str]:
    """Samples with defects planted: files as `NAME/SPLIT/CLASS/FILE`, others as a table. The truth, and the spec."""
    rates = {kind: RATES.get(defect.how, DEFAULT_RATE) for kind, defect in data.plantable().items()}
    counts = {kind: max(LEAST, round(rate * len(clean))) for kind, rate in rates.items()}
    samples, truth = plant(clean, counts, seed, data.defects)
    if data.content != "file":
        write_table(data.content, samples, folder / f"{name}.parquet")
        return truth.rename({"name": "uri"}).sort("uri"), f'[source]\nkind = "table"\npath = "{name}.parquet"\n'
    uris = {sample.name: f"{sample.split}/{sample.label}/{sample.name}" for sample in samples}
    for sample in samples:
        path = folder / name / uris[sample.name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.content)
    of_uri = pl.col("of").replace_strict(uris, default=None, return_dtype=pl.String)
    uri = pl.col("name").replace_strict(uris, return_dtype=pl.String)
    truth = truth.select(uri.alias("uri"), "kind", of_uri.alias("of"), "true_label").sort("uri")
    return truth, f'[source]\nkind = "folder"\npath = "{name}"\n'


def write_table(content: str, samples: Sequence[Sample], path: Path) -> None:
    """Samples as Parquet: `sample_id, label, split` where there are any, and the content where it is no file."""
    columns: dict[str, pl.Series | list[Any]] = {
        "sample_id": [sample.name for sample in samples],
        "label": pl.Series([sample.label for sample in samples], dtype=pl.String),
        "split": pl.Series([sample.split for sample in samples], dtype=pl.String),
    }
    if content == "file":
        columns["uri"] = columns["sample_id"]
    elif content == "text":
        columns["text"] = [sample.content for sample in samples]
    else:
        columns["vector"] = [np.asarray(sample.content).tolist() for sample in samples]
    frame = pl.DataFrame(columns)
    frame.drop([c for c in ("label", "split") if frame[c].is_null().all()]).write_parquet(path)
