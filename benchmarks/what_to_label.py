"""`assay select`: how good a probe is on the labels that each way of choosing asks for.

    python benchmarks/what_to_label.py digits
    python benchmarks/what_to_label.py FOLDER          # Banking77's train.csv and test.csv: columns text, category
    python benchmarks/what_to_label.py digits SITE     # a site-packages folder with lightly-mundig

Nothing is labelled at first. In rounds some samples are chosen, their true labels are told, and a linear probe trained
on all labels so far is tried on the test samples. Prints its accuracy after each round, and the mean.

random: the mean of five. margin: the least difference between the two best beliefs, the first round at random.
k-center: the farthest from what is labelled. Lightly: its diversity; with typicality as a weight; with 1 − margin as a
weight; each by the Rust library that LightlyStudio itself calls.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

from assay.choosing.select import pick
from assay.choosing.weigh import unsure
from assay.contracts.spec import make_spec
from assay.embedders.registry import make_embedder
from assay.knn.blocked import blocked_knn
from assay.metrics import probe
from assay.metrics.corpus import Corpus, code
from assay.store.files import hash_text
from assay.store.units import to_unit_length
from assay.store.workspace import Workspace

ROUNDS = {"digits": (10, 20, 30, 40, 100, 200), "banking77": (77, 77, 154, 308, 308)}
NEIGHBORS = 50
PENALTY = 0.1

Way = Callable[[Corpus, int, np.random.Generator], np.ndarray]


def main(place: str, site: str = "") -> None:
    """Print a line for each way."""
    name = place if place == "digits" else "banking77"
    vectors, classes, n_train = digits() if name == "digits" else banking(Path(place))
    ways: dict[str, tuple[Way, int]] = {
        "random": (at_random, 5),
        "margin": (by_margin, 1),
        "k-center": (k_center, 1),
        "assay select": (lambda corpus, n, _: pick(corpus, n).chosen.rows, 1),
    }
    if site:
        sys.path.append(site)
        ways |= {
            "Lightly diversity": (lambda corpus, n, _: lightly(corpus, n), 1),
            "Lightly + typicality": (lambda corpus, n, _: lightly(corpus, n, typicality=True), 1),
            "Lightly + margin": (lambda corpus, n, _: lightly(corpus, n, margin=True), 1),
        }
    total = np.cumsum(ROUNDS[name])
    print(f"{name:21}{' '.join(f'{n:5}' for n in total)}   mean")
    for title, (way, times) in ways.items():
        found = np.mean([tried(way, vectors, classes, n_train, ROUNDS[name], seed) for seed in range(times)], axis=0)
        print(f"{title:21}{' '.join(f'{value:.3f}' for value in found)}  {found.mean():.3f}", flush=True)


def digits() -> tuple[np.ndarray, np.ndarray, int]:
    """Vectors of unit length, classes, and how many of them are for training."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    return to_unit_length(data.data[order].astype(np.float32)), data.target[order], 1200


