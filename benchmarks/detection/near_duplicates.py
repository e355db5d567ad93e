"""Near duplicates planted in Caltech-101: recall and precision, against CleanVision, hashes alone, embeddings alone;
and pairs that are hard to tell apart, none of which is a copy.

    .venv/bin/python -m benchmarks.detection.near_duplicates CALTECH_FOLDER --work DIR --peers PYTHON

CALTECH_FOLDER holds the classes; PYTHON is an interpreter that has cleanvision. Results are kept in
`benchmarks/results/near_duplicates.json`.

How it is counted. A method's groups are claims: each member but one claims to be the same picture as the group's
first. A claim is right where both come from one original, or from two originals that are one picture by eye:
Caltech-101 has near duplicates of its own (Faces_easy is cut out of Faces, half of Leopards is mirrored), and
`caltech101_same_pairs.csv` lists those that were looked at and agreed with; the same motorcycle in another colour or a
face a second later is no duplicate there. Everything else is wrong, for every method. Recall is the share of planted
copies that are in their original's group.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from assay.contracts.spec import make_spec
from assay.duplicates.grouping import star_groups
from assay.duplicates.stage import dedup, near_dedup
from assay.embedders.stage import embed
from assay.facts import clean
from assay.knn.stage import index
from assay.modalities.hamming import close_pairs
from assay.modalities.image.confirming import Comparer
from assay.modalities.image.pictures import Pictures
from assay.sources.ingest import ingest
from assay.store.tables import Tables
from assay.store.vectors import read_vectors
from assay.store.workspace import Workspace
from benchmarks.detection.hard_pairs import KINDS, write_hard_pairs
from benchmarks.detection.planted_images import plant_near_duplicates

RESULTS = Path(__file__).parent.parent / "results" / "near_duplicates.json"
SAME = Path(__file__).with_name("caltech101_same_pairs.csv")
Groups = list[list[str]]


def main() -> None:
    """Plant, run everything, print and store a table."""
    arguments = parse()
    images = arguments.work / "images"
    if not (arguments.work / "truth.parquet").exists():
        truth = plant_near_duplicates(arguments.originals, images, arguments.per_kind, arguments.seed)
        truth.write_parquet(arguments.work / "truth.parquet")
    truth = pl.read_parquet(arguments.work / "truth.parquet")
    results = {}
    for name, groups, seconds in methods(arguments, images):
        results[name] = {**measure(groups, truth), "seconds": seconds}
        print(name, json.dumps(results[name]), flush=True)
    hard = judge_hard_pairs(arguments)
    print(pl.DataFrame([{"kind": kind, **counts} for kind, counts in hard.items()]), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    described = {"hard_pairs": hard, "planted": len(truth), "seed": arguments.seed, "methods": results}
    RESULTS.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("originals", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--peers", help="an interpreter that has cleanvision")
    parser.add_argument("--model", default="local-dir:../shared/models/mobilenetv2-imagenet")
    parser.add_argument("--per-kind", type=int, default=150)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--hard-per-kind", type=int, default=260)
    return parser.parse_args()


def methods(arguments: argparse.Namespace, images: Path) -> Iterable[tuple[str, Groups, float | None]]:
    """Name, groups and seconds (given what it starts from) of each method."""
    spec = make_spec(
        {
            "name": "caltech",
            "modality": "image",
            "source": {"kind": "folder", "path": str(images.resolve())},
            "embed": {"model": arguments.model.replace("local-dir:", f"local-dir:{Path.cwd()}/")},
        },
        base=Path.cwd(),
    )
    workspace = Workspace((arguments.work / "home").resolve(), spec.name)
    ingested = ingest(spec, workspace)
    cleaned = clean(spec, workspace, ingested)
    started = time.perf_counter()
    collapsed = dedup(spec, workspace, cleaned)
    seconds = time.perf_counter() - started
    uris = dict(cleaned.read("samples", ["sample_id", "uri"]).iter_rows())
    yield "assay, before the vectors", groups_of(collapsed.read("exact_duplicates"), uris), seconds
    embedded = embed(spec, workspace, ingested, cleaned)
    indexed = index(spec, workspace, cleaned, collapsed, embedded)
    started = time.perf_counter()
    duplicates = near_dedup(spec, workspace, cleaned, collapsed, embedded, indexed)
    seconds += time.perf_counter() - started
    yield "assay", groups_of(duplicates.read("copies"), uris), seconds
    yield from hash_methods(cleaned)
    yield from embedding_methods(cleaned, embedded)
    if arguments.peers:
        yield cleanvision(arguments.peers, images, arguments.work)


def judge_hard_pairs(arguments: argparse.Namespace) -> dict[str, dict[str, int]]:
    """By kind of `hard_pairs.py`: how many pairs, and how many of them each radius would take for one picture.

    Every pair is compared, whether or not the graph or a hash would have made it a candidate.
    """
    folder = arguments.work / "hard"
    photographs = sorted(path for path in arguments.originals.rglob("*.jpg") if "BACKGROUND" not in str(path))
    of = write_hard_pairs(photographs, folder, arguments.hard_per_kind, arguments.seed)
    source = {"kind": "folder", "path": str(folder.resolve())}
    spec = make_spec({"name": "hard", "modality": "image", "source": source}, base=Path.cwd())
    workspace = Workspace((arguments.work / "home").resolve(), spec.name)
    ingested = ingest(spec, workspace)
    cleaned = clean(spec, workspace, ingested)
    tables = Tables("benchmark", ("samples", "image_facts"), [ingested, cleaned])
    samples = cleaned.read("samples", ["content_hash", "uri"])
    rows = {uri: row for row, uri in enumerate(samples["uri"])}
    pairs: dict[str, list[int]] = {}
    for uri, pair in of.items():
        pairs.setdefault(pair, []).append(rows[uri])
    left, right = np.array(list(pairs.values())).T
    kinds = np.array([pair.split("/")[0] for pair in pairs])
    collapsed = Comparer(spec, samples, workspace, tables.parts("image_facts")).in_place(left, right) > 0
    hashes = samples.join(cleaned.read("image_facts", ["content_hash", "pixel_hash"]), on="content_hash", how="left")
    equal = hashes["pixel_hash"].to_numpy()[left] == hashes["pixel_hash"].to_numpy()[right]
    reported = Pictures(spec, samples, tables, workspace).similarity(left, right) > 0
    found = {"pairs": np.ones(len(kinds), bool), "same_pixels": equal, "collapsed": collapsed, "reported": reported}
    return {kind: {name: int(values[kinds == kind].sum()) for name, values in found.items()} for kind in KINDS}


def hash_methods(cleaned) -> Iterable[tuple[str, Groups, float]]:
    """Stars of the 64-bit perceptual hash within some bits, confirmed by nothing."""
    rows = cleaned.read("samples", ["uri", "content_hash"])
    facts = cleaned.read("image_facts", ["content_hash", "perceptual_hash"])
    hashes = rows.join(facts, on="content_hash", how="left", maintain_order="left")["perceptual_hash"].to_numpy()
    for bits in (0, 4, 8, 12):
        started = time.perf_counter()
        left, right = close_pairs(hashes, bits)
        closeness = 1.0 - np.bitwise_count(hashes[left] ^ hashes[right]) / 64.0
        groups = stars(rows["uri"].to_list(), left, right, closeness)
        yield f"perceptual hash within {bits} bits", groups, time.perf_counter() - started


def embedding_methods(cleaned, embedded) -> Iterable[tuple[str, Groups, None]]:
    """Stars of vectors nearer than a share of the median nearest-neighbour distance, confirmed by nothing."""
    rows = cleaned.read("samples", ["uri", "content_hash"])
    vectors, _ = read_vectors(embedded, rows["content_hash"])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest, pairs = np.zeros(len(vectors)), []
    for start in range(0, len(vectors), 1000):
        cosine = vectors[start : start + 1000] @ vectors.T
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -1
        nearest[start : start + 1000] = cosine.max(axis=1)
        i, j = np.nonzero(cosine > 0.5)
        pairs.append((i[i + start < j] + start, j[i + start < j], cosine[i, j][i + start < j]))
    left, right, cosine = (np.concatenate(part) for part in zip(*pairs, strict=True))
    distance = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    radius = np.median(np.sqrt(np.maximum(2 - 2 * nearest, 0)))
    for share in (0.13, 0.4, 0.7):
        close = distance <= share * radius
        groups = stars(rows["uri"].to_list(), left[close], right[close], cosine[close])
        yield f"embedding within {share} of the median radius", groups, None


def cleanvision(python: str, images: Path, work: Path) -> tuple[str, Groups, float]:
    """CleanVision in its own environment."""
    out = work / "cleanvision.json"
    subprocess.run([python, Path(__file__).with_name("peer_cleanvision.py"), images, out], check=True)
    found = json.loads(out.read_text(encoding="utf-8"))
    return "CleanVision", found["sets"], found["seconds"]


def groups_of(duplicates: pl.DataFrame, uris: dict[str, str]) -> Groups:
    """Each group's uris, the kept one first."""
    ordered = duplicates.sort("group_id", "keep", descending=[False, True], maintain_order=True)
    grouped = ordered.group_by("group_id", maintain_order=True).agg("sample_id")["sample_id"]
    return [[uris[sample_id] for sample_id in group] for group in grouped]


