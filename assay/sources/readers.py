"""CSV, JSONL and Parquet as batches of columns, in bounded memory; a row that cannot be read is set aside.

Text that is not valid Unicode comes out with lone surrogates in it, which `rows.py` refuses row by row; no reader
raises anything but `SourceError`, which is for a file that is cut off or broken as a whole.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from assay.sources.batches import Batch, Rules
from assay.sources.csv_reader import read_csv, read_tsv
from assay.sources.json_reader import read_jsonl
from assay.sources.worker import read_in_worker

Reader = Callable[[BinaryIO, str, Rules], Iterator[Batch]]
READERS: dict[str, Reader] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "tab": read_tsv,
    "jsonl": read_jsonl,
    "ndjson": read_jsonl,
    "parquet": read_in_worker,
    "pq": read_in_worker,
}
ENDINGS = ", ".join(f".{ending}" for ending in READERS)


def reader_of(name: str) -> Reader | None:
    """The reader for a file name's ending: `(file, name, rules) → batches`; None where there is none."""
    return READERS.get(name.lower().rsplit(".", 1)[-1] if "." in name else "")
