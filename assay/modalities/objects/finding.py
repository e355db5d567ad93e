"""Which picture of a folder an annotation means, and which split a picture is in."""

import re
from collections import defaultdict
from collections.abc import Iterable

from assay.contracts.errors import UnreadableSample
from assay.contracts.splits import split_kind


class Pictures:
    """The pictures of a folder by the names that annotations give them."""

    def __init__(self, uris: Iterable[str]) -> None:
        self._uris = set(uris)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for uri in sorted(self._uris):
            name = uri.rpartition("/")[2]
            self._by_name[name].append(uri)
            self._by_stem[name.rpartition(".")[0] or name].append(uri)
        self._found: dict[tuple[str, str], str | UnreadableSample] = {}

    def find(self, name: str, file: str) -> str:
        """The uri of the picture that the annotations in `file` call `name`: below the folder of these, below the
        root, or anywhere that ends so; of several the one whose folder is named in the file's own path.

        Raises:
            UnreadableSample: `outside_root`, `not_found` or `ambiguous_image`.
        """
        key = name, file
        if key not in self._found:
            try:
                self._found[key] = self._search(name.replace("\\", "/").removeprefix("./"), file)
            except UnreadableSample as problem:
                self._found[key] = problem
        found = self._found[key]
        if isinstance(found, UnreadableSample):
            raise UnreadableSample(found.reason, found.detail)
        return found

    def _search(self, name: str, file: str) -> str:
        steps = name.split("/")
        if name.startswith("/") or ".." in steps or ":" in steps[0]:
            raise UnreadableSample("outside_root", f"the picture {name!r:.100} lies outside the source")
        beside = "/".join([*file.split("/")[:-1], name])
        for uri in (beside, name):
            if uri in self._uris:
                return uri
        found = [uri for uri in self._by_name.get(steps[-1], []) if f"/{uri}".endswith(f"/{name}")]
        return self._one(found, name, file)

    def beside(self, file: str) -> str | None:
        """The picture of a label file of its own: of the same name but for the ending, in the same folder or in
        `images` where the file is in `labels`; None where there is none."""
        folder, _, name = file.rpartition("/")
        stem = name.rpartition(".")[0]
        steps = folder.split("/")
        places = {folder, "/".join("images" if step == "labels" else step for step in steps)}
        found = [uri for uri in self._by_stem.get(stem, []) if uri.rpartition("/")[0] in places]
        return found[0] if found else None

    def of_stem(self, name: str, file: str) -> str:
        """As `find`, by the name without its ending: XML files are often right about nothing else."""
        stem = name.rpartition("/")[2].rpartition(".")[0] or name
        return self._one(self._by_stem.get(stem, []), name, file)

    def _one(self, found: list[str], name: str, file: str) -> str:
        if len(found) > 1:
            words = set(re.split(r"[\W_]+", file.casefold()))
            found = [uri for uri in found if words & {step.casefold() for step in uri.split("/")[:-1]}] or found
        if not found:
            raise UnreadableSample("not_found", f"no picture {name!r:.100} is in the source")
        if len(found) > 1:
            raise UnreadableSample(
                "ambiguous_image",
                f"{name!r:.100} is the end of {len(found):,} paths, such as {found[0]} and {found[1]}",
            )
        return found[0]


def split_of(uri: str, file: str) -> str | None:
    """The split that a folder of the picture is named for, or else a word of the annotations' path."""
    for step in uri.split("/")[:-1]:
        if split_kind(step):
            return step
    words = [word for word in re.split(r"[^A-Za-z0-9]+", file.rpartition(".")[0]) if split_kind(word)]
    return words[0] if len({split_kind(word) for word in words}) == 1 else None
