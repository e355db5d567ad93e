"""Users and items, and what the stages know of them. What computes is imported when it is called."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality, Worth
from assay.contracts.spec import Spec
from assay.contracts.tables import InteractionFacts
from assay.sources.own import OwnRows
from assay.store.tables import TableReader
from assay.store.workspace import Workspace


def folder(spec: Spec, workspace: Workspace) -> OwnRows:
    """The users and items of a table of interactions."""
    from assay.modalities.interactions.reading import read_folder

    return read_folder(spec, workspace)


def measure(
    _: Spec, tables: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of users and items, of the interactions of tonight."""
    from assay.modalities.interactions.facts import interaction_facts

    return interaction_facts(tables, samples, chunks)


def tier(_: Spec, samples: pl.DataFrame, *unused: Any) -> Any:
    """Nothing: two ids are two users, or two items."""
    from assay.modalities.graph.copies import no_tier

    return no_tier(len(samples))


class NoCopies:
    """Two ids are never copies: items that the same users took are an issue of theirs (`twin_item`)."""

    method = 1
    rings = ((1, 1.0),)

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) zeros."""
        return np.zeros(len(left))

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """Nothing."""
        return {}

    def least(self, reference: dict[str, float]) -> float:
        """More than any similarity."""
        return 2.0


def confirmer(*unused: Any) -> NoCopies:
    """What confirms no pair."""
    return NoCopies()


def worth(_samples: pl.DataFrame, _vectors: Any, _found: Any, embedded: TableReader) -> Worth | None:
    """hit@k of what was held out; None where too few could be judged."""
    rows = embedded.read("embedding_health").filter(pl.col("check").str.starts_with("hit_at_"))
    if rows.is_empty():
        return None
    check, value, note = rows.select("check", "value", "note").row(0)
    n = int(re.search(r"[\d,]+", note)[0].replace(",", ""))  # type: ignore[index]  # the users that were judged
    return Worth(check.replace("hit_at_", "hit@"), value, (value * (1.0 - value) / n) ** 0.5)


def validate(*given: Any) -> dict[str, Any]:
    """hit@k of the last item of each user."""
    from assay.modalities.interactions.hits import validate

    return validate(*given)


def example(folder: Path, seed: int) -> pl.DataFrame:
    """Writes a made shop with planted defects."""
    from assay.modalities.interactions.example import write_example

    return write_example(folder, seed)


ELSEWHERE = ("outliers", "label issues", "junk_cluster", "cold_start")
INTERACTIONS = Modality(
    name="interactions",
    content="file",
    face=Face("drawing", "users and items", facts="interaction_facts", preview="thumbnail"),
    embedders=("als", "svd", "prone", "netmf", "spectral", "deepwalk", "node2vec", "fastrp"),
    facts=Facts(
        table="interaction_facts",
        contract=InteractionFacts,
        measure=measure,
        chunk=4096,
        issues=(Path(__file__).with_name("issues.sql"),),
        prevalence=Path(__file__).with_name("numbers.sql"),
        nightly=True,
    ),
    copies=Copies(columns=("n_interactions",), largest=("n_interactions",), tier=tier, confirmer=confirmer),
    defects={
        "wrong_class": Defect("source", "label issues", also=("outliers",)),
        "cold": Defect("source", "cold_start"),
        "power_user": Defect("source", "power_user", also=ELSEWHERE),
        "robot": Defect("source", "robotic", also=ELSEWHERE),
        "pair_again": Defect("source", "repeated_pair", also=ELSEWHERE),
        "twin": Defect("source", "twin_item", also=ELSEWHERE),
        "odd_value": Defect("source", "odd_value"),
        "future": Defect("source", "time_leak"),
        "unlisted": Defect("source", "unlisted_item", also=ELSEWHERE),
    },
    example=Example(
        "made-shop",
        "a made shop: customers of six tastes, and what they bought when",
        write=example,
        spec='[source]\nkind = "folder"\npath = "made-shop"\n',
    ),
    folder=folder,
    worth=worth,
    validate=validate,
    tables=("edges", "node_features", "interactions"),
)
