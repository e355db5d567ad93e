"""Every error that assay raises on purpose.

    AssayError                  exit status 1
    ├── SpecError               2  the spec, or what was typed on the command line
    ├── SourceError             2  the source data as a whole cannot be used tonight
    │   ├── DamagedTable        -  one of its files is not whole; where others are, a row of `rejects`
    │   └── UnreadableSample    -  one sample cannot be; it becomes a row of `rejects`
    ├── EmbedderError           2  the embedder's weights or package cannot be had
    ├── SnapshotError           1  a published snapshot is missing, broken or from another version
    ├── StoreError              1  the object store of a home cannot be used
    │   └── TakenError          1  another publisher was first
    ├── EngineError             1  the machines that partitions are sent to cannot be had, or are lost
    ├── ContractError           1  a stage's own output broke its contract: a defect in assay
    └── BusyError               1  another process holds the lock of the dataset, or of the home's schedule
        └── QueuedError         1  and a scheduled night waits for it already

A message says what was found, what was wanted, and what to do next.
"""


class AssayError(Exception):
    """Base of all of them. `exit_status` is what the command line returns."""

    exit_status = 1


class SpecError(AssayError):
    """The dataset spec or a command-line argument is wrong."""

    exit_status = 2


class SourceError(AssayError):
    """The source is absent, half-written, empty or shrunk beyond its limit."""

    exit_status = 2


class DamagedTable(SourceError):
    """A Parquet or Arrow file of the source is not whole, or ends what reads it."""


class UnreadableSample(SourceError):
    """One sample cannot be read or decoded; `reason` is a code of `rejects.reason`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class EmbedderError(AssayError):
    """The embedder asked for cannot be had here; it is never replaced quietly by another."""

    exit_status = 2


class SnapshotError(AssayError):
    """No such snapshot, or one that fails its own digests."""


class StoreError(AssayError):
    """The object store of a home cannot be reached, read or written, or does not keep its promises."""


class TakenError(StoreError):
    """The number of a snapshot was taken by another publisher of the same home."""


class EngineError(AssayError):
    """The cluster that a night's partitions are sent to does not answer, does not fit, or is lost."""


class ContractError(AssayError):
    """A stage wrote rows that its contract forbids."""


class BusyError(AssayError):
    """Another process is running the same dataset."""


class QueuedError(BusyError):
    """Another night waits for that already."""
