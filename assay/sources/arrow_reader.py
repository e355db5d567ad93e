"""Arrow streams, as `datasets` saves them, as batches; class names from the features in the file's own metadata."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from assay.contracts.errors import DamagedTable
from assay.sources.batches import BATCH_CHARACTERS, BATCH_ROWS, HALF_WRITTEN, Batch, Rules, unique_names
from assay.sources.parquet_reader import class_names, named

MAGIC = b"ARROW1"  # at the start of the file format, which is read as well as streams


def read_arrow(file: BinaryIO, name: str, _: Rules) -> Iterator[Batch]:
    """Batches of Arrow arrays of some 16 MiB.

    Raises:
        SourceError: the file is cut off or damaged, or two columns have one name.
    """
    try:
        start = 0
        is_file = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        unique_names(list(reader.schema.names), name)
        names = class_names(reader.schema.metadata)
        for record in _records(reader):
            record.validate(full=True)
            step = max(min(BATCH_CHARACTERS * max(record.num_rows, 1) // max(record.nbytes, 1), BATCH_ROWS), 1)
            for first in range(0, record.num_rows, step):
                part = record.slice(first, step)
                columns = dict(zip(part.schema.names, part.columns, strict=True))
                columns |= {column: named(columns[column], names[column]) for column in names if column in columns}
                yield Batch(list(range(start, start + part.num_rows)), columns)
                start += part.num_rows
        if not is_file and file.read(1):
            raise ValueError("there are bytes after the stream's end")
    except (pa.ArrowException, OSError, ValueError, MemoryError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"[:300]
        raise DamagedTable(f"{name} is not a whole Arrow file ({problem}); {HALF_WRITTEN}") from None


def _records(reader: "pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader") -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    else:
        yield from reader
