"""Everything that assay is put through, and a table of what it lost, which is to say 0 in every row.

    python -m benchmarks.hardening [--minutes 20] [--share 1.0] [--only kills,disk.in_home] [--results FILE] [--write]
    python -m benchmarks.hardening --short                 # a try of two kinds, within a minute

Each row ends after `--minutes`, however many tries there were; the table says how many. Kinds are kept in the results
file as they come: one that is there already is not tried again, so what was interrupted goes on; with `--more` it is
tried again and the tries are added. `--write` puts the table into docs/reliability.md. Exit status 1: something was
lost.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.hardening import common

KINDS = "kills,disk,limits,places,power,clocks,rot,strangers,api,corpus,together,serve,deploy"
SHORT = "kills.at_every_step,disk.in_home"
ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->"


def main() -> int:
    """Try, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="of one row")
    parser.add_argument("--share", type=float, default=1.0, help="of the counts: 0.1 is a hundred kills")
    parser.add_argument("--only", help="kinds, or KIND.FUNCTION for one row of it")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--more", action="store_true", help="add to the tries that are in the results file")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--short", action="store_true", help="a try or two of each")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    share, seconds = (0.001, 3.0) if chosen.short else (chosen.share, 60 * chosen.minutes)
    done = _read(chosen.results)
    with tempfile.TemporaryDirectory(prefix="hardening-", ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        base.chmod(0o755)
        common.warm(base)
        bench = common.Bench(base, share, seconds, chosen.seed)
        for kind in (chosen.only or (SHORT if chosen.short else KINDS)).split(","):
            if kind in done and not chosen.more:
                continue
            print(f"{kind} …", file=sys.stderr, flush=True)
            began = time.monotonic()
            name, _, function = kind.partition(".")
            found = getattr(importlib.import_module(f"benchmarks.hardening.{name}"), function or "rows")(bench)
            minutes = (time.monotonic() - began) / 60
            rows = [json.loads(row.as_json()) for row in (found if isinstance(found, list) else [found])]
            done[kind] = _added(done.get(kind), kind, rows, minutes, chosen.seed)
            if chosen.results is not None:
                chosen.results.write_text("".join(json.dumps(each) + "\n" for each in done.values()))
    table = _table(done)
    print(table)
    if chosen.write:
        said = TABLE.read_text(encoding="utf-8")
        start, end = said.index(BEGIN) + len(BEGIN), said.index(END)
        TABLE.write_text(said[:start] + table + said[end:], encoding="utf-8")
    return int(any(row["lost"] for entry in done.values() for row in entry["rows"]))


def _read(results: Path | None) -> dict[str, dict]:
    """The kinds that were tried already."""
    if results is None or not results.exists():
        return {}
    return {entry["kind"]: entry for entry in map(json.loads, results.read_text().splitlines())}


def _added(before: dict | None, kind: str, rows: list[dict], minutes: float, seed: int) -> dict:
    """The entry of a kind, with the tries of an earlier one."""
    for old, new in zip(before["rows"] if before else [], rows, strict=False):
        new |= {key: old[key] + new[key] for key in ("tried", "survived", "lost")}
    spent = round(minutes + (before["minutes"] if before else 0.0), 1)
    seeds = [*(before["seeds"] if before else []), seed]
    return {"kind": kind, "on": f"{datetime.now(UTC):%Y-%m-%d}", "minutes": spent, "seeds": seeds, "rows": rows}


def _table(done: dict[str, dict]) -> str:
    """As Markdown."""
    lines = ["| what was done | tried | survived | lost |", "|---|---|---|---|"]
    for entry in done.values():
        for row in entry["rows"]:
            words = f"{row['kind']} — not tried: {row['left_out']}" if row["left_out"] else row["kind"]
            lines.append(f"| {words} | {row['tried']:,} | {row['survived']:,} | {len(row['lost'])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
