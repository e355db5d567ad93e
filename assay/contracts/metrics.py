"""One record a metric: its name, what it means, when it is an issue, and who can take the suspicion back.

Spec, report, explorer, decisions and docs are derived from these. What others bring is found through the entry-point
group `assay.metrics`: the entry point's name is the metric's, and what it loads is a `Metric` with `compute`. So a
spec can be checked by names alone, and nothing of theirs is imported before it is needed.
"""

import difflib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from assay.contracts.errors import AssayError, ContractError
from assay.contracts.plugins import load_plugin, registered

GROUP = "assay.metrics"


@dataclass(frozen=True)
class Metric:
    """A metric of single samples, as the rows of `scores` have it; a score runs from 0 (clean) to 1 (surely an issue).

    Attributes:
        name: as in `scores.metric`; lower case, no blanks.
        title: as a heading.
        meaning: what a high score says, a clause that goes on from "how" or "a copy of …".
        unit: of `scores.value`, the measurement behind the score.
        threshold: the score from which a sample is an issue where the spec says nothing else; None where what computes
            the metric decides by itself, or where it is never an issue.
        adjustable: whether a spec can set a threshold where there is none by default.
        leeway: how far the score must pass the threshold before the verdict of a sample changes that is what it was
            last night; for scores that move with the rest of the dataset.
        page: where the explorer lists it: of the label, or of the data.
        dismissed_by: the kinds of decision that take the suspicion back.
        version: of `compute`; raise it when its results change.
        compute: for metrics from outside: `(inputs) -> frame` with the columns sample_id, score and value, and
            `is_issue` where it has no threshold. `inputs` is an `assay.metrics.inputs.Inputs`, which is frozen.
    """

    name: str
    title: str
    meaning: str
    unit: str
    threshold: float | None = 0.5
    page: Literal["label", "data"] = "data"
    dismissed_by: tuple[str, ...] = ()
    adjustable: bool = False
    leeway: float = 0.0
    version: int = 1
    compute: Callable[..., Any] | None = None


