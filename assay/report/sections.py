"""The sections of the report, as plain values for the template: what to show, worst first, and how many."""

from typing import Any

import polars as pl

from assay.contracts.metrics import described, in_order
from assay.reading.doubt import untold
from assay.reading.report import Tables, collect

LABEL_CARDS = 24
METRIC_CARDS = 12
FARTHEST = 8
GROUPS = 12
OVER_REPRESENTED = 4  # issues named beside a group
GROUP_MEMBERS = 6
PAIRS = 12
CLASS_ROWS = 200
NOISE_ROWS = 12
ANNOTATOR_ROWS = 100
MATRIX_CLASSES = 20
REJECT_EXAMPLES = 5

OWN_SECTION = ("label_issue", "duplicate", "leak")
TIERS = {
    "bytes": "same bytes",
    "pixels": "same pixels",
    "text": "same text",
    "perceptual": "the same picture, re-encoded or resized",
    "minhash": "the same words but for errors of typing",
    "altered": "the same picture, cropped, resized, re-encoded or relit",
    "mirrored": "the same picture, mirrored",
    "rotated": "the same picture, turned",
    "embedding": "nearly the same",
    "contained": "one stands in the other",
    "waveform": "the same samples in another file",
}


def label_issues(tables: Tables, numbers: dict[str, dict[str, Any]], are_sets: bool = False) -> dict[str, Any]:
    """The most suspicious labels with what they are more likely to be, or a note of why none was judged; sets are not
    confused with one another."""
    frame = tables.scan("label_issues").filter(pl.col("is_issue") & pl.col("label").is_not_null())
    flagged = collect(frame)
    worst = flagged.sort("score", "sample_id", descending=[True, False]).head(LABEL_CARDS)
    labelled = collect(tables.scan("label_issues").select(pl.col("label").is_not_null().sum())).item()
    matrix = confusion(flagged.clear() if are_sets else flagged)
    note = numbers.get("label_issues_note", {}).get("note")
    return {
        "total": len(flagged),
        "labelled": labelled,
        "note": note,
        "untold": untold(tables),
        "rows": worst.to_dicts(),
        "matrix": matrix,
    }


def confusion(flagged: pl.DataFrame) -> dict[str, Any]:
    """Given against suggested label of the flagged samples, in counts."""
    pairs = flagged.drop_nulls("suggested_label").group_by("label", "suggested_label").len("value")
    return matrix(pairs.rename({"suggested_label": "other"}).with_columns(pl.col("value").cast(pl.Float64)))


def noise(tables: Tables) -> dict[str, Any]:
    """The estimated noise matrix, and the share of wrong labels over all classes (None where not estimated)."""
    frame = collect(tables.scan("label_noise"))
    wrong = frame.filter(pl.col("label") != pl.col("true_label"))
    sizes = frame.filter(pl.col("rate") > 0).group_by("label").agg((pl.col("count") / pl.col("rate")).max().alias("n"))
    total = float(sizes["n"].sum())  # the smallest cells are not in the table, but a class's size is in every row
    count = max(total - float(frame.filter(pl.col("label") == pl.col("true_label"))["count"].sum()), 0.0)
    pairs = wrong.filter(pl.col("rate") > 0).select("label", pl.col("true_label").alias("other"), value="rate")
    likely = wrong.filter(pl.col("rate") > 0).sort("count", "label", "true_label", descending=[True, False, False])
    return {
        "rate": count / total if total else None,
        "count": count,
        "matrix": matrix(pairs),
        "rows": likely.head(NOISE_ROWS).to_dicts(),
    }


def matrix(pairs: pl.DataFrame) -> dict[str, Any]:
    """The `MATRIX_CLASSES` labels that matter most in `label, other, value`, as a square of cells."""
    weights = pl.concat([pairs.select("label", "value"), pairs.select(pl.col("other").alias("label"), "value")])
    ranked = weights.group_by("label").agg(pl.col("value").sum()).sort("value", "label", descending=[True, False])
    labels = sorted(ranked["label"].head(MATRIX_CLASSES), key=natural)
    place = {label: i for i, label in enumerate(labels)}
    cells = [
        {"row": place[label], "column": place[other], "value": value, "label": label, "other": other}
        for label, other, value in pairs.sort("label", "other").iter_rows()
        if label in place and other in place
    ]
    highest = max((cell["value"] for cell in cells), default=0.0)
    for cell in cells:
        cell["strength"] = round(0.12 + 0.88 * cell["value"] / highest, 3) if highest else 0.0
    gutter = 24 + 7 * max((min(len(label), 20) for label in labels), default=0)  # pixels for the names
    return {"labels": labels, "cells": cells, "omitted": len(ranked) - len(labels), "gutter": gutter}


