"""Planted copies of texts, and texts that are alike and no copies: what each tier says of them.

    ASSAY_QUOTATIONS=FOLDER python -m benchmarks.detection.text_duplicates BANKING77_FOLDER --work DIR

BANKING77_FOLDER holds `train.csv` and `test.csv`; FOLDER is `usr/share/games/fortunes` of Debian's packages
`fortunes` and `fortunes-min`, unpacked. All are planted in one night, with LSA vectors. A pair is right where one
text was made from the other; it is wrong where it joins two texts that are hard and different (another number,
another name, a template, a prompt, a licence). Pairs of the base texts with each other are neither: real ones are
among them; they are counted, and 60 are printed to be looked at. Results are kept in
`benchmarks/results/text_duplicates.json`.
"""

import argparse
import csv
import json
import os
import random
import re
import time
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from assay.contracts.spec import make_spec
from assay.night import run_night
from assay.store.snapshots import Snapshot
from assay.store.workspace import Workspace
from benchmarks.detection.text_templates import HARD

RESULTS = Path(__file__).parent.parent / "results" / "text_duplicates.json"
BASE_LONG, BASE_SHORT = 1_800, 4_000
Rows = list[tuple[str, str, str]]  # text, family, kind


def main() -> None:
    """Plant, run a night, count, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("banking", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--per-kind", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    quotations, queries = read_quotations(), read_queries(arguments.banking)
    rows = corpus(quotations, queries, arguments.per_kind, rng)
    arguments.work.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, schema=["text", "family", "kind"], orient="row").write_parquet(arguments.work / "texts.parquet")
    started = time.perf_counter()
    snapshot = run(arguments.work)
    found = measure(snapshot, rows) | {"seconds": round(time.perf_counter() - started, 1), "texts": len(rows)}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def read_quotations() -> list[str]:
    """The quotations of 200 to 2,000 characters."""
    folder, found = Path(os.environ["ASSAY_QUOTATIONS"]), set()
    for path in sorted(folder.iterdir()):
        if path.is_file() and "." not in path.name:
            found.update(text.strip() for text in path.read_text(encoding="utf-8", errors="replace").split("\n%\n"))
    return sorted(text for text in found if 200 <= len(text) <= 2_000)


def read_queries(folder: Path) -> list[str]:
    """Banking77's queries of eight words or more."""
    found = set()
    for name in ("train.csv", "test.csv"):
        with open(folder / name, encoding="utf-8", newline="") as source:
            found.update(row["text"].strip() for row in csv.DictReader(source))
    return sorted(text for text in found if len(text.split()) >= 8)


def corpus(quotations: list[str], queries: list[str], n: int, rng: random.Random) -> Rows:
    """Base texts, `n` copies of each kind and `n` hard texts of each kind. A family is what stems from one text."""
    rng.shuffle(quotations)
    rng.shuffle(queries)
    rows: Rows = []
    for number, text in enumerate([*quotations[:BASE_LONG], *queries[:BASE_SHORT]]):
        rows.append((text, f"base{number}", "base"))
    long, short = rows[:BASE_LONG], rows[BASE_LONG:]
    for kind, (make, bases) in COPIES.items():  # no text is copied twice: a copy of a copy would be judged too
        for _ in range(n):
            text, family, _ = (long if bases == "long" else short).pop()
            rows.append((make(text, rng), family, kind))
    for kind, make in HARD.items():
        rows += [
            (text, f"{kind}{number}", kind)
            for number, text in enumerate(make(n, quotations[BASE_LONG:], queries[BASE_SHORT:], rng))
        ]
    rng.shuffle(rows)
    return rows