_of_label = functools.partial(Metric, threshold=None, page="label", dismissed_by=("reject_label",))
BUILT_IN = (
    _of_label("label_issue", "Label issues", "how likely the given label is wrong", "confidence in the suggestion"),
    _of_label("wrong_class", "Wrong classes", "how likely a class that it carries is wrong", "classes"),
    _of_label("missing_class", "Missing classes", "how likely a class that it does not carry is missing", "classes"),
    _of_label("label_conflict", "Conflicting labels", "a copy of it carries another label", "copies"),
    Metric("off_class", "Off-class", "how far it is from the other samples of its class",
           "distance ÷ the class's median", 0.5, "label", ("reject_label",), leeway=0.1),
    Metric("duplicate", "Duplicates", "a copy of another sample", "similarity", None, dismissed_by=("keep",)),
    Metric("leak", "Leaks", "has a duplicate in another split", "similarity", None),
    Metric("outlier", "Outliers", "how far the sample is from everything else", "cosine distance", None,
           adjustable=True),
    Metric("junk_cluster", "Junk clusters", "in a small cluster apart from the rest", "cosine distance", leeway=0.1),
    Metric("knn_distance", "Distance to neighbours",
           "mean distance to its nearest neighbours, a part of the outlier score", "cosine distance", None),
    Metric("damaged", "Damaged", "how much of the content is lost, or made up in reading", "share of the content"),
    Metric("dark", "Dark", "how dark the image is, even in its brightest parts", "luminance"),
    Metric("bright", "Bright", "how washed out the image is, even in its darkest parts", "luminance"),
    Metric("blurry", "Blurry", "how little fine detail the image has", "variance of the Laplacian"),
    Metric("low_information", "Low information", "how little there is to see: almost one flat colour", "bits"),
    Metric("odd_aspect", "Odd aspect ratio", "how unusually long or tall the image is", "longer side ÷ shorter"),
    Metric("odd_size", "Odd size", "how unusual its size is in this dataset", "pixels"),
    Metric("grayscale", "Grayscale", "has no colour", "spread between channels"),
    Metric("wrong_caption", "Wrong captions", "how likely the caption belongs to another picture",
           "cosine with what fits", 0.5, "label", ("keep",)),
    Metric("shared_caption", "Shared captions", "how many other pictures have the same caption", "pictures"),
    Metric("unlike_caption", "Unlike captions", "how unlike the captions of copies of the picture are", "cosine", 0.5,
           "label", ("keep",)),
    Metric("tiny_box", "Tiny boxes", "how small the box is", "pixels, of a side"),
    Metric("cut_by_frame", "Out of frame", "how much of the box lies outside its picture", "share of the box"),
    Metric("odd_box_shape", "Odd box shape", "how unusually long or tall the box is for its class", "width ÷ height"),
    Metric("odd_box_size", "Odd box size", "how unusually large or small the box is for its class",
           "share of the picture"),
    Metric("same_box", "Boxed twice", "how far a box of its class covers the same", "intersection ÷ union"),
    Metric("other_class", "Boxed as two classes", "how far a box of another class covers the same",
           "intersection ÷ union", 0.5, "label", ("reject_label",)),
    Metric("swapped_box", "Swapped classes of boxes", "how far a detector takes the box for another class",
           "of the other classes' overlap × probability, less its own", 0.5, "label", ("reject_label",)),
    Metric("badly_placed_box", "Badly placed boxes", "how far a detector puts the object elsewhere",
           "intersection ÷ union"),
    Metric("missing_box", "Missing boxes", "how sure a detector is of an object beside it that has no box",
           "probability"),
    Metric("isolated_node", "Isolated nodes", "no edge ties it to another node, so it has no vector", "edges"),
    Metric("self_loop", "Self-loops", "how many edges go from the node to itself", "edges"),
    Metric("repeated_edge", "Repeated edges", "how many of its edges are given again", "edges"),
    Metric("dangling_edge", "Dangling edges", "how many of its edges lead to a node that is not there", "edges"),
    Metric("hub", "Hubs", "how unusually many edges it has in this graph", "edges"),
    Metric("twin_node", "Twins", "how many other nodes are tied to exactly the same ones", "nodes"),
    Metric("unlike_neighbors", "Unlike neighbours", "how few of the nodes that it is tied to have its label",
           "share with its label", 0.5, "label", ("reject_label",)),
    Metric("bad_features", "Bad features", "how many of its features are not numbers", "features"),
    Metric("cold_start", "Cold users and items", "how few took it, or how few it took", "items or users"),
    Metric("power_user", "Power users", "how unusually many interactions the user has", "interactions"),
    Metric("robotic", "Robots", "how regularly the user takes things, like a clock", "spread of the gaps ÷ their mean"),
    Metric("repeated_pair", "Repeated pairs", "how many of its interactions repeat an earlier one", "interactions"),
    Metric("twin_item", "Twin items", "how many other items exactly the same users took", "items"),
    Metric("odd_value", "Odd values", "how many of its values are far from those usual here", "interactions"),
    Metric("time_leak", "Told the future", "how much of the training data came after its test", "interactions"),
    Metric("unlisted_item", "Unlisted items", "how often it is taken, without being in the items", "interactions"),
    Metric("clipped", "Clipped", "how much of the sound is cut off at its ceiling", "share of the samples"),
    Metric("silent", "Silent", "how little of it can be heard", "share of the time"),
    Metric("noisy", "Noisy", "how little the sound stands out from its own noise", "decibels"),
    Metric("muffled", "Muffled", "how much of the range of its rate is empty", "share of the range"),
    Metric("dropouts", "Dropouts", "how much of the sound stands still in the middle", "share of the time"),
    Metric("cut_off", "Cut off", "how loud it is where it begins or ends", "share of its loudness"),
    Metric("dc_offset", "DC offset", "how far from zero its mean lies", "share of full scale"),
    Metric("channel_fault", "Channel fault", "two channels are copies, or cancel each other", "correlation"),
    Metric("out_of_range", "Out of range", "how much of it is beyond full scale, or no number", "share of the samples"),
    Metric("odd_duration", "Odd duration", "how unusually long or short it is in this dataset", "seconds"),
    Metric("odd_loudness", "Odd loudness", "how unusually loud or soft it is in this dataset", "decibels"),
    Metric("black", "Black", "how much of the video is black", "share of the frames"),
    Metric("motionless", "Motionless", "how much of the video stands still", "share of the frames"),
    Metric("frozen", "Frozen", "how long the picture of a moving video stands", "share of the time"),
    Metric("time_gaps", "Gaps", "how much of the time has no frames", "share of the time"),
    Metric("time_jumps", "Jumps", "how many frames come before the one before them", "share of the frames"),
    Metric("letterboxed", "Black bars", "how much of the picture is black bars", "share of the picture"),
    Metric("many_cuts", "Many cuts", "how often the scene changes, in this dataset", "cuts a minute"),
    Metric("no_sound", "No sound", "how much of the video has no sound beside it", "share of the time"),
    Metric("odd_rate", "Odd frame rate", "how unusual its frame rate is in this dataset", "frames a second"),
    Metric("near_empty", "Nearly empty", "almost no text", "characters"),
    Metric("boilerplate", "Boilerplate", "the same text as many other samples", "share of the text"),
    Metric("repetitive", "Repetitive", "repeats itself", "share of the trigrams"),
    Metric("shouting", "Shouting", "mostly upper case", "share of the letters"),
    Metric("garbled", "Garbled", "mostly characters that are neither letters nor digits", "share of the characters"),
    Metric("other_language", "Another language", "in another language than the rest", "probability"),
    Metric("rare_words", "Rare words", "of words that hardly any other text has", "share of its different words"),
)  # fmt: skip


