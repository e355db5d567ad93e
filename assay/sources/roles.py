"""Which column of a table is what: the roles that assay knows, and the further columns, which become group columns."""

from collections.abc import Mapping
from dataclasses import dataclass

from assay.contracts.errors import SourceError
from assay.contracts.tables import Ingested
from assay.sources.readers import COLUMN_LIMIT, Batch

ROLES = ("sample_id", "uri", "text", "vector", "label", "split")
RESERVED = frozenset(name.casefold() for name in Ingested.columns())


@dataclass(frozen=True)
class Roles:
    """`content` is the role that holds the samples (uri, text or vector); `columns` maps roles to a file's names."""

    content: str
    columns: Mapping[str, str]
    with_vector: bool  # carry a vector beside a uri or a text

    def name(self, role: str) -> str:
        """The file's name for a role."""
        return self.columns.get(role, role)

    def assign(self, batch: Batch, file: str, has_split: bool) -> tuple[dict, dict, set[str]]:
        """A batch's columns by role, the further ones by name, and the names of those left out.

        Raises:
            SourceError: the column that holds the samples is absent, or a name clashes with one of `samples`.
        """
        columns = dict(batch.columns)
        if self.name(self.content) not in columns:
            if not batch.is_sparse:
                raise SourceError(self._no_content(file, list(columns)))
            columns[self.name(self.content)] = [None] * len(batch.rows)
        used = {role: self.name(role) for role in ROLES if self.name(role) in columns and self._is_used(role)}
        left_out = {self.name("vector")} & set(columns) if "vector" not in used else set()
        taken = set(used.values()) | left_out
        further = {name: column for name, column in columns.items() if name not in taken}
        if has_split and "split" in used:
            raise SourceError(f"{file} has a `split` column, and source.files names its split too; keep one of them")
        _refuse_clash(further, file)
        return {role: columns[name] for role, name in used.items()}, further, left_out

    def refuse_absent(self, seen: set[str], files: str) -> None:
        """Raises `SourceError` where `source.columns` names a column that no file has."""
        for role, name in self.columns.items():
            if name not in seen:
                raise SourceError(
                    f"source.columns says {role} = {name!r}, and no such column is in {files}; "
                    f"the columns there are {_listed(sorted(seen))}"
                )

    def _is_used(self, role: str) -> bool:
        """A text beside other content is a group column; a vector beside other content is carried where asked for."""
        if role == "text":
            return self.content == "text"
        return role != "vector" or self.content == "vector" or self.with_vector

    def _no_content(self, file: str, columns: list[str]) -> str:
        return (
            f"{file} has no column {self.name(self.content)!r}, which would hold the samples; its columns are "
            f'{_listed(columns)}. Name the right one in the spec: source.columns = {{ {self.content} = "…" }}'
        )


def _refuse_clash(further: Mapping, file: str) -> None:
    if len(further) > COLUMN_LIMIT:
        raise SourceError(f"{file} has {len(further):,} columns; wanted at most {COLUMN_LIMIT:,}")
    for name in further:
        if name.casefold() in RESERVED:
            role = next((role for role in ROLES if role == name.casefold() and role != name), "")
            hint = f", or say in the spec: source.columns = {{ {role} = {name!r} }}" if role else ""
            raise SourceError(
                f"{file} has a column {name!r}, a name that the table `samples` needs for itself; rename it{hint}"
            )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (" …" if len(names) > 20 else "")
