"""How a model does on a snapshot, and what its errors have to do with the data: from predictions that were brought."""

from typing import Any

import numpy as np
import polars as pl

from assay.contracts.metrics import described
from assay.reading.catalog import Category, Number, encode, floats
from assay.reading.columns import View

BINS = 10  # of the calibration curve
LEAST = 5  # samples of a class, issue or group that is spoken of
MOST_LINES = 200
SAYS = 4  # sentences


def outcome(view: View) -> Category:
    """Each sample as right or wrong by its given label; null where it has no label or no prediction."""
    label, predicted = view.category("label"), view.category("predicted")
    names = label.objects()
    others = predicted.objects()
    known = (label.codes >= 0) & (predicted.codes >= 0)
    same = names[label.codes] == others[predicted.codes]
    return Category(np.where(known, np.where(same, 0, 1), -1).astype(np.int32), ["right", "wrong"])


def evaluation(view: View, mask: np.ndarray) -> dict[str, Any]:
    """Accuracy, confusions, classes, calibration, and the errors by kind of issue and by group.

    Args:
        mask: the samples that are looked at, bool of shape (n,).

    Raises:
        KeyError: no predictions were brought.
    """
    found = view.category("outcome")
    rows = np.flatnonzero(mask & (found.codes >= 0))
    wrong = found.codes[rows] == 1
    lines = _classes(view, rows, wrong)
    issues = _by_issue(view, rows, wrong)
    return {
        "n": len(rows), "missing": int(mask.sum()) - len(rows), "errors": int(wrong.sum()),
        "accuracy": float(1 - wrong.mean()) if len(rows) else None,
        "confusion": _confusion(view, rows[wrong]), "classes": lines, "calibration": _calibration(view, rows, wrong),
        "issues": issues, "groups": _by_group(view, rows, wrong), "says": _sentences(view, rows, wrong, issues),
    }  # fmt: skip


def _named(column: Category, rows: np.ndarray) -> list[str]:
    return [column.names[code] for code in column.codes[rows]]


def _confusion(view: View, rows: np.ndarray) -> list[tuple[str, str, int]]:
    """`(given, predicted, n)` of the errors, the most frequent first."""
    label, predicted = (_named(view.category(key), rows) for key in ("label", "predicted"))
    pairs = pl.DataFrame({"given": label, "other": predicted}, schema={"given": pl.String, "other": pl.String})
    counted = pairs.group_by("given", "other").len().sort(["len", "given", "other"], descending=[True, False, False])
    return counted.head(2_000).rows()


def _classes(view: View, rows: np.ndarray, wrong: np.ndarray) -> list[dict[str, Any]]:
    """Recall and precision of each class, the most errors first."""
    frame = pl.DataFrame({
        "label": _named(view.category("label"), rows), "predicted": _named(view.category("predicted"), rows),
        "wrong": wrong,
    }, schema={"label": pl.String, "predicted": pl.String, "wrong": pl.Boolean})  # fmt: skip
    recall = frame.group_by("label").agg(pl.len().alias("n"), pl.col("wrong").sum().alias("errors"),
                                         (1 - pl.col("wrong").mean()).alias("recall"))  # fmt: skip
    precision = frame.group_by(pl.col("predicted").alias("label")).agg((1 - pl.col("wrong").mean()).alias("precision"))
    joined = recall.join(precision, on="label", how="left")
    return joined.sort(["errors", "n", "label"], descending=[True, True, False]).head(MOST_LINES).to_dicts()


def _calibration(view: View, rows: np.ndarray, wrong: np.ndarray) -> dict[str, Any] | None:
    """Accuracy by how sure the model is, and the expected calibration error; None without probabilities.

    Guo et al. 2017: ECE = Σ_b n_b / n · |accuracy_b − mean probability_b|.
    """
    sure = view.number("probability")[rows]
    known = np.isfinite(sure)
    if not known.any():
        return None
    sure, right = sure[known].astype(np.float64), ~wrong[known]
    place = np.minimum((sure * BINS + 1e-6).astype(int), BINS - 1)  # in single precision 0.7 is a little less
    bins = [
        {"low": b / BINS, "n": int((place == b).sum()), "sure": float(sure[place == b].mean()),
         "right": float(right[place == b].mean())}
        for b in range(BINS) if (place == b).any()
    ]  # fmt: skip
    error = sum(b["n"] * abs(b["right"] - b["sure"]) for b in bins) / len(sure)
    return {"bins": bins, "error": error, "sure": float(sure.mean()), "right": float(right.mean())}


