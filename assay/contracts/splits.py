"""What people call their splits: the one vocabulary, for folders, columns, classes and the order of keeping."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

WORDS = {
    "train": {"train", "training", "trn", "tr"},
    "validation": {"validation", "validate", "validating", "valid", "val", "dev", "devel", "development", "eval",
                   "evaluation"},
    "test": {"test", "testing", "tst", "te", "holdout", "heldout"},
    "unlabelled": {"unlabelled", "unlabeled", "unsup", "unsupervised", "pred", "predict", "prediction", "predictions",
                   "inference"},
    "fold": {"fold", "kfold"},
}  # fmt: skip
NO_LABEL = frozenset({"unlabelled", "unlabeled", "unsup", "unsupervised"})  # nor is it a class where classes stand
FILLER = frozenset(
    {"set", "data", "dataset", "image", "images", "img", "imgs", "text", "texts", "audio", "video", "videos", "file",
     "files", "sample", "samples", "split", "folder", "dir", "x", "full", "all", "small", "mini", "raw", "v"}
)  # fmt: skip
KIND = {word: kind for kind, words in WORDS.items() for word in words}


def split_kind(name: str | None) -> str | None:
    """`train`, `validation`, `test`, `unlabelled` or `fold` for a name that says so, such as `Train`, `test_set`,
    `val2017` or `hold-out`; None for any other."""
    kinds = _kinds(_words(name or ""))
    return kinds[0] if len(kinds) == 1 and kinds[0] is not None else None


def split_kinds(names: Iterable[str]) -> dict[str, str] | None:
    """The kind of each of some folders that stand side by side; None unless every one is a split.

    What all names share is no matter (`seg_train`, `seg_test`), nor is what two splits share (`train-clean`,
    `test-clean`, `test-other`). A night of nothing but unlabelled samples has no splits.
    """
    names = list(names)
    words = {name: _words(name) for name in names}
    shared = set.intersection(*map(set, words.values())) - KIND.keys() if len(names) > 1 else set()
    found = {name: _kinds([word for word in words[name] if word not in shared]) for name in names}
    if not all(len(kinds) == 1 and kinds[0] for kinds in found.values()):
        found = {name: [_outer_kind(words[name])] for name in names}
        rest = Counter(word for given in words.values() for word in set(given) if word not in KIND)
        alike = any(n > 1 for word, n in rest.items() if word not in FILLER)
        if not alike or {"train"} == {kinds[0] for kinds in found.values()}:
            return None
    kinds = {name: given[0] for name, given in found.items() if given and given[0]}
    labelled = set(kinds.values()) - {"unlabelled"}
    return kinds if names and len(kinds) == len(names) and labelled else None


def split_rank(name: str, order: Sequence[str]) -> int:
    """The place of a split in an order of names: its own, else the first of its kind (`train2017` as `train`), else
    after all of them."""
    if name in order:
        return order.index(name)
    kind = split_kind(name)
    alike = (place for place, other in enumerate(order) if kind and split_kind(other) == kind)
    return next(alike, len(order))


def is_no_class(name: str | None) -> bool:
    """Whether a folder that stands among classes says that its samples have none (`unlabeled`, `unsup`)."""
    return bool(name) and _words(name or "") != [] and all(word in NO_LABEL for word in _words(name or ""))


def _words(name: str) -> list[str]:
    """The words of a name, lower case, without numbers; `hold-out`, `trainset` and `testImages` are told apart."""
    plain = unicodedata.normalize("NFKC", name)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", plain).casefold()
    plain = re.sub(r"\b(hold|held)[\W_]+out\b", r"\1out", plain.replace("_", " "))
    found = []
    for word in re.findall(r"[^\W\d_]+", plain):
        ending = next((end for end in FILLER if len(end) > 2 and word.endswith(end) and word[: -len(end)] in KIND), "")
        found += [word[: -len(ending)], ending] if ending else [word]
    return found


def _kinds(words: list[str]) -> list[str | None]:
    """The kind of each word that is no filler; None for a word that names no split."""
    return [KIND.get(word) for word in words if word not in FILLER]


def _outer_kind(words: list[str]) -> str | None:
    """The kind that a name's first word names, or else its last."""
    return (KIND.get(words[0]) or KIND.get(words[-1])) if words else None
