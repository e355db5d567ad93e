"""Which unlabelled samples of a snapshot to label next, and why each."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.choosing.coverage import Chosen, background, choose, covers
from assay.choosing.weigh import Unsure, unsure, worth
from assay.contracts.errors import SpecError
from assay.contracts.frames import dy
from assay.contracts.tables import Contract
from assay.metrics.corpus import Coding, Corpus, code, read_corpus
from assay.store.snapshots import Snapshot

UNSURE = 0.3  # margin, below which a sample is chosen for being unsure
CROWD = 3  # samples, from which it is chosen for those that it stands for
SCARCE = 0.5  # of the mean number of labels of a class


class ToLabel(Contract):
    """The samples to label next, the most useful first."""

    rank = dy.Int64(primary_key=True, min=1)
    sample_id = dy.String(min_length=1)
    uri = dy.String(nullable=True)
    reason = dy.String()
    gain = dy.Float64(min=0.0)  # what it adds to the weighted cover of what has no label
    stands_for = dy.Int64(min=0)  # samples, its copies included, that no label and no earlier one of these was near to
    guess = dy.String(nullable=True)  # the likeliest class
    second = dy.String(nullable=True)
    margin = dy.Float64(min=0.0, max=1.0, nullable=True)  # belief in the guess less that in the second


@dataclass(frozen=True)
class Picked:
    """What was chosen among a corpus: rows of its units, and what was known of them."""

    chosen: Chosen
    found: Unsure
    labels: Coding
    sizes: np.ndarray


def select(snapshot: Snapshot, n: int) -> pl.DataFrame:
    """The `n` samples to label next (fewer where there are not so many), as rows of `ToLabel`.

    Of copies one is asked for. What is far from everything, or in a small clump, stands for little and comes late.

    Raises:
        SpecError: `n` is below 1; no sample lacks a label; labels are sets; or nothing without a label has a vector.
    """
    if n < 1:
        raise SpecError(f"{n} samples to label are none; name 1 or more")
    if snapshot.manifest["config"]["source"].get("label_separator"):
        raise SpecError("labels are sets here, and what to label next is only chosen for labels of one class")
    corpus = read_corpus(snapshot)
    if not corpus.samples["label"].has_nulls():
        raise SpecError(f"every sample of {snapshot.name} has a label; add samples without one, and run a night")
    picked = pick(corpus, n)
    if not len(picked.chosen.rows):
        raise SpecError(f"no sample of {snapshot.name} without a label has a vector, or none that has no labelled copy")
    return ToLabel.validate(described(corpus, picked), cast=True)


def pick(corpus: Corpus, n: int) -> Picked:
    """The `n` unlabelled units that are worth most together."""
    labels = code(corpus.samples, "label")
    units = corpus.unit[(labels.codes >= 0) & (corpus.unit >= 0)]
    labelled = np.zeros(corpus.n_units, dtype=bool)
    labelled[units] = True
    found = unsure(corpus, labels)
    first = np.full(corpus.n_units, -1)
    known = (labels.codes >= 0) & (corpus.unit >= 0)
    first[corpus.unit[known][::-1]] = labels.codes[known][::-1]
    sizes = np.bincount(first[labelled], minlength=len(labels.names))
    weight = np.where(labelled, 0.0, worth(found, sizes))
    cover = covers(corpus.neighbors, corpus.similarities, background(corpus.vectors))
    return Picked(choose(cover, weight, labelled, np.flatnonzero(~labelled), n), found, labels, sizes)


def described(corpus: Corpus, picked: Picked) -> pl.DataFrame:
    """Rows of `ToLabel`."""
    rows, found = picked.chosen.rows, picked.found
    names = pl.Series(picked.labels.names, dtype=pl.String)
    ids = corpus.unit_ids.gather(rows)
    known = corpus.samples.select("sample_id", "uri")
    uris = ids.alias("sample_id").to_frame().join(known, on="sample_id", how="left", maintain_order="left")["uri"]

    def named(codes: np.ndarray) -> pl.Series:
        return pl.Series([names[int(c)] if c >= 0 and found.known else None for c in codes[rows]], dtype=pl.String)

    return pl.DataFrame(
        {
            "rank": np.arange(1, len(rows) + 1),
            "sample_id": ids,
            "uri": uris,
            "reason": [reason(picked, at) for at in range(len(rows))],
            "gain": picked.chosen.gains,
            "stands_for": picked.chosen.newly,
            "guess": named(found.best),
            "second": named(found.second),
            "margin": pl.Series(found.margin[rows].clip(0, 1) if found.known else [None] * len(rows), dtype=pl.Float64),
        }
    )


def reason(picked: Picked, at: int) -> str:
    """Why the `at`th one was chosen, in words; the strongest reason first."""
    row, found, names = picked.chosen.rows[at], picked.found, picked.labels.names
    said = []
    if picked.chosen.newly[at] >= CROWD:
        said.append(f"stands for {picked.chosen.newly[at]:,} that no label is near")
    if found.known and found.best[row] >= 0:
        best, second = found.best[row], found.second[row]
        if found.margin[row] < UNSURE and second >= 0:
            said.append(f"unsure: {names[best]} or {names[second]}")
        if picked.sizes[best] < SCARCE * picked.sizes.mean():
            said.append(f"{names[best]} has few labels ({picked.sizes[best]:,})")
    return "; ".join(said) or "unlike what has a label or was chosen before it"
