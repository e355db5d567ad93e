"""The bytes of a sample's content, whether it is a file of its own or a part of one."""

import functools
from collections.abc import Callable, Sequence

from assay.contracts.modality import find_modality
from assay.contracts.spec import Spec
from assay.sources.files import Source, open_source, read_content

Read = Callable[[Sequence[str], str], bytes]


def open_reader(spec: Spec, source: Source | None = None) -> Read:
    """A function from a content's places and its hash to its bytes, checked against the hash.

    It raises `UnreadableSample` where none of the places holds it any more. Parts are read fastest in the order of
    their files.
    """
    source = source or open_source(spec)
    own = find_modality(spec.modality).reader
    return own(spec, source) if own else functools.partial(read_content, source)
