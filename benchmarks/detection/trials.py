"""What the benchmarks in trials share: their arguments, a corpus of each dataset, and the store of their results."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from graph import exact_corpus
from vectors import load

from assay.metrics.corpus import Corpus


def arguments(description: str, results: Path, datasets: str, kinds: str, rates: str) -> argparse.Namespace:
    """The command line, with these defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--datasets", default=datasets)
    parser.add_argument("--kinds", default=kinds)
    parser.add_argument("--rates", default=rates)
    parser.add_argument("--seed", type=int, default=1, help="of what is made wrong; the published table is 1")
    parser.add_argument("--out", type=Path, default=results)
    parser.add_argument("--table", action="store_true", help="print the stored results as Markdown, run nothing")
    return parser.parse_args()


def corpora(names: str) -> Iterator[tuple[str, np.ndarray, Corpus]]:
    """`(name, codes of the true labels, corpus)` of each dataset."""
    for name in names.split(","):
        vectors, labels = load(name)
        yield name, np.unique(labels, return_inverse=True)[1], exact_corpus(vectors)


def stored(out: Path) -> list[dict]:
    """The trials that were kept."""
    return json.loads(out.read_text())["trials"]


def keep(rows: list[dict], row: dict, out: Path) -> None:
    """Print a trial, and store it with those before."""
    rows.append(row)
    print(json.dumps(row, ensure_ascii=False), flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"trials": rows}, indent=1, ensure_ascii=False) + "\n")
