"""The dataset spec: one TOML file, one dataset. Read once, checked here, frozen; unknown keys are errors.

`load_spec(path)` is the only way in. Paths in a spec are relative to the spec's own file.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from unicodedata import is_normalized

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from assay.contracts.errors import SpecError
from assay.contracts.gates import complaint as gate_complaint
from assay.contracts.metrics import complaint
from assay.contracts.operations import Notify, Retention, Run
from assay.contracts.plugins import registered
from assay.contracts.section import Section, at_home, plain_url, variable_name

if TYPE_CHECKING:
    from assay.contracts.modality import Modality

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
TextStep = Literal["ftfy", "nfc", "control", "whitespace", "lowercase", "punctuation", "stopwords", "spelling"]
LAYOUT_STEPS = frozenset({"split", "class", "category", "*"})


def known_plugin(group: str, name: str) -> str:
    """The name, where something is registered under it. Raises `ValueError` with what there is."""
    known = sorted(registered(group))
    if name in known:
        return name
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else "is a package not installed?"
    raise ValueError(f"{name!r} is not known; {hint} There are: {', '.join(known)}")


class Source(Section):
    """Where the raw samples are.

    `folder`: one file a sample. `layout` says what the folders mean, one word a step from the top: `split`, `class`,
    `category` (a further column) or `*` (says nothing), such as `class`, `split/class`, `*/split/class`; `flat`: none
    means anything. `auto` reads it from the folders' names; the reading, and what else would fit, is printed and
    published. Files that by their ending are of another kind (labels, tables, notes beside pictures) are no samples.
    Tars (`.tar.gz` too) and zips, and of files Parquet and Arrow (a `save_to_disk` folder of Hugging Face datasets),
    are read without being unpacked where no sample stands beside them, or with `archives = "open"`; `path` may be one
    such file. A uri names a member as `shard-000.tar#cat/0001.jpg`, in a table's cells as well.
    `table`: CSV, JSONL or Parquet with a `uri`, `text` or `vector` column; `columns` maps our names to the file's (for
    `vector` also a pattern such as `f*`, one number a column); `files` maps a split to a file, instead of `path`.
    Folders named `column=value` are columns. A table's `sample_id` column tells from night to night which sample is
    which. Without one a sample is known by its `uri` (`uri#2` where that stands in a second row), and a text or a
    vector by the number of its row: then rows put in or taken out before it make other samples of all that follow.
    `label_separator`: a table's label is a set of classes, a list or a text split here. It is stored as one text, each
    class once, sorted, joined by the separator; the separator alone (or an empty list) is a sample that carries none,
    an empty cell one that nobody labelled.
    """

    kind: Literal["folder", "table"]
    path: str = ""
    files: dict[str, str] = Field(default={})
    layout: str = "auto"
    include: tuple[str, ...] = ()  # glob patterns as `exclude`: read these alone; a hidden name must be spelled in one
    exclude: tuple[str, ...] = ()  # glob patterns on the relative path, or names of folders
    columns: dict[str, str] = Field(default={})
    root: str = ""  # what a table's `uri` is relative to; default: the table's own folder
    delimiter: str = ""  # between the cells of a CSV; default: read from its first lines
    quote: str | None = None  # around a cell of a CSV, "" for none; default: read from its first lines
    encoding: str = ""  # of CSV, JSONL and files of text, such as "cp1252"; default: UTF-8, or as a mark says
    label_separator: str = ""  # such as ";": a sample carries any number of classes
    null_values: tuple[str, ...] = ("",)  # CSV cells that mean missing
    may_be_absent: tuple[str, ...] = ()  # columns that the last snapshot had and that may be gone
    max_shrink: Fraction = 0.5  # refuse a night with fewer than (1 − this) of the last snapshot's samples
    max_rejects: Fraction = 0.5  # refuse a night where a larger share of the samples is unreadable
    archives: Literal["auto", "open", "leave"] = "auto"  # of a folder; auto: open where no sample stands beside them
    ready_file: str = ""  # refuse to start until this file stands beside the data (e.g. _SUCCESS)
    follow_symlinks: bool = False
    max_file_bytes: int = Field(default=512 * 2**20, gt=0)
    reread_days: int = Field(default=30, ge=0)  # a local file is read again after so many, changed or not; 0: never

    @field_validator("path", "root")
    @classmethod
    def path_starts_at_home(cls, path: str) -> str:
        return at_home(path)

    @field_validator("files")
    @classmethod
    def files_start_at_home(cls, files: dict[str, str]) -> dict[str, str]:
        return {split: at_home(path) for split, path in files.items()}

    @field_validator("layout")
    @classmethod
    def layout_has_known_steps(cls, layout: str) -> str:
        steps = layout.split("/")
        named = [step for step in steps if step != "*"]
        if layout not in ("auto", "flat") and (set(steps) - LAYOUT_STEPS or len(set(named)) < len(named)):
            raise ValueError(
                f"{layout!r} is not a layout; use auto, flat, or one word per folder level, joined by /: "
                "split, class, category (each at most once) or * (says nothing), such as split/class"
            )
        return layout

    @field_validator("delimiter", "quote")
    @classmethod
    def mark_is_one_character(cls, mark: str | None) -> str | None:
        if mark and (len(mark) > 1 or mark in "\r\n\0" or mark.isalnum()):
            raise ValueError(
                f"{mark!r} cannot separate or quote the cells of a CSV; use one character such as , ; | or a tab"
            )
        return mark

    @field_validator("encoding")
    @classmethod
    def encoding_is_known(cls, encoding: str) -> str:
        try:
            "a".encode(encoding or "utf-8")
        except (LookupError, ValueError):
            raise ValueError(
                f"{encoding!r} is not a text encoding; use one such as utf-8, cp1252, latin-1, shift_jis"
            ) from None
        return encoding

    @field_validator("label_separator")
    @classmethod
    def separator_is_a_sign(cls, sign: str) -> str:
        letters = any(character.isalnum() for character in sign)
        if letters or len(sign) > 8 or not (sign.isprintable() or sign == "\t") or not is_normalized("NFC", sign):
            raise ValueError(
                f"{sign!r} cannot separate the classes of a label; use a character such as | or ; or a space"
            )
        return sign

    @model_validator(mode="after")
    def separator_is_of_a_table(self) -> Self:
        if self.label_separator and self.kind != "table":
            raise ValueError('`label_separator` is for kind = "table"; a folder gives each file one class')
        return self

    @model_validator(mode="after")
    def one_place(self) -> Self:
        if bool(self.path) == bool(self.files):
            raise ValueError("source needs either `path` or `files` (a table of split = file), not both, not neither")
        if self.files and self.kind != "table":
            raise ValueError('`files` is for kind = "table"; a folder takes `path`')
        if self.delimiter and self.delimiter == self.quote:
            raise ValueError(f"{self.quote!r} cannot be both `delimiter` and `quote`")
        unknown = set(self.columns) - {"sample_id", "uri", "text", "vector", "label", "split"}
        if unknown:
            raise ValueError(
                f"source.columns maps {sorted(unknown)}; it maps only sample_id, uri, text, vector, label, split"
            )
        return self


class Clean(Section):
    """Thresholds of the clean stage's issues are in `thresholds`; these are its steps."""

    max_pixels: int = Field(default=178_956_970, gt=0)  # larger images are rejected as decompression bombs
    thumbnail_pixels: int = Field(default=128, ge=16, le=1024)
    max_seconds: float = Field(default=3600.0, gt=0)  # longer sounds and videos are rejected
    max_frames: int = Field(default=250_000, gt=0)  # videos of more frames are rejected
    text_steps: tuple[TextStep, ...] = ("ftfy", "nfc", "control", "whitespace")
    max_text_characters: int = Field(default=1_000_000, gt=0)
    language: str = "en"  # of the stop words and the spelling dictionary