def offered() -> tuple[str, ...]:
    """The names of the metrics that other packages bring; none is imported."""
    return tuple(registered(GROUP))


def from_outside() -> tuple[Metric, ...]:
    """The metrics that other packages bring, by name.

    Raises:
        SpecError: one cannot be imported.
        ContractError: one is no `Metric` that computes, or has a name that is taken.
    """
    return tuple(_load(name) for name in offered())


def _load(name: str) -> Metric:
    metric = load_plugin(GROUP, name)
    if not isinstance(metric, Metric) or metric.compute is None:
        raise ContractError(f"the metric {name!r} is {metric!r:.80}; wanted an assay Metric with `compute`")
    if metric.name != name or name in {built.name for built in BUILT_IN}:
        raise ContractError(
            f"the metric {name!r} calls itself {metric.name!r}; names must agree, and be none of assay's"
        )
    return metric


def described(name: str) -> Metric:
    """The record of a metric by its name; of one that nobody knows any more, a record that says so."""
    known = {metric.name: metric for metric in BUILT_IN}
    if name not in known and name in offered():
        try:
            return _load(name)
        except AssayError:  # whatever is wrong with it, a snapshot that has it can still be read
            pass
    return known.get(name) or Metric(name, name.replace("_", " ").strip().capitalize() or name, "", "", None)


def in_order(names: set[str]) -> list[str]:
    """Names of metrics in the order in which people are shown them: assay's own, then the others by name."""
    own = [metric.name for metric in BUILT_IN if metric.name in names]
    return own + sorted(names - set(own))


def thresholds(chosen: dict[str, float]) -> dict[str, float]:
    """The threshold of every metric that has one: the `chosen`, else the default."""
    defaults = {metric.name: metric.threshold for metric in (*BUILT_IN, *from_outside())}
    found = {name: chosen.get(name, default) for name, default in defaults.items()}
    return {name: threshold for name, threshold in found.items() if threshold is not None}


def leeways() -> dict[str, float]:
    """The leeway of every metric that has one."""
    return {metric.name: metric.leeway for metric in (*BUILT_IN, *from_outside()) if metric.leeway}


def complaint(name: str) -> str | None:
    """Why a spec can set no threshold for `name`, with the nearest that it can; None where it can."""
    own = {metric.name: metric.adjustable or metric.threshold is not None for metric in BUILT_IN}
    can = sorted({name for name, adjustable in own.items() if adjustable} | set(offered()))
    if name in can:
        return None
    if name in own:
        return f"`{name}` has no threshold, for what computes it decides; those that have one are {', '.join(can)}"
    nearest = difflib.get_close_matches(name, can, n=1, cutoff=0.5)
    hint = f"did you mean `{nearest[0]}`?" if nearest else f"there are {', '.join(can)}"
    return f"there is no metric `{name}`; {hint}"


def dismissals() -> dict[str, tuple[str, ...]]:
    """`{kind of decision: the metrics whose suspicion it takes back}`."""
    found: dict[str, tuple[str, ...]] = {}
    for metric in (*BUILT_IN, *from_outside()):
        for kind in metric.dismissed_by:
            found[kind] = (*found.get(kind, ()), metric.name)
    return found