def stars(uris: list[str], left: np.ndarray, right: np.ndarray, similarity: np.ndarray) -> Groups:
    """Star groups of pairs, the medoid first."""
    medoid = star_groups(len(uris), left, right, similarity)
    groups: dict[int, list[str]] = {}
    for i in np.flatnonzero(np.bincount(medoid, minlength=len(uris))[medoid] > 1).tolist():
        groups.setdefault(int(medoid[i]), [uris[medoid[i]]])
        if medoid[i] != i:
            groups[int(medoid[i])].append(uris[i])
    return list(groups.values())


def measure(groups: Groups, truth: pl.DataFrame) -> dict:
    """Recall in all and by kind, precision, and both's 95% intervals (Wilson)."""
    of = dict(truth.select("uri", "of").iter_rows())
    origin = Origins(pl.read_csv(SAME).iter_rows())
    group_of = {uri: number for number, group in enumerate(groups) for uri in group}
    claims = [(member, group[0]) for group in groups for member in group[1:]]
    right = sum(origin.of(of.get(a, a)) == origin.of(of.get(b, b)) for a, b in claims)
    found = truth.with_columns(
        pl.Series("found", [group_of.get(a, -1) == group_of.get(b, -2) for a, b in of.items()], dtype=pl.Boolean)
    )
    n_found = int(found["found"].sum())
    return {
        "recall": n_found / len(truth),
        "recall_interval": wilson(n_found, len(truth)),
        "precision": right / len(claims) if claims else None,
        "precision_interval": wilson(right, len(claims)),
        "claims": len(claims),
        "wrong": len(claims) - right,
        "recall_by_kind": dict(found.group_by("kind", maintain_order=True).agg(pl.col("found").mean()).iter_rows()),
    }


class Origins:
    """Which originals are one picture: the closure of the pairs that a person agreed with."""

    def __init__(self, pairs: Iterable[tuple[str, str]]):
        self._parent: dict[str, str] = {}
        for a, b in pairs:
            self._parent[self.of(a)] = self.of(b)

    def of(self, uri: str) -> str:
        """The one that stands for `uri`."""
        while uri in self._parent and self._parent[uri] != uri:
            uri = self._parent[uri]
        return uri


def wilson(hits: int, n: int) -> tuple[float, float] | None:
    """95% interval of a share."""
    if not n:
        return None
    z, p = 1.96, hits / n
    middle, spread = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (round(float((middle - spread) / (1 + z * z / n)), 4), round(float((middle + spread) / (1 + z * z / n)), 4))


if __name__ == "__main__":
    main()
