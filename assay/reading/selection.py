"""A filter (`filters.py`) → the rows that pass it, over all points of a snapshot."""

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from cachetools import LRUCache

from assay.reading.catalog import Category
from assay.reading.columns import View
from assay.reading.facts import similarities
from assay.reading.filters import MOST_SIMILAR, FilterError, checked
from assay.sources.label_text import classes_of

UNSEARCHED = ("content_hash", "modality")  # texts of a sample that nobody means by a word
MOST_VERTICES = 4_000
MOST_TERMS = 20


def select(view: View, wanted: dict[str, Any]) -> np.ndarray:
    """Mask, bool of shape (n,), of the rows that pass.

    Raises:
        FilterError: an unknown key, column or method, or a value of the wrong shape.
    """
    mask = np.ones(len(view), dtype=bool)
    try:
        for key, value in sorted(checked(wanted).items(), key=lambda part: part[0] == "similar"):
            if key == "similar" and value.get("within"):
                mask = _nearest(view, {"similar": value}, int(value.get("k", 200)), mask)
            else:  # no ids is nothing, no other condition is no condition
                mask &= _PARTS[key](view, value)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FilterError(f"{error}") from None
    return mask


def inside(points: np.ndarray, x: np.ndarray, y: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """Which of the points (x, y) lie in the polygon, by the even-odd rule. NaN is outside.

    Sorted by y, an edge concerns one contiguous run of the points: the cost is the number of crossings, not
    vertices × points. `order` is `np.argsort(y)` where it is already known.
    """
    order = np.argsort(y, kind="stable") if order is None else order
    px, py = x[order].astype(np.float64), y[order].astype(np.float64)
    odd = np.zeros(len(order), dtype=bool)
    ends = np.roll(points, -1, axis=0)
    for (x1, y1), (x2, y2) in zip(points, ends, strict=True):
        if y1 == y2:
            continue
        start, stop = np.searchsorted(py, (min(y1, y2), max(y1, y2)), "left")
        crossing = (x2 - x1) * (py[start:stop] - y1) / (y2 - y1) + x1
        odd[start:stop] ^= px[start:stop] < crossing
    mask = np.zeros(len(order), dtype=bool)
    mask[order] = odd
    return mask


def without_each(view: View, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """For each condition: how many samples pass when it alone is lifted. What an empty result is explained with."""
    found = []
    for key in wanted:
        for name in wanted[key] if key in ("ranges", "values", "hidden") else [None]:
            rest = {k: v for k, v in wanted.items() if k != key}
            if name is not None:
                rest[key] = {k: v for k, v in wanted[key].items() if k != name}
            found.append({"key": key, "name": name, "n": int(select(view, rest).sum())})
    return found


def _lasso(view: View, value: dict[str, Any] | list[dict[str, Any]]) -> np.ndarray:
    strokes = value if isinstance(value, list) else [value]
    mask = np.zeros(len(view), dtype=bool)
    for place, stroke in enumerate(strokes):
        here = _stroke(view, stroke)
        mask = mask & ~here if stroke.get("how") == "subtract" and place else mask | here
    return mask


def _stroke(view: View, value: dict[str, Any]) -> np.ndarray:
    points = np.asarray(value["points"], dtype=np.float64)
    if (
        points.ndim != 2
        or points.shape[1] != 2
        or not 3 <= len(points) <= MOST_VERTICES
        or not np.isfinite(points).all()
    ):
        raise ValueError(f"a lasso is 3 to {MOST_VERTICES} finite points [x, y]")
    method = value["method"]
    layout = view.layout(method)
    if value.get("matrix"):
        matrix = np.asarray(value["matrix"], dtype=np.float64)
        if layout.z is None or matrix.shape != (2, 3) or not np.isfinite(matrix).all():
            raise ValueError("`matrix` turns the three axes of a 3-D projection into two: [[…3], […3]]")
        x, y = matrix @ np.stack([layout.x, layout.y, layout.z]).astype(np.float64)
        return inside(points, x, y)
    return inside(points, layout.x, layout.y, by_height(view, method))


def by_height(view: View, method: str) -> np.ndarray:
    """(n,) uint32: the rows in the order of their y in a projection, which a lasso goes through; kept."""
    found: np.ndarray = view.once(
        ("by_y", method), lambda: np.argsort(view.layout(method).y, kind="stable").astype(np.uint32)
    )
    return found


def _ranges(view: View, value: dict[str, Any]) -> np.ndarray:
    mask = np.ones(len(view), dtype=bool)
    for key, (low, high) in value.items():
        values = view.number(key)
        mask &= (values >= np.float32(low)) & (values <= np.float32(high))
    return mask


def _codes(column: Category, names: list[Any]) -> np.ndarray:
    place = {name: code for code, name in enumerate(column.names)} | {None: -1}
    return np.array([place[name] for name in names if name in place], dtype=np.int32)


def _values(view: View, value: dict[str, Any]) -> np.ndarray:
    mask = np.ones(len(view), dtype=bool)
    for key, names in value.items():
        column = view.category(key)
        mask &= np.isin(column.codes, _codes(column, names))
    return mask


def _hidden(view: View, value: dict[str, Any]) -> np.ndarray:
    mask = np.ones(len(view), dtype=bool)
    for key, names in value.items():
        column = view.category(key)
        mask &= ~np.isin(column.codes, _codes(column, names))
    return mask


def _carries(view: View, value: list[Any]) -> np.ndarray:
    """Labels that are sets with all of these classes; a label that is one class has that one."""
    label, separator = view.category("label"), view.label_separator
    sets = [set(classes_of(name, separator)) if separator else {name} for name in label.names]
    wanted = {str(name) for name in value}
    return np.isin(label.codes, [code for code, classes in enumerate(sets) if wanted <= classes])


def _flags(view: View, value: list[Any]) -> np.ndarray:
    mask = np.zeros(len(view), dtype=bool)
    for metric in value:
        mask |= view.issue(metric)
    return mask


def _cell(view: View, value: list[Any]) -> np.ndarray:
    given, suggested = value
    return (
        _values(view, {"label": [given]}) & _values(view, {"suggested": [suggested]}) & view.label_issue()
    )  # fmt: skip


def split_words(text: str) -> list[str]:
    """The words and "quoted phrases" of a search, lower case; all must be found, each in any column."""
    found = [phrase or word for phrase, word in re.findall(r'"([^"]+)"|(\S+)', str(text).lower())]
    return found[:MOST_TERMS]


def _text(view: View, value: str) -> np.ndarray:
    schema = view.scan("samples").collect_schema()
    columns = [name for name, kind in schema.items() if kind == pl.String and name not in UNSEARCHED]
    table, text = view.face["facts"], view.face["text"]
    mask = np.ones(len(view), dtype=bool)
    for word in split_words(value):
        hits = pl.any_horizontal(_contains(name, word) for name in columns)
        found = view.scan("samples").filter(hits).select("sample_id").collect()["sample_id"]
        here = view.spread_mask(found)
        if text and view.snapshot.parts(table):
            hashes = view.scan(table).filter(_contains(text, word)).select("content_hash").collect()
            here |= view.hashes.is_in(hashes["content_hash"].implode()).to_numpy()
        mask &= here
    return mask


def _contains(name: str, words: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.contains(words, literal=True).fill_null(False)


def _similar(view: View, value: dict[str, Any]) -> np.ndarray:
    return _nearest(view, {"similar": value}, int(value.get("k", 200)))


def _words(view: View, value: dict[str, Any]) -> np.ndarray:
    return _nearest(view, {"words": value}, int(value.get("k", 200)))


def similarity_of(view: View, wanted: dict[str, Any]) -> np.ndarray | None:
    """Cosine similarity of every row to what a filter asks for, −inf without a vector; None: it asks for nothing."""
    if wanted.get("similar"):
        sample = str(wanted["similar"]["id"])
        row = int(view.rows_of(pl.Series([sample]))[0])
        if row < 0:
            raise ValueError(f"no sample {sample[:200]!r} in this snapshot")
        key = ("similar", row)
        return _remember(view, key, lambda: similarities(view, row=row))
    if wanted.get("words"):
        return _asked(view, "words", str(wanted["words"]["text"])[:2_000])
    if wanted.get("picture"):
        return _asked(view, "picture", str(wanted["picture"]["name"]))
    return None


def _asked(view: View, kind: str, value: str) -> np.ndarray:
    if view.encode is None:
        raise ValueError(f"search by {kind} needs the explorer: nothing here can make a vector of it")
    encode = view.encode
    return _remember(view, (kind, value), lambda: similarities(view, vector=encode(kind, value)))


def _remember(view: View, key: tuple[str, Any], make: Callable[[], np.ndarray]) -> np.ndarray:
    """The last similarity search of a view."""
    kept = view.once("last_search", dict)
    value = kept.get(key)
    if value is None:
        value = make()
        kept.clear()  # another thread may clear it too: nothing is read from it after this
        kept[key] = value
    return value


def _nearest(view: View, wanted: dict[str, Any], k: int, among: np.ndarray | None = None) -> np.ndarray:
    """Mask of the `k` rows that are most alike to what is wanted, of all or of those in `among`."""
    values = similarity_of(view, wanted)
    if values is None:
        raise ValueError("nothing is said that a sample could be alike to")
    if among is not None:
        values = np.where(among, values, -np.inf)
    k = max(1, min(k, MOST_SIMILAR, len(values)))
    chosen = np.argpartition(-values, k - 1)[:k]
    mask = np.zeros(len(values), dtype=bool)
    mask[chosen[np.isfinite(values[chosen])]] = True
    return mask


def _picture(view: View, value: dict[str, Any]) -> np.ndarray:
    return _nearest(view, {"picture": value}, int(value.get("k", 200)))


def _ids(view: View, value: list[Any]) -> np.ndarray:
    return view.spread_mask(pl.Series([str(name) for name in value], dtype=pl.String))


_PARTS: dict[str, Callable[[View, Any], np.ndarray]] = {
    "lasso": _lasso, "ranges": _ranges, "values": _values, "hidden": _hidden, "carries": _carries, "flags": _flags,
    "cell": _cell, "text": _text, "similar": _similar, "words": _words, "picture": _picture,
    "ids": _ids,
}  # fmt: skip


def ordered(view: View, mask: np.ndarray, sort: str, descending: bool, wanted: dict[str, Any]) -> np.ndarray:
    """The rows of a mask, sorted: by a number column (nulls last), by name, by `similarity`, else by position."""
    rows = np.flatnonzero(mask)
    if sort == "position" or not sort:
        return rows if not descending else rows[::-1]
    if sort == "similarity":
        values = similarity_of(view, wanted)
        if values is None:
            return rows
        return rows[np.argsort(-values[rows], kind="stable")]
    column = view.column(sort)
    if isinstance(column, Category):
        keys = np.where(column.codes[rows] < 0, len(column.names), column.codes[rows])
    else:
        keys = np.where(
            np.isnan(column.values[rows]), np.inf, -column.values[rows] if descending else column.values[rows]
        )
    return rows[np.argsort(keys, kind="stable")]


class Selections:
    """The last few selections of one view, so that scrolling and drawing do not select again."""

    def __init__(self, view: View, keep: int = 6) -> None:
        self.view = view
        self._masks: LRUCache[str, np.ndarray] = LRUCache(keep)
        self._orders: LRUCache[tuple[Any, ...], np.ndarray] = LRUCache(keep)
        self._lock = threading.Lock()
        self._making: dict[tuple[int, object], threading.Lock] = {}
        self._forgotten = 0

    def mask(self, wanted: dict[str, Any]) -> np.ndarray:
        """As `select`."""
        return self._get(self._masks, json.dumps(wanted, sort_keys=True), lambda: select(self.view, wanted))

    def rows(self, wanted: dict[str, Any], sort: str, descending: bool) -> np.ndarray:
        """As `ordered`."""
        key = (json.dumps(wanted, sort_keys=True), sort, descending)
        return self._get(
            self._orders, key, lambda: ordered(self.view, self.mask(wanted), sort, descending, wanted).astype(np.uint32)
        )

    def forget(self) -> None:
        """After a decision: filters on decisions select anew."""
        with self._lock:
            self._forgotten += 1
            self._masks.clear()
            self._orders.clear()

    def _get(self, store: LRUCache[Any, Any], key: object, make: Callable[[], Any]) -> Any:
        """The kept value, or a new one; who asks for the same meanwhile waits for it instead of making it twice."""
        with self._lock:
            if key in store:
                return store[key]
            mine = self._making.setdefault((id(store), key), threading.Lock())
        with mine:
            try:
                value = store.get(key)
                if value is None:
                    before = self._forgotten
                    value = make()
                    with self._lock:
                        if before != self._forgotten:  # somebody decided meanwhile
                            return value
                        store[key] = value
                return value
            finally:
                with self._lock:
                    self._making.pop((id(store), key), None)
