"""The bytes of a sample's content, whether it is a file of its own or a part of one."""

import functools
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from assay.contracts.errors import UnreadableSample
from assay.contracts.spec import Spec
from assay.sources.files import Source, open_source, read_content

T = TypeVar("T")
Content = tuple[str, Sequence[str]]  # its hash, and the uris that hold it
Read = Callable[[Sequence[str], str], bytes]


@dataclass(frozen=True)
class Unmeasured:
    """Why a content could not be measured; `lasting`: because of what it is, so that trying again is of no use."""

    reason: str
    detail: str
    lasting: bool


def measure_each(
    measure: Callable[[bytes], T], source: Source, contents: Sequence[Content], passing: Collection[str] = ()
) -> list[T | Unmeasured]:
    """`measure` of the bytes of each content, in their order. `passing`: its reasons that may be gone another time."""
    found: list[T | Unmeasured] = []
    for content_hash, uris in contents:
        try:
            data = read_content(source, uris, content_hash)
        except UnreadableSample as error:
            found.append(Unmeasured(error.reason, error.detail, lasting=False))
            continue
        try:
            found.append(measure(data))
        except UnreadableSample as error:
            found.append(Unmeasured(error.reason, error.detail, lasting=error.reason not in passing))
    return found


def with_places(samples: pl.DataFrame, chunks: Sequence[Sequence[str]]) -> list[list[Content]]:
    """Chunks of content hashes, each with the uris of the samples that hold it, in their order."""
    wanted = pl.Series(list(itertools.chain(*chunks)), dtype=pl.String)
    here = samples.lazy().filter(pl.col("content_hash").is_in(wanted.implode()))
    places = dict(here.group_by("content_hash", maintain_order=True).agg("uri").collect().iter_rows())
    return [[(content_hash, places[content_hash]) for content_hash in chunk] for chunk in chunks]


def open_reader(spec: Spec, source: Source | None = None) -> Read:
    """A function from a content's places and its hash to its bytes, checked against the hash.

    It raises `UnreadableSample` where none of the places holds it any more. Parts are read fastest in the order of
    their files.
    """
    source = source or open_source(spec)
    own = spec.data.reader
    return own(spec, source) if own else functools.partial(read_content, source)
