"""Plant known defects into samples, reproducibly, so that what the pipeline finds can be counted against the truth.

`plant(samples, counts, seed)` is the way in; `Modality.defects` has those of each kind of data.
No sample is the target of two kinds, so each has one truth.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.modality import Defect, Sample

Relabel = Callable[[str | None, list[str], np.random.Generator], str]

TRUTH = {"name": pl.String, "kind": pl.String, "of": pl.String, "true_label": pl.String}
ENDINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".wav"}  # first bytes of what alterations write


def plant(
    samples: Sequence[Sample],
    counts: Mapping[str, int],
    seed: int,
    defects: Mapping[str, Defect],
    relabel: Relabel | None = None,
    mistaken: Mapping[str, float] | None = None,
) -> tuple[list[Sample], pl.DataFrame]:
    """`samples` with `counts[kind]` defects of each kind planted.

    Copies and off-topic samples come after the given ones, under new numbers for names that say nothing about them.
    Where there are too few samples for all the targets asked for, every kind gets its share. `relabel(label, others,
    rng)` picks the wrong label of a flipped one; any other label by default. `mistaken` has for the name of a sample
    how likely, against the others, its label is to be flipped; one that it does not name is not. All alike without it.

    Returns:
        The samples, and the truth: a row per planted sample with `name`, `kind`, `of` (the name of the sample that a
        copy was made from) and `true_label` (of a flipped label).

    Raises:
        ValueError: a kind that is not among `defects`.
    """
    unknown = set(counts) - set(defects)
    if unknown:
        raise ValueError(f"there is no defect {sorted(unknown)}; there are {list(defects)}")
    rng = np.random.default_rng(seed)
    planted = list(samples)
    truth: list[tuple[Any, ...]] = []
    targets = _targets(samples, counts, defects, rng, mistaken or {})
    for kind, defect in defects.items():
        if defect.how == "stranger":
            _add_strangers(planted, truth, samples, counts.get(kind, 0), kind, defect, rng)
            continue
        for position in targets.get(kind, ()):
            if defect.how == "label":
                _flip_label(planted, truth, int(position), kind, samples, relabel or any_label, rng)
            else:
                _plant_one(planted, truth, int(position), kind, defect, samples, rng)
    return planted, pl.DataFrame(truth, schema=TRUTH, orient="row")


def _targets(
    samples: Sequence[Sample],
    counts: Mapping[str, int],
    defects: Mapping[str, Defect],
    rng: np.random.Generator,
    mistaken: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Which samples each kind is planted into or copied from; no sample twice."""
    wanted = {kind: count for kind, count in counts.items() if defects[kind].how != "stranger" and count > 0}
    scale = min(1.0, 0.9 * len(samples) / max(1, sum(wanted.values())))
    free = list(rng.permutation(len(samples)))
    labels = {sample.label for sample in samples if sample.label is not None}
    splits = {sample.split for sample in samples if sample.split is not None}
    targets = {}
    for kind in sorted(wanted):
        how = defects[kind].how
        if (how == "label" and len(labels) < 2) or (how == "leak" and len(splits) < 2):
            continue
        fits = [i for i in free if _can_be_target(samples[i], kind, how)]
        if how == "label":
            fits = _by_chance(fits, [mistaken.get(samples[i].name, 0.0) if mistaken else 1.0 for i in fits], rng)
        targets[kind] = np.array(fits[: int(wanted[kind] * scale)], dtype=int)
        taken = set(targets[kind].tolist())
        free = [i for i in free if i not in taken]
    return targets


def _by_chance(rows: list[int], chance: list[float], rng: np.random.Generator) -> list[int]:
    """Rows in a random order, each drawn in proportion to its chance from those left (Efraimidis & Spirakis 2006)."""
    keys = rng.exponential(size=len(rows)) / np.maximum(chance, 1e-300)
    return [rows[i] for i in np.argsort(keys, kind="stable") if chance[i] > 0]


def _can_be_target(sample: Sample, kind: str, how: str) -> bool:
    if how == "label":
        return sample.label is not None
    if how == "leak":
        return sample.split is not None
    return not isinstance(sample.content, str) or kind == "byte_duplicate" or len(sample.content.split()) >= 4


def _plant_one(
    planted: list[Sample],
    truth: list[tuple[Any, ...]],
    position: int,
    kind: str,
    defect: Defect,
    samples: Sequence[Sample],
    rng: np.random.Generator,
) -> None:
    """Plant one defect and note it."""
    target = planted[position]
    content = defect.alter(target.content, rng)
    if defect.how == "damage":
        planted[position] = replace(target, content=content)
        truth.append((target.name, kind, None, None))
    else:
        split = _other_split(samples, target.split, rng) if defect.how == "leak" else target.split
        copy = Sample(_new_name(len(planted), content, target.name), content, target.label, split)
        planted.append(copy)
        truth.append((copy.name, kind, target.name, None))


def any_label(label: str | None, others: list[str], rng: np.random.Generator) -> str:
    """One of the other labels, each as likely."""
    return str(rng.choice(others))


def _flip_label(
    planted: list[Sample],
    truth: list[tuple[Any, ...]],
    position: int,
    kind: str,
    samples: Sequence[Sample],
    relabel: Relabel,
    rng: np.random.Generator,
) -> None:
    """Give one sample another's label and note its own."""
    target = planted[position]
    others = sorted({sample.label for sample in samples if sample.label is not None} - {target.label})
    planted[position] = replace(target, label=relabel(target.label, others, rng))
    truth.append((target.name, kind, None, target.label))


def _add_strangers(
    planted: list[Sample],
    truth: list[tuple[Any, ...]],
    samples: Sequence[Sample],
    count: int,
    kind: str,
    defect: Defect,
    rng: np.random.Generator,
) -> None:
    """Samples that do not belong, each under the label and split of a sample picked at random."""
    for _ in range(count if samples else 0):
        host = samples[int(rng.integers(len(samples)))]
        content = defect.alter(host.content, rng)
        planted.append(Sample(_new_name(len(planted), content, host.name), content, host.label, host.split))
        truth.append((planted[-1].name, kind, None, None))


def _other_split(samples: Sequence[Sample], split: str | None, rng: np.random.Generator) -> str:
    return str(rng.choice(sorted({sample.split for sample in samples if sample.split is not None} - {split})))


def _new_name(number: int, content: object, original: str) -> str:
    """A name that says nothing about the defect, and is no name of the given samples."""
    if not isinstance(content, bytes):
        return f"{number:07d}"
    endings = (ending for start, ending in ENDINGS.items() if content.startswith(start))
    return f"{number:07d}{next(endings, PurePosixPath(original).suffix)}"
