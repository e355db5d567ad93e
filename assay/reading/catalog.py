"""The columns of a snapshot: which there are, and how each is read from its tables into one NumPy array."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contracts.metrics import described
from assay.contracts.tables import Samples
from assay.reading.meanings import MEASURES, title

if TYPE_CHECKING:
    from assay.reading.columns import View

MOST_VALUES = 2_000  # a group column with more distinct values is for searching, not for colours
NO_CODE = 65_535
CHANGES = (  # a sample's first of these is its colour
    "added", "new_issue", "label_changed", "content_changed", "worse", "resolved", "moved",
)  # fmt: skip


@dataclass(frozen=True)
class Category:
    """A column of names. `codes`: int32 of shape (n,), an index into `names` (most frequent first), −1 where null."""

    codes: np.ndarray
    names: list[str]

    def objects(self) -> np.ndarray:
        """The names as objects, None last: what a code of −1 takes."""
        found = np.empty(len(self.names) + 1, dtype=object)
        found[:-1] = self.names
        return found

    def counts(self, rows: np.ndarray | None = None) -> np.ndarray:
        """How many of `rows` (a mask or indices; all by default) have each name; the last entry counts the nulls."""
        codes = self.codes if rows is None else self.codes[rows]
        return np.bincount(np.where(codes < 0, len(self.names), codes), minlength=len(self.names) + 1)


@dataclass(frozen=True)
class Number:
    """A column of numbers: float32 of shape (n,), NaN where null."""

    values: np.ndarray

    def bounds(self) -> tuple[float, float]:
        """Smallest and largest finite value; (0, 1) where there is none."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def entries(view: "View") -> Iterator[dict[str, Any]]:
    """The descriptors of `View.catalog`, in the order in which the page lists them."""
    yield _describe("label", "Label", "category", "both", "as given")
    if view.once(
        "has_split", lambda: bool(view.scan("samples").select(pl.col("split").is_not_null().any()).collect().item())
    ):
        yield _describe("split", "Split", "category", "both", "")
    yield _describe("issue", "Worst issue", "category", "both", "the flagged metric with the highest score")
    if view.snapshot.parts("label_issues"):
        n = view.once(
            "n_label_issues", lambda: view.scan("label_issues").select(pl.col("is_issue").sum()).collect().item()
        )
        about = described("label_issue").meaning
        yield _describe("label_issues.score", "Label suspicion", "number", "label", about, n, "label_issue")
        yield _describe("label_issues.confidence", "Confidence", "number", "label", "that the suggested label is right")
        yield _describe("suggested", "Suggested label", "category", "label", "what the neighbours and the probe say")
    for metric, _, n_issues in view.metrics().iter_rows():
        if metric == "label_issue" and view.snapshot.parts("label_issues"):
            continue
        record = described(metric)
        yield _describe(f"scores.{metric}", record.title, "number", record.page, record.meaning, n_issues, metric)
    yield _describe("duplicate", "Duplicates", "category", "data", "kept or copy, within its group")
    yield _describe("leak", "Leaks", "category", "data", "has a duplicate in another split")
    for name in view.once("fact_names", lambda: _fact_names(view)):
        yield _describe(f"facts.{name}", title(name), "number", "measure", MEASURES.get(name, ""))
    for name, kind in view.once("group_columns", lambda: _group_columns(view)):
        yield _describe(f"columns.{name}", name, kind, "column", "from the source")
    if view.predictions() is not None:
        yield _describe("outcome", "Model right or wrong", "category", "both", "the prediction against the given label")
        yield _describe(
            "predicted", "Predicted class", "category", "both", "by the model whose predictions you supplied"
        )
        yield _describe("probability", "Model's probability", "number", "data", "of the class that it predicts")
    yield _describe("change", "Change", "category", "both", "since the previous snapshot")
    yield _describe("decision", "Decision", "category", "both", "what somebody decided")


def _describe(
    key: str, name: str, kind: str, page: str, meaning: str, n_issues: int | None = None, metric: str | None = None
) -> dict[str, Any]:
    return {
        "key": key, "title": name, "kind": kind, "page": page, "meaning": meaning, "issues": n_issues, "metric": metric
    }  # fmt: skip


def _fact_table(view: "View") -> str | None:
    return view.face["facts"] if view.snapshot.parts(view.face["facts"]) else None


def _fact_names(view: "View") -> list[str]:
    table = _fact_table(view)
    if table is None or not pl.scan_parquet(view.snapshot.parts(table)).select(pl.len()).collect().item():
        return []
    schema = view.scan(table).collect_schema()
    return [name for name, kind in schema.items() if kind.is_numeric() and name != "perceptual_hash"]


def _group_columns(view: "View") -> list[tuple[str, str]]:
    """The source's further columns: numbers, and names with few enough values."""
    found, own = [], Samples.columns()
    for name, kind in view.scan("samples").collect_schema().items():
        if name in own or name == view.face.get("outline"):
            continue
        if kind.is_numeric():
            found.append((name, "number"))
        elif kind in (pl.String, pl.Boolean, pl.Categorical):
            n = view.scan("samples").select(pl.col(name).n_unique()).collect().item()
            if n <= MOST_VALUES and (n <= 50 or n <= len(view) / 2):
                found.append((name, "category"))
    return found


