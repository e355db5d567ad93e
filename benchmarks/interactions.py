"""How well vectors of users and items foretell what is taken next: hit@20 of a held-out item of each user.

    python benchmarks/interactions.py [--cora FOLDER]

Sets: the made shop of `assay demo --modality interactions` (six tastes; the last item in time is held out), and Cora's
citations taken as interactions, a paper that cites and a paper that is cited (the last one in the file is held out).
Beside: the most popular items. Seeds 0, 1, 2; processor seconds of one fit.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

sys.path.insert(0, str(Path(__file__).parent.parent))

from assay.embedders.als import als
from assay.embedders.prone import prone
from assay.embedders.pure_svd import pure_svd
from assay.modalities.interactions.example import write_example
from assay.modalities.interactions.hits import hit_rates

SEEDS = (0, 1, 2)


def shop(seed: int) -> pl.DataFrame:
    """`user`, `item` of the made shop, in the order of time."""
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder), seed)
        return pl.read_csv(Path(folder, "made-shop/interactions.csv")).select(
            pl.format("user:{}", "user").alias("user"), pl.format("item:{}", "item").alias("item")
        )


def citations(folder: Path) -> pl.DataFrame:
    """Who cites whom in Cora."""
    edges = pl.read_csv(next(path for path in sorted(folder.glob("*edges*")) if path.suffix == ".csv"))
    one, other = edges.columns[:2]
    return edges.select(pl.format("user:{}", one).alias("user"), pl.format("item:{}", other).alias("item"))


def split(pairs: pl.DataFrame) -> tuple[sparse.csr_matrix, np.ndarray, pl.Series, np.ndarray, np.ndarray]:
    """The graph without each user's last item that others took too, the users' side, ids, and what is held out."""
    pairs = pairs.unique(maintain_order=True)
    ids = pl.concat([pairs["user"].unique(maintain_order=True), pairs["item"].unique(maintain_order=True)]).alias("id")
    place = {name: row for row, name in enumerate(ids)}
    user, item = (np.array([place[name] for name in pairs[column]]) for column in ("user", "item"))
    common = (np.bincount(item, minlength=len(ids))[item] >= 2) & (np.bincount(user, minlength=len(ids))[user] >= 2)
    last = {u: row for row, u in enumerate(user)}
    held = np.array([row for row in last.values() if common[row]])
    rest = np.setdiff1d(np.arange(len(user)), held)
    ones = np.ones(2 * len(rest), dtype=np.float32)
    ends = (np.r_[user[rest], item[rest]], np.r_[item[rest], user[rest]])
    side = np.zeros(len(ids), dtype=bool)
    side[user] = True
    return sparse.csr_matrix((ones, ends), shape=(len(ids),) * 2), side, ids, user[held], item[held]


def main() -> None:
    """Prints a line a set and embedder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cora", type=Path, default=Path(__file__).parent.parent.parent / "shared/data/cora")
    chosen = parser.parse_args()
    sets = {"made shop": shop} | (
        {"Cora's citations": lambda seed: citations(chosen.cora)} if chosen.cora.is_dir() else {}
    )
    print(f"{'set':18} {'embedder':10} {'hit@20':>7} {'÷ popular':>9} {'seconds':>8}")
    for name, read in sets.items():
        found: dict[str, list[tuple[float, float, float]]] = {}
        for seed in SEEDS:
            graph, side, ids, users, items = split(read(seed))
            for kind, fit in (
                ("als", lambda: als(graph, side, 32, seed)),  # noqa: B023
                ("svd", lambda: pure_svd(graph, side, 32, seed)),  # noqa: B023
                ("prone", lambda: prone(graph, 128, seed)),  # noqa: B023
            ):
                began = time.process_time()
                vectors = fit()
                seconds = time.process_time() - began
                hits, popular = hit_rates(vectors, graph, ids, users, items)
                found.setdefault(kind, []).append((hits, hits / popular, seconds))
                found.setdefault("popularity", []).append((popular, 1.0, 0.0))
        for kind, lines in found.items():
            hits, ratio, seconds = np.mean(lines, axis=0)
            print(f"{name:18} {kind:10} {hits:7.3f} {ratio:9.2f} {seconds:8.2f}", flush=True)


if __name__ == "__main__":
    main()
