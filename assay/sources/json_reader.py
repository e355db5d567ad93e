"""JSONL as batches of JSON values; a line that is no object is set aside."""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from assay.contracts.errors import SourceError
from assay.sources.batches import (
    BATCH_CHARACTERS,
    BATCH_ROWS,
    HALF_WRITTEN,
    LINE_LIMIT,
    Batch,
    Rules,
    mark_of,
    unique_names,
)
from assay.sources.unicode import is_unicode

TASK = {"data", "predictions", "meta"}  # of a labelling tool, as the explorer writes them


def read_jsonl(file: BinaryIO, name: str, rules: Rules) -> Iterator[Batch]:
    """Batches of JSON values, one object a line; columns are the keys seen in the batch.

    Raises:
        SourceError: a last line that is cut off, or more than `FILE_COLUMNS` keys.
    """
    encoding = rules.encoding or "utf-8"
    if "utf-16" in (mark_of(file), encoding.lower()[:6]):
        raise SourceError(f"{name} is encoded in UTF-16; save it as UTF-8")
    pending, objects, size, row = Batch(), [], 0, -1
    is_said = False
    for line, is_whole in _json_lines(file, name):
        if line is not None and not line.strip():
            continue
        row += 1
        found, reason, detail = _json_object(line, encoding)
        if reason and not is_whole:
            raise SourceError(f"{name}: the last line (row {row}) is cut off; {HALF_WRITTEN}")
        if reason:
            pending.refused.append((row, reason, detail))
            continue
        if "data" in found and found.keys() <= TASK and isinstance(found["data"], dict):
            found = found["data"]
            pending.said += (
                [] if is_said else [f"{name}: the `data` of each labelling task is read, nothing else of it"]
            )
            is_said = True
        pending.rows.append(row)
        objects.append(found)
        size += len(line or b"")
        if len(objects) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield _with_objects(pending, objects, name)
            pending, objects, size = Batch(), [], 0
    yield _with_objects(pending, objects, name)


def _json_lines(file: BinaryIO, name: str) -> Iterator[tuple[bytes | None, bool]]:
    """Each line, None for one over `LINE_LIMIT`, and whether it had its line end."""
    first = True
    while line := file.readline(LINE_LIMIT + 1):
        if first:
            line = line.removeprefix(codecs.BOM_UTF8)
            first = False
        if len(line) <= LINE_LIMIT:
            yield line, line.endswith(b"\n")
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT)
        yield None, True


def _json_object(line: bytes | None, encoding: str) -> tuple[dict[str, Any], str, str]:
    """`(object, reason, detail)` of one line."""
    if line is None:
        return {}, "too_large", f"a line of more than {LINE_LIMIT:,} bytes"
    try:
        found = json.loads(line.decode(encoding), object_pairs_hook=_unique_keys)
    except UnicodeDecodeError as error:
        return {}, "invalid_unicode", f"not {error.encoding.upper()}: {error.reason} at byte {error.start}"
    except _TwoKeys as error:
        return {}, "duplicate_key", f"two values for the key {str(error)!r:.100}"
    except (ValueError, RecursionError) as error:
        return {}, "invalid_json", f"{error}"[:200]
    if not isinstance(found, dict):
        return {}, "invalid_json", "not an object"
    if not all(map(is_unicode, found)):
        return {}, "invalid_unicode", "a key with a lone surrogate"
    return found, "", ""


class _TwoKeys(ValueError):
    pass


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise _TwoKeys(next(key for key in names if names.count(key) > 1))
    return found


def _with_objects(batch: Batch, objects: list[dict[str, Any]], name: str) -> Batch:
    keys = list(dict.fromkeys(key for found in objects for key in found))
    unique_names(keys, name)
    batch.is_sparse = True
    batch.columns = {key: [found.get(key) for found in objects] for key in keys}
    return batch
