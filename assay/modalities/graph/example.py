"""The example of a graph: made papers of six fields, their words, who cites whom, and what goes wrong in graphs."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

FIELDS = ("biology", "chemistry", "economics", "history", "mathematics", "physics")
PAPERS = 1_200
WORDS, OF_FIELD, IN_PAPER = 600, 40, (12, 30)  # in all; that a field has of its own; in a paper
TOPICAL = 0.35  # share of a paper's words that are its field's
CITES = 2.5  # on average
LOYAL = 0.85  # share of citations within the field
TEST_SHARE = 0.2
RATES = {"wrong_class": 0.05, "no_edges": 0.008, "loop": 0.008, "edge_again": 0.008, "lost_end": 0.008, "hub": 0.0017,
         "not_numbers": 0.005, "same_neighbours": 0.005, "given_twice": 0.005}  # fmt: skip
HUB_EDGES = 150
TRUTH = {"uri": pl.String, "kind": pl.String, "of": pl.String, "true_label": pl.String}


@dataclass
class Papers:
    """A graph as it is made: ids, fields as written, words (n, WORDS), and citations as pairs of rows or of ids."""

    ids: list[str]
    fields: list[str]
    words: NDArray[np.float32]
    cites: list[tuple[str, str]] = field(default_factory=list)
    truth: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)


def write_example(folder: Path, seed: int) -> pl.DataFrame:
    """`nodes.csv`, `edges.csv`, `features.npz` below `folder/made-papers`; the truth, as `Example.write` gives it."""
    rng = np.random.default_rng(seed)
    papers = make_papers(rng)
    plant(papers, rng)
    root = folder / "made-papers"
    root.mkdir(parents=True, exist_ok=True)
    splits = np.where(rng.random(len(papers.ids)) < TEST_SHARE, "test", "train")
    nodes = pl.DataFrame({"node_id": papers.ids, "label": papers.fields, "split": splits})
    nodes.write_csv(root / "nodes.csv")
    pl.DataFrame(papers.cites, schema=["source", "target"], orient="row").write_csv(root / "edges.csv")
    sparse.save_npz(root / "features.npz", sparse.csr_matrix(papers.words))
    return pl.DataFrame(papers.truth, schema=TRUTH, orient="row").sort("uri")


def make_papers(rng: np.random.Generator, n: int = PAPERS) -> Papers:
    """Clean papers: a field's words are likelier in its papers, and papers rather cite their own field."""
    of = rng.integers(len(FIELDS), size=n)
    words = np.zeros((n, WORDS), dtype=np.float32)
    for row in range(n):
        count = int(rng.integers(*IN_PAPER))
        own = of[row] * OF_FIELD + rng.integers(OF_FIELD, size=count)
        words[row, np.where(rng.random(count) < TOPICAL, own, rng.integers(WORDS, size=count))] = 1.0
    ids = [f"paper-{row:04d}" for row in range(n)]
    cites: set[tuple[int, int]] = set()
    for row in range(n):
        for _ in range(1 + rng.poisson(CITES - 1)):
            same = rng.random() < LOYAL
            fits = np.flatnonzero((of == of[row]) == same)
            other = int(rng.choice(fits))
            if other != row and (other, row) not in cites:
                cites.add((row, other))
    return Papers(ids, [FIELDS[code] for code in of], words, [(ids[a], ids[b]) for a, b in sorted(cites)])


def plant(papers: Papers, rng: np.random.Generator) -> None:
    """Defects of every kind of `RATES`, no paper with two."""
    n, start = len(papers.ids), 0
    order = rng.permutation(n)
    for kind, rate in RATES.items():
        count = max(2, round(rate * n))
        for row in order[start : start + count]:
            spoil(papers, int(row), kind, rng)
        start += count


def spoil(papers: Papers, row: int, kind: str, rng: np.random.Generator) -> None:
    """One defect in one paper, noted in the truth."""
    name = papers.ids[row]
    truth: tuple[str, str, str | None, str | None] = (name, kind, None, None)
    if kind == "wrong_class":
        truth = (name, kind, None, papers.fields[row])
        papers.fields[row] = str(rng.choice([other for other in FIELDS if other != papers.fields[row]]))
    elif kind == "no_edges":
        papers.cites = [edge for edge in papers.cites if name not in edge]
    elif kind == "loop":
        papers.cites.append((name, name))
    elif kind == "edge_again":
        again = next((edge for edge in papers.cites if name in edge), (name, papers.ids[row - 1]))
        papers.cites += [again, again]
        other = again[1] if again[0] == name else again[0]
        papers.truth.append((other, kind, None, None))
    elif kind == "lost_end":
        papers.cites.append((name, f"lost-{row:04d}"))
    elif kind == "hub":
        tied = {end for edge in papers.cites for end in edge if name in edge} | {name}
        lonely = {one for one, planted, _, _ in papers.truth if planted == "no_edges"}
        fits = [papers.ids[other] for other in rng.permutation(PAPERS) if papers.ids[other] not in tied | lonely]
        papers.cites += [(name, other) for other in fits[:HUB_EDGES]]
    elif kind == "not_numbers":
        papers.words[row, :5] = np.nan
    else:
        truth = _copy(papers, row, kind, rng)
    papers.truth.append(truth)


def _copy(papers: Papers, row: int, kind: str, rng: np.random.Generator) -> tuple[str, str, str | None, str | None]:
    """A further paper with the neighbours of one, and of one that is given twice its words as well."""
    name, twin = papers.ids[row], f"paper-{len(papers.ids):04d}"
    around = [edge[1] if edge[0] == name else edge[0] for edge in papers.cites if name in edge and edge[0] != edge[1]]
    lonely = {one for one, planted, _, _ in papers.truth if planted == "no_edges"}
    around = list(dict.fromkeys(around))
    while len(around) < 4:
        other = papers.ids[int(rng.integers(PAPERS))]
        if other != name and other not in around and other not in lonely:
            around.append(other)
            papers.cites.append((name, other))
    words = papers.words[row] if kind == "given_twice" else rng.permutation(papers.words[row])
    papers.ids.append(twin)
    papers.fields.append(papers.fields[row])
    papers.words = np.vstack([papers.words, words])
    papers.cites += [(twin, other) for other in (around if kind == "same_neighbours" else around[1:])]
    if kind == "same_neighbours":
        papers.truth.append((twin, kind, None, None))
        return name, kind, None, None
    return twin, kind, name, None