def typed_wrong(text: str, rng: random.Random) -> str:
    """A letter left out, doubled, or changed with the next, one in about 80 characters, at least one."""
    letters = list(text)
    places = [i for i in range(1, len(text) - 1) if text[i - 1 : i + 2].isalpha() and text[i : i + 2].islower()]
    for place in sorted(rng.sample(places, min(len(places), max(1, len(text) // 80))), reverse=True):
        how = rng.randrange(3)
        letters[place : place + 2] = {
            0: letters[place + 1 : place + 2],
            1: [letters[place], *letters[place : place + 2]],
            2: letters[place : place + 2][::-1],
        }[how]
    return "".join(letters)


def respaced(text: str, rng: random.Random) -> str:
    """Other case, blanks and punctuation."""
    return re.sub(r"[,;—-]+", " ", text).upper().replace(" ", "  ") + " "


def word_left_out(text: str, rng: random.Random) -> str:
    """Two in a hundred words left out, at least one."""
    words = text.split()
    for _ in range(max(1, len(words) // 50)):
        words.pop(rng.randrange(len(words)))
    return " ".join(words)


def head(text: str, rng: random.Random) -> str:
    """The first 70%."""
    return text[: int(0.7 * len(text))]


def tail(text: str, rng: random.Random) -> str:
    """The last 70%."""
    return text[int(0.3 * len(text)) :]


def half(text: str, rng: random.Random) -> str:
    """The middle 50%."""
    return text[len(text) // 4 : -len(text) // 4]


def quoted(text: str, rng: random.Random) -> str:
    """In a reply: marks before each line, words before and after."""
    lines = "\n".join("> " + line for line in text.splitlines())
    front, behind = f"Found in my old mailbox number {rng.randrange(999)}.", f"I smile, {rng.randrange(99)} years on."
    return f"{front}\n\n{lines}\n\n{behind}"


COPIES = {
    "errors of typing": (typed_wrong, "long"),
    "errors of typing, short": (typed_wrong, "short"),
    "case, blanks, punctuation": (respaced, "long"),
    "words left out": (word_left_out, "long"),
    "first 70%": (head, "long"),
    "last 70%": (tail, "long"),
    "middle 50%": (half, "long"),
    "quoted in a reply": (quoted, "long"),
}


def run(work: Path) -> Snapshot:
    """One night of the texts."""
    values = {
        "name": "texts", "modality": "text", "source": {"kind": "table", "path": "texts.parquet"},
        "project": {"methods": ["pca"]}, "metrics": {"label_issues": False},
    }  # fmt: skip
    return run_night(make_spec(values, base=work.resolve()), Workspace((work / "home").resolve(), "texts"))


def measure(snapshot: Snapshot, rows: Rows) -> dict:
    """Recall of each kind of copy by tier, and right and wrong pairs of each tier."""
    text, family, kind = zip(*rows, strict=True)
    position = dict(pl.read_parquet(snapshot.parts("samples"), columns=["sample_id", "position"]).iter_rows())
    members = pl.read_parquet(snapshot.parts("duplicates"))
    judged, tiers, unsure = defaultdict(Counter), defaultdict(Counter), []
    for row in members.filter(pl.col("sample_id") != pl.col("group_id")).to_dicts():
        a, b = position[row["sample_id"]], position[row["group_id"]]
        if family[a] == family[b]:
            judged[row["tier"]]["right"] += 1
            tiers[kind[a] if kind[a] != "base" else kind[b]][row["tier"]] += 1
        elif {kind[a], kind[b]} <= {"base", *COPIES}:
            judged[row["tier"]]["of base texts"] += 1
            unsure.append((row["tier"], round(row["similarity"], 2), text[b], text[a]))
        else:
            judged[row["tier"]][f"wrong: {kind[a] if kind[a] not in COPIES else kind[b]}"] += 1
            print("WRONG", row["tier"], round(row["similarity"], 2), repr(text[b]), repr(text[a]), sep="\n  ")
    for pair in random.Random(0).sample(unsure, min(60, len(unsure))):
        print(pair[0], pair[1], repr(pair[2][:300]), repr(pair[3][:300]), sep="\n  ")
    planted = Counter(kind)
    recall = {name: {"planted": planted[name], **tiers[name]} for name in COPIES}
    return {
        "copies": recall,
        "tiers": {tier: dict(counts) for tier, counts in judged.items()},
        "hard": {k: planted[k] for k in HARD},
    }


if __name__ == "__main__":
    main()
