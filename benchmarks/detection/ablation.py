"""What each step and each constant of the label model earns: the trials without it, one after the other.

    python benchmarks/detection/ablation.py [--trials digits,cora] [--steps junk,floor] [--seeds 7]

Wrong labels are those of `label_noise.py`: moved to classes that are confused, and given by simulated annotators; or
those of one class (3 called 8); or none where a class holds some of all others; or moved where classes are small: of
5, 12 or 25 samples each, or of any size up to 40 with most of them smaller than 7 (a long tail).

The probe and the vote of a trial are computed once; then the model judges them as it is, and without one step at a time
("without" a draw or a bound means that it is set to where it does nothing). Of each, over the trials:

    AP         average precision, the mean
    AP few     the same, where classes are small
    number     |log₂(flagged ÷ wrong)|, the mean over trials with wrong labels: 1 is twice as many or half as many
    clean      share of right labels flagged where none is wrong, per mille, the greatest
    sure       of what is called at least 85% sure, how much is wrong, over all trials
    Brier      mean squared error of the chance that a label is wrong, per mille
    held       trials whose interval holds the truth
    width      mean width of the interval, in hundredths

Writes benchmarks/results/ablation.json.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from annotators import annotate
from graph import exact_corpus
from label_noise import digits, moved
from sklearn.metrics import average_precision_score
from vectors import load

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from assay.metrics.corpus import Corpus, cases_frame
from assay.metrics.labels import beliefs, confident, mixture, noise, rate
from assay.metrics.labels.beliefs import Beliefs

RESULTS = ROOT / "benchmarks/results/ablation.json"
TRIALS = {  # how wrong labels are given, and their shares
    "digits": [*(("moved", share) for share in (0.0, 0.01, 0.05)), ("one class", 0.2), ("junk", 0.0)],
    "cora": [("moved", 0.0), ("moved", 0.05), ("annotators", 0.1)],
    "caltech10": [("moved", 0.0), ("moved", 0.02), ("annotators", 0.09), ("annotators", 0.4)],
    "banking77": [("moved", 0.0), ("moved", 0.05), ("annotators", 0.09), ("annotators", 0.4)],
    "caltech101": [],
}
SMALL = {  # classes, and the shares of wrong labels
    "digits": [("5", 0.0), ("5", 0.08), ("12", 0.05), ("25", 0.0), ("25", 0.08)],
    "cora": [("5", 0.0), ("5", 0.08), ("25", 0.0), ("25", 0.08)],
    "caltech10": [("5", 0.0), ("5", 0.08), ("25", 0.0), ("25", 0.08)],
    "banking77": [("5", 0.0), ("5", 0.08), ("tail", 0.0), ("tail", 0.08)],
    "caltech101": [("5", 0.0), ("5", 0.08), ("tail", 0.0), ("tail", 0.08)],
}
TOWERS = ("strong", "middling", "weak")


@dataclass(frozen=True)
class Trial:
    """What the vectors say of labels, which of these are wrong (n,), and whether classes are small."""

    name: str
    beliefs: Beliefs
    wrong: np.ndarray
    is_small: bool


def alone(kept: str) -> Callable[[Beliefs], Beliefs]:
    """Beliefs of which probe or vote says nothing."""

    def change(of: Beliefs) -> Beliefs:
        even = np.ones(len(of.case)) / np.bincount(of.case, minlength=len(of.unit))[of.case]
        return replace(of, **{"vote" if kept == "probe" else "probe": even})

    return change


def mean_powers(of: mixture.Terms, *_: Any) -> np.ndarray:
    """Probe and vote weigh alike."""
    return mixture.START


def one_way(of: mixture.Terms) -> list[mixture.Fit]:
    """The profile of the likelihood without the way back from a second summit."""
    fits, found = [], mixture.start(of)
    for share in rate.RATES:
        found = mixture.fit(of, share, found)
        fits.append(found)
        if max(fit.likelihood for fit in fits) - found.likelihood > rate.HOPELESS / of.weight.sum():
            break
    return fits


def unmatched(of: Beliefs, posterior: np.ndarray, *_: Any) -> np.ndarray:
    """Confidences as the mixture has them."""
    return posterior


STEPS: dict[str, tuple[Any, str, Any] | Callable[[Beliefs], Beliefs]] = {
    "probe alone, no vote": alone("probe"),
    "vote alone, no probe": alone("vote"),
    "powers of probe and vote: fitted": (mixture, "likeliest_powers", mean_powers),
    "the vote is heard at least half (HEARD)": (mixture, "HEARD", 0.0),
    "a class's own rate of wrong labels (HELD)": (mixture, "HELD", (1e6,)),
    "draw of the rates as likeliest, not fixed": (mixture, "HELD", (100.0,)),
    "draw of the directions as likeliest, not fixed": (mixture, "PULLS", (100.0,)),
    "wrong labels go where the vectors confuse (CONFUSED)": (mixture, "CONFUSED", 0.0),
    "two summits of the likelihood": (rate, "profile", one_way),
    "prior of the rate (USUAL)": (rate, "USUAL", 1e9),
    "the floor of the surest": (rate, "floor_losses", lambda *_: np.r_[0.0, np.full(len(rate.RATES) - 1, 1e9)]),
    "what the likelihood and the floor do not see (HIDDEN)": (rate, "HIDDEN", 1.0),
    "contradicting copies": (rate, "contradicted", lambda _: 0.0),
    "few labels a class (FEW_LABELS)": (rate, "FEW_LABELS", 0.0),
    "junk classes (JUNK)": (noise, "without_junk", lambda _, posterior, rate: posterior),
    "rounds of the last fit, 6": (noise, "ROUNDS", 1),
    "confidences add up to the rate (prior shift)": (noise, "matched", unmatched),
    "small classes are judged less (evidence)": (confident, "evidence", lambda of: np.ones(len(of.unit))),
    "6,000 cases tell the rate (all)": (rate, "SEARCH_LIMIT", 10**9),
    "6,000 cases tell the rate (1,500)": (rate, "SEARCH_LIMIT", 1_500),
}


def trials(names: list[str], seeds: list[int]) -> Iterator[Trial]:
    """All of the datasets, of each the beliefs of its labels."""
    for seed in seeds:
        for name in names:
            for tower in TOWERS if name == "digits" else ("",):
                vectors, truth = digits(tower, seed) if tower else load(name)
                truth = np.unique(truth, return_inverse=True)[1]
                corpus = exact_corpus(vectors)
                for how, share in TRIALS[name] + SMALL[name]:
                    is_small = (how, share) in SMALL[name]
                    some, true = few(vectors, truth, how, seed) if is_small else (corpus, truth)
                    labels, true, k = noisy("moved" if is_small else how, name, some, true, share, seed)
                    found = beliefs.believe(some, cases_frame(some, labels.astype(np.int32)), k, 5, 0)
                    yield Trial(f"{name} {tower} {how} {share:g} {seed}", found, labels != true, is_small)


def few(vectors: np.ndarray, truth: np.ndarray, how: str, seed: int) -> tuple[Corpus, np.ndarray]:
    """So many samples a class, or a long tail of sizes, and their classes."""
    k, order = int(truth.max()) + 1, np.random.default_rng(seed).permutation(len(truth))
    size = np.minimum(np.random.default_rng(seed).geometric(0.15, k), 40) if how == "tail" else np.full(k, int(how))
    rows = np.sort(np.concatenate([order[truth[order] == code][: size[code]] for code in range(k)]))
    return exact_corpus(vectors[rows]), truth[rows]


def noisy(
    how: str, name: str, corpus: Corpus, truth: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """`(labels, true classes, how many)`."""
    k, rng = int(truth.max()) + 1, np.random.default_rng(seed)
    if how == "annotators":
        return annotate(name, truth, share, seed), truth, k
    if how == "one class":
        return np.where((truth == 3) & (rng.random(len(truth)) < share), 8, truth), truth, k
    if how == "junk":
        truth = np.where(rng.random(len(truth)) < 0.05, k, truth)
        return truth, truth, k + 1
    return moved(corpus, truth, share, k, seed), truth, k


def judged(trial: Trial, step: str | None) -> dict[str, float]:
    """What the model says of a trial without a step; of all of it by default."""
    change = STEPS[step] if step else None
    of, patched = trial.beliefs, contextlib.nullcontext()
    if callable(change):
        of = change(of)
    elif change is not None:
        patched = mock.patch.object(*change)
    began = time.process_time()
    with patched:
        found = confident.find(of)
    wrong, given = trial.wrong, of.given
    stands = np.zeros(len(given))
    np.add.at(stands, np.arange(len(given)), of.of_given(found.model.posterior))
    sure = found.is_issue & (found.confidence >= 0.85)
    return {
        "ap": float(average_precision_score(wrong, found.score)) if wrong.any() else float("nan"),
        "is_small": trial.is_small, "flagged": int(found.is_issue.sum()), "wrong": int(wrong.sum()), "n": len(wrong),
        "sure": int(sure.sum()), "sure_wrong": int(wrong[sure].sum()),
        "brier": float(np.mean(((1.0 - stands) - wrong) ** 2)),
        "low": found.model.low, "high": found.model.high, "seconds": time.process_time() - began,
    }  # fmt: skip


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """One line of the table."""
    some = [row for row in rows if row["wrong"]]
    ratio = [abs(np.log2(max(row["flagged"], 0.5) / row["wrong"])) for row in some]
    return {
        "AP": _mean(row["ap"] for row in some if not row["is_small"]),
        "AP few": _mean(row["ap"] for row in some if row["is_small"]),
        "number": float(np.mean(ratio)),
        "clean": 1000 * max((row["flagged"] / row["n"] for row in rows if not row["wrong"]), default=0.0),
        "sure": sum(row["sure_wrong"] for row in rows) / max(sum(row["sure"] for row in rows), 1),
        "Brier": 1000 * float(np.mean([row["brier"] for row in rows])),
        "held": sum(row["low"] - 5e-4 <= row["wrong"] / row["n"] <= row["high"] + 5e-4 for row in rows),
        "width": 100 * float(np.mean([row["high"] - row["low"] for row in rows])),
        "seconds": float(np.mean([row["seconds"] for row in rows])),
    }


def _mean(values: Iterable[float]) -> float:
    """NaN of none."""
    return float(np.mean(list(values) or [np.nan]))


def line(name: str, found: dict[str, float]) -> str:
    """As Markdown."""
    digits = {"AP": 3, "AP few": 3, "number": 2, "clean": 1, "sure": 2, "Brier": 2, "held": 0, "width": 1, "seconds": 1}
    return " | ".join([f"| {name}", *(f"{found[column]:.{places}f}" for column, places in digits.items())]) + " |"


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", default=",".join(TRIALS))
    parser.add_argument("--steps", default=",".join(STEPS), help="whole names, parted by commas that no name has")
    parser.add_argument("--seeds", default="7,8,9")
    chosen = parser.parse_args()
    steps = [step for step in STEPS if any(part in step for part in chosen.steps.split(","))]
    rows: dict[str, list[dict[str, float]]] = {"as it is": [], **{step: [] for step in steps}}
    for trial in trials(chosen.trials.split(","), [int(seed) for seed in chosen.seeds.split(",")]):
        for step, found in rows.items():
            found.append({"trial": trial.name, **judged(trial, None if step == "as it is" else step)})
        print(f"  {trial.name}: AP {rows['as it is'][-1]['ap']:.3f}", file=sys.stderr, flush=True)
    RESULTS.write_text(json.dumps({step: summary(found) for step, found in rows.items()}, indent=1), encoding="utf-8")
    print(f"{len(rows['as it is'])} trials\n")
    print("| without | AP | AP few | number | clean | sure | Brier | held | width | seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for step, found in rows.items():
        print(line(step, summary(found)))


if __name__ == "__main__":
    main()
