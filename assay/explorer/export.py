"""The explorer as one static file: the same page, its data and thumbnails inside; opens offline, asks nobody.

The page's modules are put into one script, in the order of their imports; a content-security policy names the digest
of that script and of the style sheet, so that nothing else in the file can run.
"""

import base64
import hashlib
import json
import re
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SnapshotError
from assay.contracts.metrics import described
from assay.explorer.answers import describe
from assay.reading import overview, queues, samples, tables
from assay.reading.catalog import Category
from assay.reading.columns import View
from assay.reading.facts import text, thumbnail
from assay.reading.map_names import map_names
from assay.reading.selection import UNSEARCHED
from assay.store.files import atomic_file
from assay.store.snapshots import Snapshot

STATIC = Path(__file__).with_name("static")
MOST_SAMPLES = 50_000
SMALL_ABOVE = 8_000  # samples; above, thumbnails are made smaller, to keep the file below some hundred megabytes
SMALL = 64  # pixels
NEIGHBORS = 12
ENTRY = "app"
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', re.MULTILINE)


def export_view(snapshot: Snapshot, target: Path) -> Path:
    """Write the page of one snapshot to `target`, which is replaced whole or not at all.

    Raises:
        SnapshotError: it has more than `MOST_SAMPLES` samples.
    """
    view = View(snapshot)
    if len(view) > MOST_SAMPLES:
        raise SnapshotError(
            f"`{snapshot.manifest.get('dataset', snapshot.name)}` has {len(view):,} samples; one file holds at most "
            f"{MOST_SAMPLES:,}. Use `assay explore`, or share a selection exported from it"
        )
    page = compose(json.dumps(collect(view), ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    with atomic_file(Path(target)) as aside:
        aside.write_text(page, encoding="utf-8", errors="replace")
    return Path(target)


def compose(data: str, name: str = "assay-data", before: str = "") -> str:
    """The page's HTML with style, script and data inside; `before` is a script that runs ahead of the page's own."""
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    style, script = sheets(), bundle()
    scripts = " ".join(f"'{_digest(source)}'" for source in (before, script) if source)
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src '{_digest(style)}'; img-src data: blob:; "
        "media-src blob:; base-uri 'none'; form-action 'none'"
    )
    html = re.sub(r'<link rel="icon"[^>]*>\n|<link rel="stylesheet"[^>]*>\n|<script [^>]*></script>\n', "", html)
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>\n'
    safe = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    tail = f'<script type="application/json" id="{name}">{safe}</script>\n'
    tail += f"<script>{before}</script>\n" if before else ""
    tail += f'<script type="module">{script}</script>\n'
    top, after = html.split("</head>")
    body, end = after.split("</body>")
    return f"{top}{head}</head>{body}{tail}</body>{end}"


@cache
def sheets() -> str:
    """Every style sheet of the page as one, in the order in which it names them."""
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'<link rel="stylesheet" href="/static/([\w.]+)">', html)
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def in_order(name: str = ENTRY, seen: tuple[str, ...] = ()) -> list[str]:
    """The page's modules, each after those that it imports. Raises `ValueError` where they go in a circle."""
    if name in seen:
        raise ValueError(f"the page's modules import each other in a circle: {' → '.join([*seen, name])}")
    order: list[str] = []
    for found in IMPORT.finditer((STATIC / f"{name}.js").read_text(encoding="utf-8")):
        order += [other for other in in_order(found[2], (*seen, name)) if other not in order]
    return [*order, name]


@cache
def bundle() -> str:
    """Every module of the page as one script: each in a function of its own that returns what it exports."""
    parts = ["const modules = {};\n"]
    for name in in_order():
        source = (STATIC / f"{name}.js").read_text(encoding="utf-8")
        source = IMPORT.sub(lambda found: f"const {{{found[1].replace(' as ', ': ')}}} = modules.{found[2]};", source)
        exported = re.findall(r"^export (?:async )?(?:function|const|let|class) (\w+)", source, flags=re.MULTILINE)
        source = re.sub(r"^export ", "", source, flags=re.MULTILINE)
        parts.append(f"modules.{name} = (() => {{\n{source}\nreturn {{ {', '.join(exported)} }};\n}})();\n")
    return "".join(parts).replace("</script", "<\\/script")