def _by_issue(view: View, rows: np.ndarray, wrong: np.ndarray) -> list[dict[str, Any]]:
    """For each kind of issue: how many of the errors have it, and how often the model errs with and without it."""
    lines = []
    for metric in view.flags():
        flagged = view.issue(metric)[rows]
        if flagged.sum() < LEAST or (~flagged).sum() < LEAST or not (flagged & wrong).any():
            continue
        lines.append({
            "metric": metric, "title": described(metric).title, "n": int(flagged.sum()),
            "errors": int((flagged & wrong).sum()),
            "share": float((flagged & wrong).sum() / wrong.sum()), "rate": float(wrong[flagged].mean()),
            "elsewhere": float(wrong[~flagged].mean()),
        })  # fmt: skip
    return sorted(lines, key=lambda line: -line["errors"])


def _by_group(view: View, rows: np.ndarray, wrong: np.ndarray) -> list[dict[str, Any]]:
    """Error rates by split and by the values of the source's further columns, the worst first."""
    lines = []
    names = [entry for entry in view.catalog() if entry["kind"] == "category"]
    keys = [entry["key"] for entry in names if entry["page"] == "column" or entry["key"] == "split"]
    for key in keys:
        column = view.category(key)
        if len(column.names) > MOST_LINES:
            continue
        for code, name in enumerate(column.names):
            here = column.codes[rows] == code
            if here.sum() >= LEAST:
                lines.append({"key": key, "column": key.removeprefix("columns."), "value": name,
                              "n": int(here.sum()), "rate": float(wrong[here].mean())})  # fmt: skip
    return sorted(lines, key=lambda line: (-line["rate"], -line["n"]))[:MOST_LINES]


def _sentences(view: View, rows: np.ndarray, wrong: np.ndarray, issues: list[dict[str, Any]]) -> list[str]:
    """What the errors have in common, in words: over all, and in the worst classes."""
    says = [
        f"{_share(line['share'])} of the errors have the issue “{line['title'].lower()}”; the model errs on "
        f"{_percent(line['rate'])} of such samples and on {_percent(line['elsewhere'])} of the others."
        for line in issues if line["rate"] > 1.5 * line["elsewhere"] and line["share"] >= 0.1
    ]  # fmt: skip
    if "label_issue" in view.flags() and wrong.any():
        suspect = view.issue("label_issue")[rows]
        label = view.category("label")
        codes = label.codes[rows]
        for code in np.unique(codes[wrong]):
            here = wrong & (codes == code)
            share = float(suspect[here].mean())
            if here.sum() >= LEAST and share >= 0.25:
                says.append(f"{_share(share)} of the errors on “{label.names[code][:60]}” are labels that look wrong.")
    return says[:SAYS]


def _share(share: float) -> str:
    words = ((0.95, "Nearly all"), (0.7, "Three quarters"), (0.6, "Two thirds"), (0.45, "Half"), (0.3, "A third"))
    return next((word for least, word in words if share >= least), f"{100 * share:.0f}%")


def _percent(share: float) -> str:
    """As the page writes it (`percent` of words.js): 0% and 100% are said of none and all alone."""
    if not 0 < share < 1:
        return f"{100 * share:.0f}%"
    shown = f"{100 * share:.{1 if share < 0.1 or share > 0.99 else 0}f}"
    return {"0.0": "under 0.1%", "100.0": "over 99.9%"}.get(shown, f"{shown}%")


def read_predicted(view: View) -> tuple[Category, Number]:
    """The columns `predicted` and `probability`. Raises `KeyError` where no predictions were brought."""
    brought = view.predictions()
    if brought is None:
        raise KeyError("there are no predictions")
    values = view.spread(brought["sample_id"], floats(brought["probability"]), np.nan)
    return encode(view, brought["sample_id"], brought["predicted"]), Number(values)