def natural(label: str) -> tuple[Any, ...]:
    """Sort key that puts numbers in order of size, before words."""
    return (0, int(label), label) if label.isascii() and label.isdigit() and len(label) < 18 else (1, 0, label)


def metric_galleries(tables: Tables) -> list[dict[str, Any]]:
    """Each kind of issue that has no section of its own: its count, its worst samples, the spread of its scores; in
    the order of their records. Where there are no outliers, the farthest samples stand for them."""
    scores = tables.scan("scores").filter(~pl.col("metric").is_in(OWN_SECTION))
    columns = ("sample_id", "metric", "score", "value")
    flagged = collect(scores.filter(pl.col("is_issue")).select(columns))
    counts = dict(flagged.group_by("metric").len().iter_rows())
    if "outlier" not in counts:
        ranked = scores.filter(pl.col("metric") == "outlier").sort("score", "sample_id", descending=[True, False])
        farthest = collect(ranked.select(columns).head(FARTHEST))
        flagged, counts = pl.concat([flagged, farthest]), counts | ({"outlier": 0} if len(farthest) else {})
    bins = pl.min_horizontal((pl.col("score") * 20).floor(), pl.lit(19)).cast(pl.Int32).alias("bin")
    spread = collect(scores.filter(pl.col("metric").is_in(list(counts))).group_by("metric", bins).len())
    return [_metric_gallery(name, flagged, counts[name], spread) for name in in_order(set(counts))]


def _metric_gallery(metric: str, flagged: pl.DataFrame, total: int, spread: pl.DataFrame) -> dict[str, Any]:
    title, says = described(metric).title, sentence(described(metric).meaning)
    if not total:
        says = "None lies beyond what the spread of the whole leads one to expect; these lie farthest."
    here = flagged.filter(pl.col("metric") == metric)
    worst = here.sort("score", "sample_id", descending=[True, False]).head(METRIC_CARDS)
    counts = dict(spread.filter(pl.col("metric") == metric).select("bin", "len").iter_rows())
    highest = max(counts.values(), default=1)
    bars = [{"x": i, "n": counts.get(i, 0), "height": _height(counts.get(i, 0), highest)} for i in range(20)]
    return {"metric": metric, "title": title, "says": says, "total": total, "rows": worst.to_dicts(), "bars": bars}


def sentence(clause: str) -> str:
    """A clause as a sentence."""
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""


def _height(count: int, highest: int) -> float:
    """Square-root scale, of 30: a lone sample still shows."""
    return round(30 * (count / highest) ** 0.5, 1)


def duplicate_groups(tables: Tables) -> dict[str, Any]:
    """Groups side by side: those that contradict themselves in label first, then the largest."""
    members = collect(tables.scan("duplicates"))
    labels = (
        tables.scan("samples")
        .select("sample_id", "label")
        .filter(pl.col("sample_id").is_in(members["sample_id"].implode()))
    )
    members = members.join(collect(labels), on="sample_id", how="left")
    groups = members.group_by("group_id").agg(
        pl.len().alias("size"),
        (pl.col("label").drop_nulls().n_unique() > 1).alias("conflict"),
        pl.col("similarity").min(),
    )
    ranked = groups.sort("conflict", "size", "group_id", descending=[True, True, False])
    shown = [_group(row, members) for row in spread_out(ranked).iter_rows(named=True)]
    tiers = members.filter(~pl.col("keep")).group_by("tier").len().sort("len", "tier", descending=[True, False])
    return {
        "total": len(groups),
        "redundant": int((~members["keep"]).sum()),
        "with_copies": members.filter(~pl.col("keep"))["group_id"].n_unique(),
        "tiers": [{"name": TIERS.get(tier, tier), "n": n} for tier, n in tiers.iter_rows()],
        "groups": shown,
    }