def collect(view: View) -> dict[str, Any]:
    """Everything that the page asks for, as JSON values; arrays as base64 of little-endian bytes."""
    manifest = view.snapshot.manifest
    flags = view.flags()
    neighbors, nearness = _neighbors(view)
    captions = samples.captions_of(view)
    rows = range(len(view))
    return {
        "meta": describe(view) | {"has_vectors": False, "has_words": False, "has_pictures": False},
        "snapshot": {
            "number": view.snapshot.number, "created_at": manifest.get("created_at", ""),
            "headline": manifest.get("headline", {}), "gates": manifest.get("gates", []),
        },
        "overview": overview.told(view, manifest, [_line(view)], queues.queues(view), view.face["plural"]),
        "names": {method: map_names(view, method) for method in view.layouts()},
        "searched": _searched(view),
        "ids": view.ids.to_list(),
        "layouts": {method: _layout(view, method) for method in view.layouts()},
        "columns": {entry["key"]: _column(view, entry["key"]) for entry in view.catalog()},
        "metrics": list(flags),
        "flags": [_packed(rows, "<i4") for rows in flags.values()],
        "titles": {name: [described(name).title, described(name).meaning] for name in flags},
        "k": NEIGHBORS, "neighbors": _packed(neighbors, "<i4"), "nearness": _packed(nearness, "<f4"),
        "duplicates": _groups(view),
        "leaks": _leaks(view),
        "confusion": tables.confusion(view) if view.snapshot.parts("label_issues") else {"total": 0},
        "tables": {name: tables.plain(view, name, 0, tables.MOST_ROWS) for name in tables.PLAIN},
        "thumbnails": [_picture(view, row) for row in rows] if view.has_thumbnails() else None,
        "captions": [(caption or "")[: samples.SNIPPET] for caption in captions] if captions is not None else None,
        "texts": None if view.has_thumbnails() else [(text(view, row) or "")[:5_000] for row in rows],
    }  # fmt: skip


def _line(view: View) -> dict[str, Any]:
    manifest = view.snapshot.manifest
    return {
        "number": view.snapshot.number, "created_at": manifest.get("created_at", ""),
        "headline": manifest.get("headline", {}),
    }  # fmt: skip


def _searched(view: View) -> list[str]:
    """What a search looks at besides id, label and text: every other text column of a sample, in lower case."""
    schema = view.scan("samples").collect_schema()
    told = ("sample_id", "label", *UNSEARCHED)
    names = [name for name, kind in schema.items() if kind == pl.String and name not in told]
    if not names:
        return [""] * len(view)
    joined = pl.concat_str([pl.col(name).fill_null("").str.to_lowercase() for name in names], separator="\n")
    frame = view.scan("samples").sort("position").select(joined.alias("all")).collect()
    return frame["all"].to_list()


def _layout(view: View, method: str) -> dict[str, Any]:
    layout = view.layout(method)
    axes = {"x": layout.x, "y": layout.y, "z": layout.z}
    return {axis: None if values is None else _packed(values, "<f4") for axis, values in axes.items()}


def _column(view: View, key: str) -> dict[str, Any]:
    column = view.column(key)
    if isinstance(column, Category):
        return {"names": column.names, "codes": _packed(column.codes, "<i4")}
    low, high = (0.0, 1.0) if key.startswith("scores.") or key == "label_issues.score" else column.bounds()
    return {"values": _packed(column.values, "<f4"), "low": low, "high": high}


def _neighbors(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Rows and similarities of the nearest neighbours, shape (n, NEIGHBORS), −1 where there is none."""
    near = np.full((len(view), NEIGHBORS), -1, dtype=np.int32)
    similarity = np.zeros((len(view), NEIGHBORS), dtype=np.float32)
    graph = view.scan("neighbors").filter(pl.col("rank") <= NEIGHBORS).collect()
    unit, other = view.rows_of(graph["sample_id"]), view.rows_of(graph["neighbor_id"])
    fine = (unit >= 0) & (other >= 0)
    rank = graph["rank"].to_numpy().astype(np.int64) - 1
    near[unit[fine], rank[fine]] = other[fine]
    similarity[unit[fine], rank[fine]] = graph["similarity"].to_numpy()[fine]
    units = view.scan("units").collect()
    member, stands = view.rows_of(units["sample_id"]), view.rows_of(units["unit_id"])
    fine = (member >= 0) & (stands >= 0)
    near[member[fine]], similarity[member[fine]] = near[stands[fine]], similarity[stands[fine]]
    return near, similarity


def _groups(view: View) -> list[Any]:
    """Duplicate groups, largest first, each `[row, keep, tier, similarity]`: the kept one first, then by likeness."""
    order = ["group_id", "keep", "similarity", "sample_id"]
    frame = view.scan("duplicates").sort(order, descending=[False, True, True, False]).collect()
    frame = frame.with_columns(row=pl.Series(view.rows_of(frame["sample_id"]), dtype=pl.Int64))
    members = frame.filter(pl.col("row") >= 0).group_by("group_id", maintain_order=True)
    groups = [rows.select("row", "keep", "tier", "similarity").rows() for _, rows in members]
    return sorted(groups, key=len, reverse=True)


def _leaks(view: View) -> list[Any]:
    return tables.leak_rows(view).select("a", "b", "tier", "similarity", "pair").rows()


def _picture(view: View, row: int) -> str | None:
    data = thumbnail(view, row)
    if data and len(view) > SMALL_ABOVE:
        data = _smaller(data)
    return base64.b64encode(data).decode() if data else None


def _smaller(data: bytes) -> bytes:
    from PIL import Image

    with Image.open(BytesIO(data), formats=["JPEG"]) as image:
        image.thumbnail((SMALL, SMALL))
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=70)
    return min(buffer.getvalue(), data, key=len)


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