class Dedup(Section):
    """How duplicates are found, and which of a group is kept.

    `keep`: the `first` in the source's order, the `largest` (pixels, characters or bytes), or by `split_order` the one
    whose split is named first there, by its own name or as one of its kind (`train2017` as `train`); other splits after
    those, samples without a split last. Ties go to the first.
    """

    keep: Literal["first", "largest", "split_order"] = "first"
    split_order: tuple[str, ...] = ("test", "validation", "val", "valid", "dev", "train")
    perceptual_bits: int = Field(default=4, ge=0, le=16)
    minhash_jaccard: Fraction = 0.8
    embedding: bool = True


class Service(Section):
    """An embedding service that speaks HTTP as OpenAI's does: POST `url`/embeddings.

    `key_variable` names the environment variable with the key, which is sent as a bearer token and written nowhere.
    `images` says how pictures are sent: `messages` as vLLM takes them, `input` as data URIs in the place of texts.
    """

    url: str = ""  # up to /embeddings, such as https://api.example.com/v1
    key_variable: str = ""  # such as EXAMPLE_API_KEY
    plain_http: bool = False  # without it, http:// goes to this machine only
    max_characters: int = Field(default=8_000, ge=1)  # of a text that the model takes
    images: Literal["messages", "input"] = "messages"
    retries: int = Field(default=6, ge=0, le=20)  # after 429, 5xx and lost connections
    timeout_seconds: float = Field(default=120.0, gt=0)  # of one request

    @field_validator("key_variable")
    @classmethod
    def variable_is_a_name(cls, name: str) -> str:
        return variable_name(name)

    @field_validator("url")
    @classmethod
    def url_is_plain(cls, url: str) -> str:
        return plain_url(url).rstrip("/")