def read_column(view: "View", key: str) -> Category | Number:
    """Read one column of the catalog."""
    from assay.reading import evaluation

    special: dict[str, Callable[[], Category | Number]] = {
        "label": lambda: _sample_category(view, "label"), "split": lambda: _sample_category(view, "split"),
        "issue": lambda: _worst_issue(view), "duplicate": lambda: _duplicates(view), "leak": lambda: _leaks(view),
        "change": lambda: _changes(view), "decision": lambda: _decided(view),
        "suggested": lambda: _suggested(view), "outcome": lambda: evaluation.outcome(view),
        "predicted": lambda: evaluation.read_predicted(view)[0],
        "probability": lambda: evaluation.read_predicted(view)[1],
    }  # fmt: skip
    if key in special:
        return special[key]()
    kind, name = key.split(".", 1)
    if kind == "scores":
        rows = view.scan("scores").filter(pl.col("metric") == name).select("sample_id", "score").collect()
        return Number(view.spread(rows["sample_id"], floats(rows["score"]), np.nan))
    if kind == "label_issues":
        rows = view.scan("label_issues").select("sample_id", name).collect()
        return Number(view.spread(rows["sample_id"], floats(rows[name]), np.nan))
    if kind == "facts":
        return Number(view.once("facts", lambda: _facts(view))[name])
    if view.scan("samples").collect_schema()[name].is_numeric():
        rows = view.scan("samples").select("sample_id", name).collect()
        return Number(view.spread(rows["sample_id"], floats(rows[name]), np.nan))
    return _sample_category(view, name)


def floats(series: pl.Series) -> np.ndarray:
    """Numbers as float32, NaN where null; an array of its own."""
    return series.cast(pl.Float32).fill_null(np.nan).to_numpy().copy()


def _sample_category(view: "View", name: str) -> Category:
    rows = view.scan("samples").select("sample_id", pl.col(name).cast(pl.String).alias("value")).collect()
    return encode(view, rows["sample_id"], rows["value"])


def encode(view: "View", ids: pl.Series, values: pl.Series, order: tuple[str, ...] | None = None) -> Category:
    """Names of some samples → a category over all rows; most frequent first, or in `order`."""
    frame = pl.DataFrame({"value": values})
    counts = frame.drop_nulls().group_by("value").len().sort(["len", "value"], descending=[True, False])
    names = counts["value"].to_list()
    if order:
        names = [name for name in order if name in set(names)]
    code = pl.DataFrame({"value": names, "code": range(len(names))}, schema={"value": pl.String, "code": pl.Int32})
    codes = frame.join(code, on="value", how="left", maintain_order="left")["code"].fill_null(-1).to_numpy()
    return Category(view.spread(ids, codes, -1), names)


def _suggested(view: "View") -> Category:
    rows = view.scan("label_issues").select("sample_id", "suggested_label").collect()
    return encode(view, rows["sample_id"], rows["suggested_label"])


def _worst_issue(view: "View") -> Category:
    flagged = view.scan("scores").filter(pl.col("is_issue")).select("sample_id", "metric", "score")
    label = (
        view.scan("label_issues").filter(pl.col("is_issue"))
        .select("sample_id", pl.lit("label_issue").alias("metric"), "score")
    )  # fmt: skip
    worst = (
        pl.concat([flagged, label]).sort(["score", "metric"], descending=[True, False])
        .unique("sample_id", keep="first", maintain_order=True).collect()
    )  # fmt: skip
    return encode(view, worst["sample_id"], worst["metric"])


def _duplicates(view: "View") -> Category:
    rows = view.scan("duplicates").select("sample_id", "keep").collect()
    return encode(
        view, rows["sample_id"], rows["keep"].replace_strict({True: "kept", False: "copy"}, return_dtype=pl.String)
    )


def _leaks(view: "View") -> Category:
    pairs = view.scan("leaks").select("sample_id", "other_id", "split", "other_split").collect()
    named = pl.concat_str(
        [pl.min_horizontal("split", "other_split"), pl.max_horizontal("split", "other_split")], separator=" ↔ "
    )
    pairs = pairs.with_columns(pair=named)
    both = pl.concat([pairs.select("sample_id", "pair"), pairs.select(pl.col("other_id").alias("sample_id"), "pair")])
    both = both.unique("sample_id", keep="first", maintain_order=True)
    return encode(view, both["sample_id"], both["pair"])


def _changes(view: "View") -> Category:
    rows = view.scan("diff").select("sample_id", "change").collect()
    rank = pl.col("change").replace_strict(
        {name: i for i, name in enumerate(CHANGES)}, default=99, return_dtype=pl.Int32
    )
    first = rows.sort(rank, maintain_order=True).unique("sample_id", keep="first", maintain_order=True)
    return encode(view, first["sample_id"], first["change"], CHANGES)


def _decided(view: "View") -> Category:
    words = {"accept_label": "label accepted", "reject_label": "label confirmed", "keep": "keep", "drop": "drop"}
    standing = view.decisions()
    named = standing.select(
        "sample_id",
        pl.when(pl.col("kind") == "tag")
        .then(pl.format("tag: {}", pl.col("value").fill_null("")))
        .otherwise(pl.col("kind").replace(words))
        .alias("value"),
    ).unique("sample_id", keep="first", maintain_order=True)
    return encode(view, named["sample_id"], named["value"])


def _facts(view: "View") -> dict[str, np.ndarray]:
    """Every number of the facts table, over all rows."""
    table, names = view.face["facts"], _fact_names(view)
    facts = view.scan(table).select(pl.col(name).cast(pl.Float32) for name in names).collect()
    place = view.place(table)
    return {name: np.where(place < 0, np.nan, floats(facts[name])[place]).astype(np.float32) for name in names}
