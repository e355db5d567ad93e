"""What is said of labels some of which are wrong: on vectors that tell the classes well, middlingly and badly.

    python benchmarks/detection/label_noise.py [--towers strong,middling,weak] [--rates 0,0.005,0.01,0.02,0.05,0.1]
    python benchmarks/detection/label_noise.py --datasets caltech10 [--annotators]

Labels of scikit-learn's digits are moved to the classes that are confused with them, or given by simulated annotators;
`--datasets` takes vectors of `vectors.py` instead. A row a trial: the estimate with its interval, how many are flagged
and how many are wrong, how many are called at least 85% sure and how many of these are wrong, and average precision
beside that of 1 − p(given) of the same probe.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from annotators import annotate
from graph import exact_corpus
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score
from vectors import load

from assay.metrics import probe
from assay.metrics.corpus import Corpus, cases_frame
from assay.metrics.labels import beliefs, confident

GREY = {"strong": 0.0, "middling": 6.0, "weak": 10.0}  # levels of noise on the 16 of a pixel


def digits(tower: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`(vectors (n, 64), true classes)` of the digits as a tower of some strength sees them."""
    pixels, truth = load_digits(return_X_y=True)
    seen = (pixels - 8 + GREY[tower] * np.random.default_rng(seed).standard_normal(pixels.shape)) / 40
    return (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32), truth.astype(np.int64)


def given_probabilities(corpus: Corpus, labels: np.ndarray, k: int) -> np.ndarray:
    """(n, k) out-of-fold probabilities of the probe alone."""
    n = len(labels)
    folds = probe.stratified_folds(labels, 5, 0)
    problem = probe.Problem(probe.principal_axes(corpus.vectors), np.arange(n), labels, np.ones(n), folds, k, 5)
    logits = probe.out_of_fold(problem, probe.choose_penalty(problem))
    return torch.softmax(torch.from_numpy(logits / probe.fit_temperature(logits, problem)), 1).numpy()


def moved(corpus: Corpus, truth: np.ndarray, rate: float, k: int, seed: int) -> np.ndarray:
    """Labels of which a share is moved to classes that the probe confuses with the true one."""
    chances = given_probabilities(corpus, truth, k)
    confused = np.stack([chances[truth == label].mean(axis=0) for label in range(k)]).astype(np.float64)
    np.fill_diagonal(confused, 0.0)
    confused /= confused.sum(axis=1, keepdims=True)
    rng, labels = np.random.default_rng(100 + seed), truth.copy()
    for row in rng.permutation(len(truth))[: round(rate * len(truth))]:
        labels[row] = rng.choice(k, p=confused[truth[row]])
    return labels


def trial(name: str, corpus: Corpus, truth: np.ndarray, labels: np.ndarray, k: int) -> str:
    """One row."""
    found = confident.find(beliefs.believe(corpus, cases_frame(corpus, labels.astype(np.int32)), k, 5, 0))
    chances, wrong = given_probabilities(corpus, labels, k), labels != truth
    sure = found.is_issue & (found.confidence >= 0.85)
    right = wrong[sure].mean() if sure.any() else float("nan")
    ranked = ""
    if wrong.any():
        plain = average_precision_score(wrong, 1 - chances[np.arange(len(labels)), labels])
        ranked = f"AP {average_precision_score(wrong, found.score):.3f}, of 1 - p(given) {plain:.3f}"
    model = found.model
    return (
        f"{name:24} wrong {100 * wrong.mean():5.2f}%  estimate {100 * model.rate:5.2f} ({100 * model.low:.2f} to "
        f"{100 * model.high:.2f})  flagged {found.is_issue.sum():5} of {wrong.sum():5}  sure {sure.sum():4}, wrong "
        f"{right:.2f}  {ranked}"
    )


def trials(chosen: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """`(name, vectors, true classes)` of each."""
    if chosen.datasets:
        for name in chosen.datasets.split(","):
            vectors, strings = load(name)
            yield name, vectors, np.unique(strings, return_inverse=True)[1]
        return
    for tower in chosen.towers.split(","):
        yield tower, *digits(tower, chosen.seed)


def main() -> None:
    """Print a row for each trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--towers", default=",".join(GREY))
    parser.add_argument("--datasets", default="")
    parser.add_argument("--annotators", action="store_true", help="mistakes as simulated annotators make them")
    parser.add_argument("--rates", default="0,0.005,0.01,0.02,0.05,0.1")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    for name, vectors, truth in trials(chosen):
        corpus, k = exact_corpus(vectors), int(truth.max()) + 1
        for rate in map(float, chosen.rates.split(",")):
            if chosen.annotators:
                labels = annotate(name, truth, rate, chosen.seed)
            else:
                labels = moved(corpus, truth, rate, k, chosen.seed)
            print(trial(name, corpus, truth, labels, k), flush=True)


if __name__ == "__main__":
    main()
