"""Arrays that are kept from night to night: a base, and what each later night added.

    FOLDER/kept.json            what counts, in order, with digests and a few numbers; sealed, and written last
    FOLDER/base-000007.npz
    FOLDER/delta-000008.npz

A file is written aside and renamed, and counts once `kept.json` names it, so a night that is killed leaves what was
kept before. What is not as it was written is reported, and nothing is kept any longer: whoever kept it makes it anew.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assay.store.digests import problem_of, read_sealed, take, write_sealed
from assay.store.files import atomic_file

FORMAT = 1
HEAD = "kept.json"
FILE = re.compile(r"(?:base|delta)-(\d{6,})\.npz")


def kept_folders(root: Path) -> list[Path]:
    """The folders below `root` with such files."""
    return sorted({path.parent for path in root.rglob("*.npz") if FILE.fullmatch(path.name)})


@dataclass(frozen=True)
class Head:
    """What `kept.json` says: `about` is the keeper's own, `files` each have a `name` and a `FileDigest`."""

    about: Mapping[str, Any]
    files: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True)
class KeptArrays:
    """The arrays that are kept in one folder."""

    folder: Path

    def head(self) -> Head | None:
        """What is kept; None where nothing is, or where it cannot be believed."""
        try:
            stored = read_sealed(self.folder / HEAD)
            return Head(dict(stored["about"]), tuple(stored["files"])) if stored["format"] == FORMAT else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._report(HEAD, str(error))
            return None

    def load(self, head: Head) -> list[dict[str, np.ndarray]] | None:
        """The arrays of each file; None where one of them is not as it was written."""
        for file in head.files:
            if problem := problem_of(self.folder / file["name"], file):
                self._report(file["name"], problem)
                return None
        found = []
        for file in head.files:
            with np.load(self.folder / file["name"], allow_pickle=False) as arrays:
                found.append(dict(arrays))
        return found

    def write(self, head: Head, kind: str, arrays: Mapping[str, np.ndarray]) -> None:
        """One more file, a `base` or a `delta`, after those of `head`; what the new head does not name is removed."""
        path = self.folder / f"{kind}-{self._newest() + 1:06d}.npz"
        with atomic_file(path) as aside, aside.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        files = [*head.files, {"name": path.name, **take(path)}]
        write_sealed(self.folder / HEAD, {"format": FORMAT, "about": dict(head.about), "files": files})
        for old in self._unnamed({file["name"] for file in files}):
            old.unlink(missing_ok=True)

    def remains(self) -> list[Path]:
        """Files that do not count: of a killed night, or of a head that is damaged."""
        head = self.head()
        return self._unnamed({str(file["name"]) for file in head.files} if head else set())

    def _unnamed(self, names: set[str]) -> list[Path]:
        found = [path for path in sorted(self.folder.glob("*.npz")) if FILE.fullmatch(path.name)]
        return [path for path in found if path.name not in names]

    def _newest(self) -> int:
        """The greatest number of a file that is there, so that no file that counts is ever written over."""
        found = [int(match[1]) for path in self.folder.glob("*.npz") if (match := FILE.fullmatch(path.name))]
        return max(found, default=0)

    def _report(self, name: str, problem: str) -> None:
        print(f"damaged: {self.folder / name}: {problem}; it is made anew", file=sys.stderr)