def spread_out(ranked: pl.DataFrame) -> pl.DataFrame:
    """A third of the groups from the top, the rest evenly over all: near ones are more telling than exact ones."""
    top = ranked.head(GROUPS // 3)
    rest = ranked.slice(len(top)).sort("similarity", "group_id").head(GROUPS - len(top))
    return pl.concat([top, rest])


def _group(row: dict[str, Any], members: pl.DataFrame) -> dict[str, Any]:
    here = members.filter(pl.col("group_id") == row["group_id"])
    ordered = here.sort("keep", "similarity", "sample_id", descending=[True, True, False])
    shown = [dict(m, how=TIERS.get(m["tier"], m["tier"])) for m in ordered.head(GROUP_MEMBERS).to_dicts()]
    return {"size": row["size"], "conflict": row["conflict"], "members": shown}


def leak_pairs(tables: Tables, numbers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Leaks by pair of splits: which share of either stands in the other, how many pairs, and the most similar ones."""
    leaks = collect(tables.scan("leaks"))
    swap = pl.col("split") > pl.col("other_split")
    pairs = leaks.with_columns(
        a=pl.when(swap).then("other_split").otherwise("split"), b=pl.when(swap).then("split").otherwise("other_split")
    )
    out = []
    for (a, b), rows in sorted(pairs.group_by("a", "b"), key=lambda item: (-len(item[1]), item[0])):
        ids = pl.concat([rows["sample_id"], rows["other_id"]]).n_unique()
        shown = rows.sort("similarity", "sample_id", "other_id", descending=[True, False, False]).head(PAIRS).to_dicts()
        for row in shown:
            row["how"] = TIERS.get(row["tier"], row["tier"])
        shares = [(one, other, leakage(numbers, one, other)) for one, other in ((a, b), (b, a))]
        shares.sort(key=lambda share: -(share[2] or 0.0))
        out.append({"a": a, "b": b, "n": len(rows), "n_samples": ids, "rows": shown, "shares": shares})
    return {"total": len(leaks), "pairs": out[:12]}


def leakage(numbers: dict[str, dict[str, Any]], split: str, other: str) -> float | None:
    """The share of one split's samples that have a copy in the other."""
    return numbers.get(f"leakage:{split}→{other}", {}).get("value")


def classes(tables: Tables) -> dict[str, Any]:
    """The class table: the noisiest first, then the largest."""
    frame = collect(tables.scan("classes")).with_columns((pl.col("noise").fill_null(0.0) * pl.col("n")).alias("wrong"))
    ranked = frame.sort("wrong", "n", "label", descending=[True, True, False], nulls_last=True)
    rows = ranked.head(CLASS_ROWS).to_dicts()
    if len(rows) <= 30:
        rows.sort(key=lambda row: natural(row["label"]))
    largest = max((row["n"] for row in rows), default=1) or 1
    return {"total": len(frame), "rows": rows, "largest": largest}


def group_rows(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """The most common values of each group column, each with the issues that are far more frequent there."""
    frame = collect(tables.scan("groups")).sort("column", "n", "value", descending=[False, True, False])
    more = collect(more_frequent(tables.scan("group_issues")))
    found = {key: rows.head(OVER_REPRESENTED).to_dicts() for key, rows in more.group_by("column", "value")}
    groups = {}
    for (column,), rows in frame.group_by("column", maintain_order=True):
        shown = rows.head(12).to_dicts()
        groups[column] = [row | {"more": found.get((column, row["value"]), [])} for row in shown]
    return groups


def more_frequent(issues: pl.LazyFrame) -> pl.LazyFrame:
    """The issues of a group that are twice as frequent as elsewhere, beyond chance (three standard errors of the count
    that the rate elsewhere leads one to expect), the most frequent first."""
    size = pl.col("n_issues") / pl.col("rate")
    expected = size * pl.col("rate_elsewhere").fill_null(1.0)
    far = pl.col("n_issues") > expected + 3 * (expected + 1).sqrt()
    chosen = issues.filter((pl.col("n_issues") > 0) & (pl.col("rate") >= 2 * pl.col("rate_elsewhere")) & far)
    return chosen.sort("column", "value", "rate", "metric", descending=[False, False, True, False])


def annotators(tables: Tables) -> dict[str, Any]:
    """Who labelled how much and errs how often, the worst first; and the contents on which several disagree."""
    frame = collect(tables.scan("annotators"))
    ranked = frame.sort("error_rate", "n", "annotator", descending=[True, True, False], nulls_last=True)
    shared = collect(
        tables.scan("consensus").select(pl.len().alias("n"), (pl.col("agreement") < 1).sum().alias("torn"))
    )
    return {"total": len(frame), "rows": ranked.head(ANNOTATOR_ROWS).to_dicts(), **shared.row(0, named=True)}


def rejects(tables: Tables) -> dict[str, Any]:
    """What was not carried on, by stage and reason, with examples."""
    frame = collect(tables.scan("rejects").with_columns(pl.col("detail").str.slice(0, 200)))
    reasons = []
    for (stage, reason), rows in frame.group_by("stage", "reason"):
        examples = rows.sort("uri", "detail", nulls_last=True).head(REJECT_EXAMPLES).to_dicts()
        reasons.append({"stage": stage, "reason": reason.replace("_", " "), "n": len(rows), "examples": examples})
    reasons.sort(key=lambda item: (-item["n"], item["stage"], item["reason"]))
    return {"total": len(frame), "reasons": reasons}


def changes(tables: Tables) -> dict[str, Any]:
    """What the `diff` table says: counts by change, and by metric issues that are new or are none any more."""
    counted = collect(tables.scan("diff").group_by("change", "metric").len())
    by_change = dict(counted.group_by("change").agg(pl.col("len").sum()).iter_rows())
    metrics: dict[str, dict[str, int]] = {}
    for change, metric, n in counted.filter(pl.col("metric") != "").sort("metric", "change").iter_rows():
        metrics.setdefault(metric, {})[change] = n
    return {"counts": by_change, "metrics": metrics}


SHOWN_COVERAGES = (0.5, 0.8, 0.9, 1.0)


def proposal_curves(tables: Tables, numbers: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """For each column with gaps: how many got a proposal and how many none, and the measured precision of proposals
    at each coverage, as points of a 200 × 100 drawing and as figures."""
    frame = collect(tables.scan("proposal_quality")).drop_nulls("precision").sort("column", "coverage")
    counts = collect(
        tables.scan("proposals").group_by("column").agg(pl.col("proposed").count().alias("n"), pl.len().alias("gaps"))
    )
    curves = []
    for column, n, gaps in counts.sort("column").iter_rows():
        rows = frame.filter((pl.col("column") == column) & (n > 0))  # of nothing proposed a precision says nothing
        points = " ".join(f"{200 * c:.1f},{100 - 100 * p:.1f}" for c, p in rows["coverage", "precision"].iter_rows())
        told = rows.filter(pl.col("coverage").round(2).is_in(SHOWN_COVERAGES)).to_dicts()
        tolerance = numbers.get(f"proposal_tolerance:{column}", {}).get("value")
        curves.append({"column": column, "points": points, "n": n, "abstains": gaps - n, "rows": told,
                       "tolerance": tolerance})  # fmt: skip
    return curves


WORTH = {
    "raw": "As it is",
    "deduplicated": "Duplicates and leaks removed",
    "flagged_dropped": "… and suspicious labels dropped",
    "flagged_replaced": "… or replaced by the suggestion",
}


def worth(numbers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What acting on the findings is worth: a row per step, and the surest gain in a sentence."""

    def value(metric: str) -> float | None:
        return numbers.get(f"worth_{metric}", {}).get("value")

    rows = []
    for step, title in WORTH.items():
        accuracy, keys = value(f"accuracy_{step}"), ("", "_low", "_high")
        if accuracy is not None:
            gain = dict(zip(("gain", "low", "high"), (value(f"gain_{step}{key}") for key in keys), strict=True))
            note = numbers[f"worth_accuracy_{step}"]["note"]
            rows.append({"step": step, "title": title, "value": accuracy, "note": note, **gain})
    return {"rows": rows, "says": in_words(rows)}


def in_words(rows: list[dict[str, Any]]) -> str:
    """The best of the label repairs, as mistakes avoided in a thousand, or that none can be told from chance."""
    raw = next((row["value"] for row in rows if row["step"] == "raw"), None)
    judged = [row for row in rows if row["low"] is not None]
    if raw is None or not judged:
        return ""
    best = max(judged, key=lambda row: row["low"])
    before, after = round(1000 * (1 - raw)), round(1000 * (1 - best["value"]))
    if best["low"] <= 0:
        return f"No step changes the {before} mistakes in 1,000 by more than chance would."
    done = {"deduplicated": "removing duplicates and leaks", "flagged_dropped": "dropping the suspicious labels too",
            "flagged_replaced": "taking the suggested labels too"}[best["step"]]  # fmt: skip
    return (
        f"A model trained on the data as it is makes {before} mistakes in 1,000 on samples that it has not seen; "
        f"after {done} it makes {after}."
    )


# metric or prefix: title, how its number is written, what it says
DATASET = {
    "label_probe_accuracy": ("Labels that the vectors tell", "share", "by a linear probe that was not trained on them"),
    "label_knn_accuracy": ("Labels that the neighbours tell", "share", "by their weighted vote"),
    "silhouette": ("Separability", "number", "of the classes: 1 far apart, 0 touching, below 0 mixed"),
    "neighbor_purity": ("Neighbours of one class", "share", "mean over the labelled samples"),
    "class_overlap": ("Class overlap", "share", "of the neighbours' votes that go to the class most confused with"),
    "class_imbalance": ("Imbalance", "number", "0: classes of one size; towards 1: nearly all in one class"),
    "vendi_score": ("Diversity", "number", ""),
    "coverage_gaps": ("Samples alone in a gap", "share", "far from any other"),
    "coverage:": ("Covered", "share", ""),
    "order_gap_ratio": ("Drift along the file", "number", ""),
    "order_within_class_gap_ratio": ("Drift within classes", "number", ""),
    "spurious:": ("Label told by", "share", "of what a guess gets wrong, this property alone gets right"),
    "worst_group_gap:": ("Worst group of", "share", ""),
    "annotator_alpha": ("Annotators agree", "number", ""),
}
SPURIOUS = 0.1  # share from which a property is worth a warning
DRIFTS = 0.01  # p-value below which the order of the file is no accident


def dataset_facts(numbers: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What is true of the dataset as a whole, in words: the rows of `dataset_metrics` that need no other section."""
    facts = []
    for key, (title, kind, says) in DATASET.items():
        for metric, row in numbers.items():
            about = metric[len(key) :] if key.endswith(":") and metric.startswith(key) else ""
            if row["value"] is None or (metric != key and not about):
                continue
            told, is_bad = _told(key, about, row, numbers)
            says_it = told or says or row["note"] or ""
            facts.append({"title": title, "about": about, "kind": kind, "value": row["value"], "says": says_it,
                          "is_bad": is_bad})  # fmt: skip
    return facts


def _told(key: str, about: str, row: dict[str, Any], numbers: dict[str, dict[str, Any]]) -> tuple[str, bool]:
    """What one number says, where that depends on it; and whether it is a warning."""
    if key.startswith("order_"):
        p = numbers.get(key.replace("gap_ratio", "p_value"), {}).get("value")
        drifts = p is not None and p <= DRIFTS
        within = " inside its classes" if "within" in key else ""
        says = "similar samples stand near each other" if drifts else "the order is as good as shuffled"
        return f"{says} in the file{within} (1: no order; p = {p})" if p is not None else "1: no order", drifts
    if key == "spurious:":
        return "", row["value"] >= SPURIOUS
    return "", False


def erasures(numbers: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """How well each erased column can be read off the vectors before and after."""
    before = {m.partition(":")[2]: r["value"] for m, r in numbers.items() if m.startswith("leakage_before_debias:")}
    after = {m.partition(":")[2]: r["value"] for m, r in numbers.items() if m.startswith("leakage_after_debias:")}
    return [{"column": name, "before": value, "after": after.get(name)} for name, value in before.items()]