class Embed(Section):
    """Which model turns content into vectors. `auto`: pca for images and videos, logmel for sound, lsa for text,
    and for graphs sgc where nodes have features, else prone."""

    kind: str = "auto"  # one of `assay embedders`, or another package's
    model: str = ""  # an open_clip name, hf-hub:…, local-dir:…; a sentence-transformers name or folder; or a variant
    pretrained: str = ""
    dimensions: int = Field(default=0, ge=0, le=4096)  # of what is fitted; 0: a default of each
    batch_size: int = Field(default=0, ge=0)  # 0: sized to the device
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # of the forward pass; auto: bf16 on GPU, fp32 on CPU
    decode: Literal["auto", "cpu", "gpu"] = "auto"  # of JPEGs, for open_clip and timm; auto: where the model is
    storage: Literal["float16", "float32"] = "float32"
    pooling: Literal["mean", "cls"] = "mean"  # of a text's tokens: transformers
    outputs: Literal["features", "logits"] = "features"  # of timm's models
    image_size: int = Field(default=0, ge=0, le=4096)  # pixels a side that timm gets; 0: the model's own, and its crop
    frames: int = Field(default=8, ge=1, le=64)  # of a video, spread over it; its vector is the mean of theirs
    service: Service = Service()
    word_weights: Literal["idf", "equal"] = "idf"  # of the words in a text's mean: word2vec, fasttext, glove
    long_texts: Literal["cut", "windows"] = "cut"  # what of a text longer than the model reads: its start, or the whole
    seed: int = 0

    @field_validator("kind")
    @classmethod
    def kind_is_known(cls, name: str) -> str:
        return name if name == "auto" else known_plugin("assay.embedders", name)

    @model_validator(mode="before")
    @classmethod
    def model_means_open_clip(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("model") and "kind" not in values:
            return {**values, "kind": "open_clip"}
        return values

    @model_validator(mode="after")
    def model_is_named(self) -> Self:
        if self.kind in ("open_clip", "sentence_transformers") and not self.model:
            raise ValueError(f'embed.kind = "{self.kind}" needs embed.model')
        return self


class Index(Section):
    """The kNN graph. Below `exact_below` units by blocked search, from 20,000 on nearly exact; HNSW above."""

    k: int = Field(default=50, ge=1, le=500)
    exact_below: int = Field(default=1_000_000, ge=0)
    shards: int = Field(default=1, ge=1, le=10_000)  # HNSW graphs that are built side by side and answer as one
    m: int = Field(default=16, ge=4, le=128)
    ef_construction: int = Field(default=200, ge=16)
    ef: int = Field(default=128, ge=16)
    recall_sample: int = Field(default=300, ge=0)


class Project(Section):
    """2-D and 3-D projections."""

    methods: tuple[Literal["umap", "pca", "tsne"], ...] = ("umap", "pca")
    n_neighbors: int = Field(default=15, ge=2, le=200)
    min_dist: float = Field(default=0.1, ge=0.0, lt=1.0)
    seed: int = 0


class Thresholds(Section):
    """The score from which a sample is an issue, by the metric's name. Applied last: changing one trains nothing and
    recomputes no fact."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Fraction]

    @model_validator(mode="before")
    @classmethod
    def metrics_are_known(cls, values: Any) -> Any:
        wrong = [found for name in values if (found := complaint(str(name)))] if isinstance(values, dict) else []
        if wrong:
            raise ValueError("; ".join(wrong))
        return values


class Metrics(Section):
    """What the metrics stage computes.

    Annotators are told apart by one of two keys. `annotator` names a column that says who gave the row its label; a
    content that several people labelled stands in as many rows. `annotator_labels` names columns that each hold one
    person's labels; the column that is the `label` may be among them.
    """

    label_issues: bool = True
    folds: int = Field(default=5, ge=2, le=20)
    seed: int = 0
    group_columns: tuple[str, ...] | None = None  # None: every further column of the source
    debias: tuple[str, ...] = ()  # group columns to erase from a copy of the vectors (LEACE)
    annotator: str = ""  # the column that names who gave each row its label
    annotator_labels: tuple[str, ...] = ()  # or the columns that each hold one annotator's labels

    @model_validator(mode="after")
    def annotators_are_told_one_way(self) -> Self:
        if self.annotator and self.annotator_labels:
            raise ValueError("name `annotator` or `annotator_labels`, not both")
        return self

    @field_validator("group_columns", "debias", "annotator_labels")
    @classmethod
    def columns_are_named_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if len(set(names or ())) < len(names or ()):
            raise ValueError("names a column twice")
        return names


class Graph(Section):
    """Where a graph's tables are, of modality `graph`: file names in the folder of `source.path`.

    Without a name, nodes are in `nodes.csv` or a table of another ending, edges in `edges.csv` likewise, and features
    in `features.npz` or `.npy` if that is there. An edge is a row with two node ids; its direction does not count.
    """

    nodes: str = ""
    edges: str = ""
    features: str = ""  # a SciPy sparse or dense matrix, a row a node: row 7 is node 7, or the seventh row of the nodes
    from_column: str = ""  # of the edges; default: source, src, from, u, citing, or the first of two columns
    to_column: str = ""  # target, dst, to, v, cited, or the second


class Interactions(Section):
    """Where the tables are, of modality `interactions`: file names in the folder of `source.path`.

    Without a name, interactions are in `interactions.csv` or a table of another ending, or in the only table there is;
    what is known of items and users in `items` and `users` likewise, if they are there.
    """

    interactions: str = ""
    items: str = ""
    users: str = ""
    user_column: str = ""  # of the interactions; default: user, user_id, customer_id, …
    item_column: str = ""  # item, item_id, product_id, movie_id, …
    value_column: str = ""  # value, rating, quantity, …
    time_column: str = ""  # time, timestamp, date, …: dates, or numbers since 1970, whose unit is that of their median


class Schedule(Section):
    """When the nightly run starts."""

    cron: str = "0 2 * * *"
    timezone: str = "UTC"
    wait_seconds: float = Field(default=3600.0, ge=0)  # where a run or gc of the dataset is under way at that hour


class Gate(Section):
    """A quality gate: limits on one number of a snapshot, or on how it changed since the last one.

    Its name is a headline number or a row of `dataset_metrics`; or `issues:METRIC`, `rate:METRIC` (their share of all
    samples), `new:METRIC` or `resolved:METRIC` (since the last snapshot), of the samples flagged by any metric. With
    `by`, a column of the samples, it holds for each of its values, those with few samples left out.
    """

    max: float | None = None
    min: float | None = None
    max_rise: float | None = Field(default=None, ge=0)  # since the last snapshot
    max_fall: float | None = Field(default=None, ge=0)
    by: str = ""  # a column of `samples`: label, split, or a group column; of n_samples, issues:…, rate:…, new:…
    fewest: int = Field(default=20, ge=1)  # samples of a group, below which it is not judged
    level: Literal["fail", "warn"] = "fail"  # warn: it is told, and the exit status stays 0

    @model_validator(mode="after")
    def has_a_limit(self) -> Self:
        if self.max is self.min is self.max_rise is self.max_fall is None:
            raise ValueError("a gate needs a limit: max, min, max_rise or max_fall")
        return self


class Spec(Section):
    """One dataset. Built by `load_spec`; `base` is the folder that relative paths start from."""

    name: str
    modality: str  # image, audio, objects, pairs, text, graph, interactions, vectors, or one of another package
    source: Source
    clean: Clean = Clean()
    dedup: Dedup = Dedup()
    embed: Embed = Embed()
    index: Index = Index()
    project: Project = Project()
    thresholds: Thresholds = Thresholds.model_validate({})
    metrics: Metrics = Metrics()
    graph: Graph = Graph()
    interactions: Interactions = Interactions()
    schedule: Schedule | None = None
    gates: dict[str, Gate] = Field(default={})
    notify: Notify = Notify()
    retention: Retention = Retention()
    run: Run = Run()
    base: Path = Field(default=Path("."), exclude=True)

    @field_validator("gates")
    @classmethod
    def gates_are_known(cls, gates: dict[str, Gate]) -> dict[str, Gate]:
        if wrong := [found for name, gate in gates.items() if (found := gate_complaint(name, gate.by))]:
            raise ValueError("; ".join(wrong))
        return gates

    @model_validator(mode="after")
    def annotators_give_one_class(self) -> Self:
        if self.source.label_separator and (self.metrics.annotator or self.metrics.annotator_labels):
            raise ValueError("annotators are judged on labels of one class; leave out source.label_separator")
        return self

    @field_validator("modality")
    @classmethod
    def modality_is_known(cls, name: str) -> str:
        return known_plugin("assay.modalities", name)

    @field_validator("name")
    @classmethod
    def name_is_a_folder_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            raise ValueError(
                f"{name!r} cannot be a dataset name; use 1 to 100 of A-Z a-z 0-9 . _ - and start with a letter or digit"
            )
        return name

    @property
    def data(self) -> "Modality":
        """The record of its modality: all that the stages know of what kind of data this is."""
        from assay.contracts.modality import find_modality  # here, since it imports Polars, which a spec does not need

        return find_modality(self.modality)

    def part(self, name: str) -> dict[str, Any]:
        """One section as plain JSON values, for a stage's key and the manifest."""
        return getattr(self, name).model_dump(mode="json")


def load_spec(path: str | Path) -> Spec:
    """Read and check a spec file.

    Raises:
        SpecError: the file is absent, is not TOML, or breaks a rule; the message names the key.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"no spec file at {path}; write one (see docs/spec.md) or check the path") from None
    except IsADirectoryError:
        raise SpecError(f"{path} is a folder; name the spec file in it") from None
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} is not valid TOML: {error}") from None
    return make_spec(values, base=path.resolve().parent, where=str(path))


def make_spec(values: dict[str, Any], base: Path, where: str = "spec") -> Spec:
    """A checked `Spec` from plain values. Raises `SpecError` as `load_spec` does."""
    if "base" in values:
        raise SpecError(f"{where}: unknown key `base`")
    try:
        return Spec(**values, base=base)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise SpecError(f"{where}: {problems}") from None
    except TypeError as error:
        raise SpecError(f"{where}: {error}") from None


def _explain(problem: Mapping[str, Any]) -> str:
    """One of pydantic's findings in the words of a spec's author."""
    path = ".".join(str(step) for step in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"][:-1])
        nearest = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean `{nearest[0]}`?" if nearest else f"known keys: {', '.join(known)}"
        return f"unknown key `{path}`; {hint}"
    if problem["type"] == "missing":
        return f"`{path}` is missing"
    if problem["type"] == "value_error":
        return f"{'`' + path + '`: ' if path else ''}{problem['ctx']['error']}"
    return f"`{path}` is {problem['input']!r:.80}: {problem['msg']}"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the section at `loc` knows."""
    model: type[BaseModel] | None = Spec
    for step in loc:
        field = model.model_fields.get(str(step)) if model else None
        candidates = (field.annotation, *getattr(field.annotation, "__args__", ())) if field else (Gate,)
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return sorted(set(model.model_fields) - {"base"}) if model else []
