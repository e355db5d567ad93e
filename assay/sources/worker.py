"""Parquet and Arrow read in a process of its own: what ends its reader, or fills its memory, costs that file
alone.

Arrow's reader is C++ on bytes that anybody may have made. The worker has a limit on memory and nothing open but two
pipes: the bytes of the file come to it through one as it asks for them, and what it made of them goes back through the
other as Arrow's own stream, never as a pickle.

    worker → here   kind (1 byte), length (8 bytes), payload: r(ead offset, size), s(aid), b(atch), e(rror),
                    x (the file is damaged), d(one)
    here → worker   length (8 bytes), payload: the file's name and size, then what each r asks for
"""

import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from assay.contracts.errors import DamagedTable, SourceError
from assay.sources.batches import HALF_WRITTEN, Batch, Rules

MEMORY_BYTES = 6 * 2**30  # of address space, beyond what the worker has when it starts
SECONDS = 300.0  # without a word from the worker
IDLE = 2  # workers that are kept for the next file
CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from assay.sources.worker import work; work()"

_idle: list["_Worker"] = []
_lock = threading.Lock()


def read_in_worker(file: BinaryIO, name: str, rules: Rules) -> Iterator[Batch]:
    """As `parquet_reader.read_parquet`, in a worker.

    Raises:
        SourceError: as it does.
        DamagedTable: as it does; or the worker died or fell silent over the file.
    """
    with _lock:
        worker = _idle.pop() if _idle else None
    worker = worker or _Worker()
    try:
        yield from worker.read(file, name)
    except (BrokenPipeError, EOFError) as error:
        raise DamagedTable(
            f"{name} cannot be read: the process that reads it {worker.ending()}, so its bytes are damaged, or made to "
            "do that. Take it out with source.exclude, or write it again"
        ) from error
    except OSError as error:
        raise SourceError(f"{name} cannot be read ({error}); {HALF_WRITTEN}") from None
    finally:
        worker.rest()


class _Worker:
    """A process that reads one file after another."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", CODE, json.dumps(sys.path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin
        assert self.process.stdout
        self._to, self._from = self.process.stdin, self.process.stdout
        self.is_between_files, self.silent = True, False

    def read(self, file: BinaryIO, name: str) -> Iterator[Batch]:
        """The batches of one file."""
        self.is_between_files = False
        size = file.seek(0, io.SEEK_END)
        self._send(json.dumps([name, size]).encode())
        while True:
            kind, payload = self._receive()
            if kind == b"r":
                offset, count = json.loads(payload)
                file.seek(offset)
                self._send(file.read(count))
            elif kind == b"s":
                yield Batch(said=json.loads(payload))
            elif kind == b"b":
                yield _unpacked(payload)
            else:
                self.is_between_files = True
                if kind == b"x":
                    raise DamagedTable(json.loads(payload))
                if kind == b"e":
                    raise SourceError(json.loads(payload))
                return

    def ending(self) -> str:
        """How it ended, in words."""
        if self.silent:
            return f"said nothing for {SECONDS:g} seconds"
        self.process.kill()  # of no effect where it has ended
        return f"ended with status {self.process.wait()}"

    def rest(self) -> None:
        """Keep it for the next file, or end it where it is in the middle of one."""
        with _lock:
            if self.is_between_files and len(_idle) < IDLE:
                _idle.append(self)
                return
        self.process.kill()
        self.process.wait()
        for pipe in (self._to, self._from):
            with contextlib.suppress(OSError):
                pipe.close()

    def _send(self, payload: bytes) -> None:
        _write(self._to, struct.pack("<q", len(payload)) + payload)

    def _receive(self) -> tuple[bytes, bytes]:
        watch = threading.Timer(SECONDS, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            kind, length = struct.unpack("<cq", _exactly(self._from, 9))
            return kind, _exactly(self._from, length)
        finally:
            watch.cancel()

    def _give_up(self) -> None:
        self.silent = True
        self.process.kill()


def _unpacked(payload: bytes) -> Batch:
    (length,) = struct.unpack("<q", payload[:8])
    start, count, names, plain = json.loads(payload[8 : 8 + length])
    with pa.ipc.open_stream(payload[8 + length :]) as stream:
        batch = stream.read_next_batch()
    columns = plain | dict(zip(batch.schema.names, batch.columns, strict=True))
    return Batch(list(range(start, start + count)), {name: columns[name] for name in names})


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError("the pipe ended")
    return data


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(data)
    pipe.flush()


class _Asked(io.RawIOBase):
    """In the worker: the file whose bytes come through the pipe."""

    def __init__(self, size: int, source: IO[bytes], answer: IO[bytes]) -> None:
        self._at, self._size, self._in, self._out = 0, size, source, answer

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As a file's."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Ask for as many bytes as fit."""
        wanted = max(min(len(buffer), self._size - self._at), 0)
        _frame(self._out, b"r", json.dumps([self._at, wanted]).encode())
        (length,) = struct.unpack("<q", _exactly(self._in, 8))
        buffer[:length] = _exactly(self._in, length)
        self._at += length
        return length


def _frame(pipe: IO[bytes], kind: bytes, payload: bytes) -> None:
    _write(pipe, struct.pack("<cq", kind, len(payload)) + payload)


def work() -> None:
    """The worker: files are read until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    from assay.sources.arrow_reader import read_arrow
    from assay.sources.parquet_reader import read_parquet

    source, answer = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _limit_memory()
    while len(head := source.read(8)) == 8:
        name, size = json.loads(_exactly(source, struct.unpack("<q", head)[0]))
        try:
            read = read_arrow if name.endswith(".arrow") else read_parquet
            for batch in read(cast(BinaryIO, _Asked(size, source, answer)), name, Rules()):
                if batch.said:
                    _frame(answer, b"s", json.dumps(batch.said).encode())
                else:
                    _frame(answer, b"b", _packed(batch))
            _frame(answer, b"d", b"")
        except DamagedTable as error:
            _frame(answer, b"x", json.dumps(str(error)).encode())
        except SourceError as error:
            _frame(answer, b"e", json.dumps(str(error)).encode())
        except MemoryError:
            problem = f"{name} takes more than {MEMORY_BYTES / 2**30:g} GiB to read; {HALF_WRITTEN}"
            _frame(answer, b"x", json.dumps(problem).encode())
        except Exception as error:  # a fault of ours, or of a library on hostile bytes: the file's, either way
            _frame(answer, b"x", json.dumps(f"{name} cannot be read ({type(error).__name__}: {error})"[:500]).encode())


def _packed(batch: Batch) -> bytes:
    plain = {name: column for name, column in batch.columns.items() if not isinstance(column, pa.Array)}
    arrays = {name: _of_batch(column) for name, column in batch.columns.items() if isinstance(column, pa.Array)}
    record = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, record.schema) as writer:
        writer.write_batch(record)
    head = json.dumps([batch.rows[0] if batch.rows else 0, len(batch.rows), list(batch.columns), plain]).encode()
    return struct.pack("<q", len(head)) + head + stream.getvalue().to_pybytes()


def _of_batch(column: pa.Array) -> pa.Array:
    """A column whose dictionary is that of a whole row group, with what these rows use of it; others as they are."""
    if not pa.types.is_dictionary(column.type) or len(column.dictionary) <= len(column):
        return column
    used = column.indices.drop_null().unique()
    places = pc.index_in(column.indices, used)
    return pa.DictionaryArray.from_arrays(places, column.dictionary.take(used))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        now = 2 * 2**30
    limit = now + MEMORY_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