def banking(folder: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """The same of Banking77, embedded by LSA fitted on all texts without labels."""
    train, test = (pl.read_csv(folder / f"{name}.csv") for name in ("train", "test"))
    texts = [*train["text"], *test["text"]]
    with tempfile.TemporaryDirectory() as home:
        spec = make_spec({"name": "b", "modality": "text", "source": {"kind": "table", "path": "-"}}, base=Path(home))
        hashes = pl.Series("content_hash", [hash_text(text) for text in texts])
        embedder = make_embedder(spec, Workspace(Path(home), "b"), hashes)
        embedder.fit([embedder.prepare(text) for text in texts])
        vectors = embedder.encode(texts)
    _, classes = np.unique([*train["category"], *test["category"]], return_inverse=True)
    return to_unit_length(np.ascontiguousarray(vectors, dtype=np.float32)), classes, len(train)


def tried(
    way: Way, vectors: np.ndarray, classes: np.ndarray, n_train: int, rounds: tuple[int, ...], seed: int
) -> list[float]:
    """The probe's accuracy on the test samples after each round."""
    pool = np.ascontiguousarray(vectors[:n_train])
    graph, rng, known, found = blocked_knn(pool, NEIGHBORS), np.random.default_rng(seed), np.zeros(n_train, bool), []
    for n in rounds:
        labels = [f"c{one:03d}" if told else None for one, told in zip(classes[:n_train], known, strict=True)]
        rows = way(corpus_of(pool, graph, labels), n, rng)
        assert len(rows) == n and not known[rows].any()
        known[rows] = True
        found.append(accuracy(vectors, classes, np.flatnonzero(known), n_train))
    return found


def corpus_of(vectors: np.ndarray, graph: tuple[np.ndarray, np.ndarray], labels: list[str | None]) -> Corpus:
    """A corpus whose samples are all units."""
    n = len(vectors)
    ids = pl.Series("sample_id", [f"s{row:06d}" for row in range(n)])
    hashes = [hash_text(name) for name in ids]
    columns = {
        "sample_id": ids,
        "position": range(n),
        "content_hash": hashes,
        "label": pl.Series(labels, dtype=pl.String),
    }
    return Corpus(pl.DataFrame(columns), np.arange(n, dtype=np.int32), ids, vectors, *graph, "e", 0)


def accuracy(vectors: np.ndarray, classes: np.ndarray, rows: np.ndarray, n_train: int) -> float:
    """Of a probe trained on `rows`, on the rows from `n_train` on."""
    fold = np.zeros(len(vectors), dtype=np.int64)
    fold[rows] = -1
    features, shares = probe.principal_axes(vectors), np.ones(len(rows))
    problem = probe.Problem(features, rows, classes[rows], shares, fold, int(classes.max()) + 1, 1)
    return float((probe.out_of_fold(problem, PENALTY)[n_train:].argmax(axis=1) == classes[n_train:]).mean())


def labelled(corpus: Corpus) -> np.ndarray:
    """(n,) bool."""
    return corpus.samples["label"].is_not_null().to_numpy()


def at_random(corpus: Corpus, n: int, rng: np.random.Generator) -> np.ndarray:
    """Any."""
    return rng.choice(np.flatnonzero(~labelled(corpus)), n, replace=False)


def by_margin(corpus: Corpus, n: int, rng: np.random.Generator) -> np.ndarray:
    """The least sure ones."""
    if not labelled(corpus).any():
        return at_random(corpus, n, rng)
    margin = unsure(corpus, code(corpus.samples, "label")).margin
    return np.argsort(np.where(labelled(corpus), 9.0, margin), kind="stable")[:n]


def k_center(corpus: Corpus, n: int, rng: np.random.Generator) -> np.ndarray:
    """One after the other the farthest from all before (Sener & Savarese 2018); the first at random."""
    rows = np.flatnonzero(labelled(corpus)).tolist()
    chosen = [] if rows else [int(rng.integers(len(corpus.vectors)))]
    distance = np.full(len(corpus.vectors), 9.0)
    for row in rows or chosen:
        distance = np.minimum(distance, 1.0 - corpus.vectors @ corpus.vectors[row])
    while len(chosen) < n:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, 1.0 - corpus.vectors @ corpus.vectors[chosen[-1]])
    return np.array(chosen)


def lightly(corpus: Corpus, n: int, typicality: bool = False, margin: bool = False) -> np.ndarray:
    """LightlyStudio's selection: diversity of strength 1, and a weight of strength 1 beside it."""
    import lightly_mundig

    selection = lightly_mundig.Selection()
    selection.add_diversifying_strategy(
        embeddings=corpus.vectors, strength=1.0, stopping_condition_minimum_distance=None
    )
    before = np.flatnonzero(labelled(corpus)).tolist()
    if typicality:
        weights = lightly_mundig.Typicality(embeddings=corpus.vectors).calculate_typicality(num_nearest_neighbors=20)
        selection.add_weighting_strategy(weights=np.array(weights, dtype=np.float32), strength=1.0)
    if margin and before:
        weights = 1.0 - unsure(corpus, code(corpus.samples, "label")).margin
        selection.add_weighting_strategy(weights=weights.astype(np.float32), strength=1.0)
    found = selection.run_selection(
        preselected_indices=before, n_total_samples=len(corpus.vectors), n_samples_to_select=len(before) + n
    )
    return np.array(found[len(before) :])


if __name__ == "__main__":
    main(*sys.argv[1:])
