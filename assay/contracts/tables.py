"""One contract per table that crosses a stage: names, types, ranges, keys.

`CONTRACTS[name]` is the class. Each carries a `VERSION`, written into the schema of every Parquet file of that
table; `lock.json` beside this file pins what each version means, and a test fails when a contract changes without
a new version. Every score runs from 0 (clean) to 1 (surely an issue).

Facts (`image_facts`, `text_facts`, `vectors`) are keyed by content and shared between snapshots, so their files may
hold contents that a snapshot no longer has: join them from `samples`. All other tables hold that snapshot's rows only.
"""

import hashlib
import json
import re
from typing import Any

import polars as pl

from assay.contracts.errors import ContractError
from assay.contracts.frames import dy

DIFF_CHANGES = [
    "added", "removed", "moved", "content_changed", "label_changed", "new_issue", "resolved", "worse",
]  # fmt: skip
TIERS = [
    "bytes", "pixels", "text", "perceptual", "minhash", "altered", "mirrored", "rotated", "embedding", "contained",
    "waveform",
]  # fmt: skip


def _score() -> dy.Float32:
    """A score in [0, 1]: 0 clean, 1 surely an issue."""
    return dy.Float32(min=0.0, max=1.0)


def _fraction(nullable: bool = True) -> dy.Float64:
    return dy.Float64(min=0.0, max=1.0, nullable=nullable)


class Contract(dy.Schema):
    """Base of all table contracts."""

    VERSION = 1


class Samples(Contract):
    """One row per ingested sample; the source's further columns (group columns) follow these."""

    VERSION = 2

    sample_id = dy.String(primary_key=True, min_length=1)
    position = dy.Int64(min=0)  # order in the source, from 0, without gaps only where nothing was rejected
    uri = dy.String(nullable=True)  # relative to the source's root, or a URL
    content_hash = dy.String(min_length=32, max_length=32)  # BLAKE2b-128 of the raw bytes, hex
    modality = dy.String(min_length=1)
    label = dy.String(nullable=True)  # NFC, stripped; null where unlabelled; a set of classes with `label_separator`
    split = dy.String(nullable=True)
    size_bytes = dy.Int64(min=0)


class Ingested(Samples):
    """What ingest carries on; clean may still reject some of it."""


class Contents(Contract):
    """Content of table sources: the raw text or the vector behind a content hash."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    text = dy.String(nullable=True)
    vector = dy.List(dy.Float32(nullable=True), nullable=True)


class Rejects(Contract):
    """Everything that was not carried on, and why."""

    uri = dy.String(nullable=True)
    sample_id = dy.String(nullable=True)
    stage = dy.String()
    reason = dy.String(min_length=1)  # a code: lower case, words joined by _
    detail = dy.String(nullable=True)


class Failures(Contract):
    """A fact: this content cannot be used, and why; so that a damaged file is not decoded again every night."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    reason = dy.String(min_length=1)  # as in `rejects`
    detail = dy.String(nullable=True)


class ImageFacts(Contract):
    """Measurements of one decoded image content (EXIF-rotated RGB)."""

    VERSION = 2

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    format = dy.String()
    mode = dy.String()  # Pillow's mode before conversion to RGB
    width = dy.Int32(min=1)  # pixels, after EXIF rotation
    height = dy.Int32(min=1)
    n_frames = dy.Int32(min=1)
    changes = dy.List(dy.String())  # what decoding changed: exif_rotated, range_scaled, dark_background, …
    brightness = _fraction()  # mean perceived brightness
    brightness_p05 = _fraction()
    brightness_p99 = _fraction()
    contrast = _fraction()  # standard deviation of luminance, times 2
    entropy_bits = dy.Float64(min=0.0, max=8.0, nullable=True)
    sharpness = dy.Float64(min=0.0, nullable=True)  # variance of the Laplacian at a fixed scale
    colorfulness = dy.Float64(min=0.0, nullable=True)  # mean spread between channels; 0 is grayscale
    damage = _fraction()  # share of the content that the file lost, or a decoder made up without an error
    pixel_hash = dy.String(min_length=32, max_length=32)  # XXH3-128: equal only where all frames, bits and alpha are
    perceptual_hash = dy.UInt64()  # DCT pHash, 64 bits
    luminance = dy.Binary()  # 32 × 32 uint8, row-major, for confirming near duplicates
    thumbnail = dy.Binary()  # JPEG, at most 128 px on the longer side


class ObjectFacts(ImageFacts):
    """Measurements of one box: of its crop, which has a margin, as of an image; and where in its picture it is."""

    VERSION = 1

    image_hash = dy.String(min_length=32, max_length=32)  # content hash of the file
    image_width = dy.Int32(min=1)  # pixels, after EXIF rotation
    image_height = dy.Int32(min=1)
    x = dy.Float64()  # of the box as it was given, in pixels
    y = dy.Float64()
    box_width = dy.Float64(min=0.0)
    box_height = dy.Float64(min=0.0)
    outside = _fraction(nullable=False)  # share of the box that lies outside of the picture


class AudioFacts(Contract):
    """Measurements of one decoded sound; frames are 20 ms long."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    format = dy.String()
    rate = dy.Int32(min=1)  # samples a second
    n_channels = dy.Int32(min=1)
    seconds = dy.Float64(min=0.0)
    peak = dy.Float64(min=0.0)  # of full scale
    loudness_db = dy.Float64()  # root mean square, in decibels under full scale; -120 is silence
    silence = _fraction()  # share of frames without sound
    clipped = _fraction()  # share of samples in runs at the clip's own ceiling
    dc_offset = dy.Float64(min=0.0)  # size of the mean, of full scale
    snr_db = dy.Float64()  # the 95th percentile of frame levels over the 5th; 100 where there is no noise
    bandwidth = _fraction()  # highest frequency with energy, as a share of half the rate
    dropouts = _fraction()  # share of the clip in which the signal stands still
    starts_abruptly = _fraction()  # loudness of the first 5 ms, as a share of the loud parts
    ends_abruptly = _fraction()
    channel_correlation = dy.Float64(min=-1.0, max=1.0, nullable=True)  # of two channels; null for one
    not_finite = _fraction()  # share of samples that are NaN or infinite
    over_one = _fraction()  # share of samples beyond full scale
    missing = _fraction()  # share of the samples that the header promises and the file lacks
    sound_hash = dy.String(min_length=32, max_length=32)  # BLAKE2b-128 of rate, channels and samples
    spectrogram = dy.Binary()  # (frames, 40) uint8, row-major: log-mel in sixths of a decibel, to confirm copies
    thumbnail = dy.Binary()  # JPEG of the spectrogram with the waveform below


class VideoFacts(Contract):
    """Measurements of one decoded video, on grey pictures of 32 × 32 cells, one a frame."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    format = dy.String()  # of the file: mp4, matroska, avi
    codec = dy.String()  # of its pictures
    width = dy.Int32(min=1)  # pixels, as it is shown
    height = dy.Int32(min=1)
    n_frames = dy.Int64(min=1)  # that were decoded
    seconds = dy.Float64(min=0.0)  # from the first frame to the end of the last one
    fps = dy.Float64(min=0.0, nullable=True)  # frames a second, by the median interval
    brightness = _fraction()  # mean luminance
    contrast = _fraction()  # standard deviation of a frame's luminance, times 2
    movement = dy.Float64(min=0.0)  # mean change from frame to frame, in levels of 255
    black = _fraction()  # share of frames that are black
    static = _fraction()  # share of frames in which nothing has moved
    frozen = _fraction()  # share of a moving video in which the picture stands for half a second or longer
    n_cuts = dy.Int64(min=0)
    letterbox = _fraction()  # share of the picture in black bars
    corrupt = _fraction()  # share of frames that the decoder made up in part, or could not decode
    missing = _fraction()  # share of what the file promises and has not
    gaps = _fraction()  # share of the time in which frames are missing
    jumps = _fraction()  # share of frames whose time is not after the one before
    has_sound = dy.Bool()
    sound_seconds = dy.Float64(min=0.0, nullable=True)  # null where there is no sound that can be decoded
    loudness_db = dy.Float64(nullable=True)  # root mean square, in decibels under full scale
    silence = _fraction()  # share of the sound in which nothing is heard
    video_hash = dy.String(min_length=32, max_length=32)  # XXH3-128 of all pixels of all frames
    luminance = dy.Binary()  # (steps, 16, 16) uint8: a picture each fifth of a second, two minutes at most
    thumbnail = dy.Binary()  # JPEG of four frames


class TextFacts(Contract):
    """Measurements of one text content."""

    VERSION = 2

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    text = dy.String()  # as given
    clean_text = dy.String()  # after the spec's cleaning steps; what is embedded
    changes = dy.List(dy.String())
    damaged = _fraction(nullable=False)  # share of characters wrongly decoded, lost, or stray control characters
    language = dy.String(nullable=True)  # ISO 639-1
    language_confidence = _fraction()
    n_characters = dy.Int64(min=0)
    n_words = dy.Int64(min=0)
    n_tokens = dy.Int64(min=0)
    repetition = _fraction()  # share of runs of three words that were said before
    uppercase = _fraction()  # share of cased letters in upper case
    symbols = _fraction()  # share of characters neither letter, digit nor space
    normalized_hash = dy.String(min_length=32, max_length=32)  # of NFKC, case-folded, whitespace-collapsed text
    minhash = dy.List(dy.UInt32())


class NodeFacts(Contract):
    """What the graph of that night says of one node; edges count without their direction, each pair of nodes once."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    degree = dy.Int32(min=0)  # other nodes that it is tied to
    n_loops = dy.Int32(min=0)  # edges from it to itself, as given
    n_repeated = dy.Int32(min=0)  # edges at it that were given before, from the same node to the same
    n_dangling = dy.Int32(min=0)  # edges at it whose other end no row of the nodes names
    component = dy.Int32(min=1)  # number of its connected component; 1 is the largest
    component_size = dy.Int32(min=1)  # nodes
    n_twins = dy.Int32(min=0)  # other nodes tied to exactly the same ones
    twin = dy.String(nullable=True)  # sample_id of the first of these
    n_labelled = dy.Int32(min=0)  # of the nodes that it is tied to
    n_unlike = dy.Int32(min=0)  # of these, with another label; 0 where it has none itself
    homophily = _fraction()  # share of the labelled ones with its label
    likeness = dy.Float64(min=-1.0, max=1.0, nullable=True)  # mean cosine of its features and theirs
    n_bad_features = dy.Int32(min=0)  # features that are NaN, infinite or missing; they count as 0
    thumbnail = dy.Binary()  # JPEG of the node among those around it


class InteractionFacts(Contract):
    """What the interactions of that night say of one user, or of one item."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    kind = dy.String(check=lambda c: c.is_in(["user", "item"]))
    n_interactions = dy.Int32(min=0)
    n_partners = dy.Int32(min=0)  # different items of a user, users of an item
    n_repeated = dy.Int32(min=0)  # interactions that repeat an earlier one of the same two
    share = _fraction(nullable=False)  # of all interactions
    n_twins = dy.Int32(min=0)  # others with exactly the same partners
    twin = dy.String(nullable=True)  # sample_id of the first of these
    mean_value = dy.Float64(nullable=True)
    n_odd_values = dy.Int32(min=0)  # values beyond what values are here, or no numbers
    n_unlisted = dy.Int32(min=0)  # interactions of an item that the table of items does not name
    n_after_test = dy.Int32(min=0)  # of a training split, after the first one of a test split
    first_time = dy.Datetime(time_zone="UTC", time_unit="us", nullable=True)
    last_time = dy.Datetime(time_zone="UTC", time_unit="us", nullable=True)
    median_gap_seconds = dy.Float64(min=0.0, nullable=True)  # between two, of ten or more with a time
    gap_spread = dy.Float64(min=0.0, nullable=True)  # standard deviation of these gaps ÷ their mean
    thumbnail = dy.Binary()  # JPEG of it among its partners and theirs


class Interactions(Contract):
    """Who took what, in the order of the source."""

    VERSION = 2

    row = dy.Int64(primary_key=True, min=0)
    user = dy.String(min_length=1)  # a sample_id
    item = dy.String(min_length=1)  # a sample_id
    value = dy.Float64(nullable=True, allow_nan=True, allow_inf=True)  # NaN: what the cell holds is no number
    time = dy.Datetime(time_zone="UTC", time_unit="us", nullable=True)
    split = dy.String(nullable=True)
    is_listed = dy.Bool(nullable=True)  # the table of items names the item; null without such a table


class Edges(Contract):
    """The edges of a graph as its source gives them, each ordered pair once."""

    source = dy.String(primary_key=True, min_length=1)  # a sample_id, unless the edge dangles
    target = dy.String(primary_key=True, min_length=1)
    n = dy.Int32(min=1)  # times that it is given
    is_loop = dy.Bool()
    is_dangling = dy.Bool()  # an end is no sample
    same_label = dy.Bool(nullable=True)  # null where an end has no label
    likeness = dy.Float64(min=-1.0, max=1.0, nullable=True)  # cosine of the two ends' features


class NodeFeatures(Contract):
    """The features of each node of a graph, those that are not 0."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    width = dy.Int32(min=0)  # features there are
    indices = dy.List(dy.Int32())
    values = dy.List(dy.Float32())
    n_bad = dy.Int32(min=0)  # that are NaN, infinite or missing


class Vectors(Contract):
    """One vector per content and embedder."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    embedder = dy.String(min_length=1)  # fingerprint of model, weights, preprocessing and precision
    vector = dy.Any()  # FLOAT[d]: Array of Float16 or Float32; d is the embedder's, and one per file


class CaptionVectors(Contract):
    """One vector per caption, by the hash of its words: in the space of the pictures by a model's text tower, or in one
    of their own (embedder `words`)."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    embedder = dy.String(min_length=1)
    vector = dy.Any()  # FLOAT[d], of length 1


class CutContents(Contract):
    """A fact: what of a content an embedder did not read, in tokens or characters; contents read whole have no row."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    n_read = dy.Int64(min=0)
    n_whole = dy.Int64(min=1)


class Words(Contract):
    """The words that an embedder of words learned, with their vectors; there for such embedders alone."""

    word = dy.String(primary_key=True, min_length=1)  # lower case
    n_texts = dy.Int64(min=0)  # of the texts that the embedder was fitted on, in how many it stands
    weight = dy.Float64(min=0.0)  # how much it counts in a text's vector
    vector = dy.List(dy.Float32())  # of length 1


class Neighbors(Contract):
    """The kNN graph over units (duplicate-collapsed samples), cosine similarity, self excluded, rank from 1."""

    sample_id = dy.String(primary_key=True)
    rank = dy.UInt16(primary_key=True, min=1)
    neighbor_id = dy.String()
    similarity = dy.Float32(min=-1.001, max=1.001)


class PictureMatches(Contract):
    """A fact: how well two pictures match once one is laid over the other; so that a pair is aligned but once."""

    VERSION = 2

    content_hash = dy.String(primary_key=True, min_length=64, max_length=64)  # of both, the lesser first
    similarity = dy.Float64(min=0.0, max=1.0)
    turn = dy.UInt8()  # how the second one was turned: a number of `assay.modalities.image.alignment.TURNS`


class Units(Contract):
    """Which sample stands for which: exact and perceptual duplicates collapse onto one representative."""

    sample_id = dy.String(primary_key=True)
    unit_id = dy.String()  # sample_id of the representative


class Duplicates(Contract):
    """One row per member of a duplicate group of two or more."""

    VERSION = 4

    group_id = dy.String()  # sample_id of the kept member
    sample_id = dy.String(primary_key=True)
    tier = dy.String(check=lambda c: c.is_in(TIERS))  # the strictest tier that ties it to the kept member
    keep = dy.Bool()  # the kept member; also what is contained, has another label, or somebody decided to keep
    similarity = _fraction(nullable=False)  # to the kept member; 1 for the kept member itself


class ExactDuplicates(Duplicates):
    """Tiers known before there are vectors."""


class Copies(Duplicates):
    """Groups of duplicates before anybody decided about them; published as `duplicates`."""


class Leaks(Contract):
    """Every pair of duplicates that stand in two splits, once: `split` is the alphabetically first of the two."""

    VERSION = 2

    sample_id = dy.String(primary_key=True)
    other_id = dy.String(primary_key=True)
    split = dy.String()
    other_split = dy.String()
    tier = dy.String(check=lambda c: c.is_in(TIERS))
    similarity = _fraction(nullable=False)


class Projection(Contract):
    """Coordinates of each embedded sample; duplicates lie on their representative. z is null in 2-D methods. `captions`
    is where a sample's caption lies among captions."""

    VERSION = 2

    sample_id = dy.String(primary_key=True)
    method = dy.String(primary_key=True, check=lambda c: c.is_in(["umap", "tsne", "pca", "captions"]))
    x = dy.Float32()
    y = dy.Float32()
    z = dy.Float32(nullable=True)

    @dy.rule()
    def coordinates_are_finite(cls) -> pl.Expr:
        return pl.col("x").is_finite() & pl.col("y").is_finite()


class Layout(Contract):
    """A fact: where one content lies in one fitted projection, so that a layout stays put from night to night."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    x = dy.Float32()
    y = dy.Float32()
    z = dy.Float32(nullable=True)


class Scores(Contract):
    """The long table of every per-sample metric."""

    sample_id = dy.String(primary_key=True)
    metric = dy.String(primary_key=True)
    score = _score()
    value = dy.Float64(nullable=True)  # the measurement behind the score, in its own unit
    is_issue = dy.Bool()


class Measures(Contract):
    """The metrics as they were measured, before thresholds, last night's verdicts and decisions make issues of them."""

    VERSION = 2

    sample_id = dy.String(primary_key=True)
    metric = dy.String(primary_key=True)
    score = dy.Float64(min=0.0, max=1.0)
    value = dy.Float64(nullable=True)
    is_issue = dy.Bool(nullable=True)  # where last night said nothing of it; null: a threshold decides
    stays = dy.Bool(nullable=True)  # whether it stays an issue that it was last night; null: as is_issue
    starts = dy.Bool(nullable=True)  # whether it becomes one that it was not; null: as is_issue


class LabelIssues(Contract):
    """One row per labelled sample with a vector; unlabelled ones have label null and a proposed label."""

    sample_id = dy.String(primary_key=True)
    label = dy.String(nullable=True)
    suggested_label = dy.String(nullable=True)  # null: abstains
    confidence = _fraction()  # calibrated probability that suggested_label is right
    score = _score()
    is_issue = dy.Bool()


class LabelFindings(LabelIssues):
    """`label_issues` before last night's verdicts and anybody's decision count."""

    VERSION = 2

    other_label = dy.String(nullable=True)  # what to suggest where it stays an issue and is none by itself
    other_confidence = _fraction()
    stays = dy.Bool()  # whether it stays an issue that it was last night
    starts = dy.Bool()  # whether it becomes one that it was not


class ClassFlags(Contract):
    """A row for each class of each sample that looks wrong, or did last night and may again."""

    sample_id = dy.String(primary_key=True)
    label = dy.String(primary_key=True)


class LabelNoise(Contract):
    """The estimated noise matrix: of the samples labelled `label`, the share that truly are `true_label`."""

    label = dy.String(primary_key=True)
    true_label = dy.String(primary_key=True)
    rate = _fraction(nullable=False)
    rate_low = _fraction(nullable=False)  # 95% confidence interval
    rate_high = _fraction(nullable=False)
    count = dy.Float64(min=0.0)


class Classes(Contract):
    """One row per label."""

    label = dy.String(primary_key=True)
    n = dy.Int64(min=0)
    n_train = dy.Int64(min=0, nullable=True)
    noise = _fraction()  # estimated share of wrong labels
    n_issues = dy.Int64(min=0)
    separability = dy.Float64(min=-1.0, max=1.0, nullable=True)  # mean silhouette on the kNN graph
    purity = _fraction()  # mean share of neighbours with the same label
    probe_accuracy = _fraction()  # out-of-fold recall of the linear probe
    overlap_label = dy.String(nullable=True)  # the class it is most confused with
    overlap = _fraction()
    coverage = _fraction()
    imbalance = _score()  # 1 − n ÷ mean n, not below 0


class ClassMeasures(Contract):
    """`classes` without the number of issues, which decisions change."""

    label = dy.String(primary_key=True)
    n = dy.Int64(min=0)
    n_train = dy.Int64(min=0, nullable=True)
    noise = _fraction()
    separability = dy.Float64(min=-1.0, max=1.0, nullable=True)
    purity = _fraction()
    probe_accuracy = _fraction()
    overlap_label = dy.String(nullable=True)
    overlap = _fraction()
    coverage = _fraction()
    imbalance = _score()


class EmbeddingHealth(Contract):
    """Checks of the vectors, the index and the projections themselves."""

    check = dy.String(primary_key=True)
    value = dy.Float64(nullable=True)
    wanted = dy.String()  # e.g. ">= 0.95"
    ok = dy.Bool()
    note = dy.String(nullable=True)


class DatasetMetrics(Contract):
    """One number per row."""

    metric = dy.String(primary_key=True)
    value = dy.Float64(nullable=True)
    note = dy.String(nullable=True)


class DatasetMeasures(DatasetMetrics):
    """The rows of `dataset_metrics` that no threshold and no decision changes."""


class GroupMeasures(Contract):
    """What the vectors say of each value of each group column; `groups` has its rates of issues beside it."""

    column = dy.String(primary_key=True)
    value = dy.String(primary_key=True)
    n = dy.Int64(min=0)
    probe_auc = _fraction()
    probe_accuracy = _fraction()


class Groups(Contract):
    """One row per value of each group column."""

    column = dy.String(primary_key=True)
    value = dy.String(primary_key=True)
    n = dy.Int64(min=0)
    share = _fraction(nullable=False)
    label_issue_rate = _fraction()
    outlier_rate = _fraction()
    duplicate_rate = _fraction()
    probe_auc = _fraction()  # how well this value can be read off the vectors; 0.5 is chance
    probe_accuracy = _fraction()  # of the label probe within the group


class GroupIssues(Contract):
    """One row per value of each group column and metric of which any sample with a value there is flagged."""

    column = dy.String(primary_key=True)
    value = dy.String(primary_key=True)
    metric = dy.String(primary_key=True)
    n_issues = dy.Int64(min=0)
    rate = _fraction(nullable=False)  # share of the samples with this value that are flagged
    rate_elsewhere = _fraction()  # the same of the samples with another value; null where there are none


class Annotators(Contract):
    """One row per annotator, where the spec names them (`metrics.annotator`, `metrics.annotator_labels`)."""

    annotator = dy.String(primary_key=True)
    n = dy.Int64(min=0)  # labels given to samples with a vector
    n_shared = dy.Int64(min=0)  # of these, on a content that somebody else labelled too
    peer_agreement = _fraction()  # mean share of the others' labels of the same content that are the same
    consensus_agreement = _fraction()  # share of the labels that are the class estimated to be true
    error_rate = _fraction()  # estimated share of wrong labels; null where nothing but the labels themselves speaks
    error_rate_low = _fraction()  # 95% confidence interval
    error_rate_high = _fraction()
    confused_label = dy.String(nullable=True)  # the most frequent confusion: this given …
    confused_true_label = dy.String(nullable=True)  # … where this is right
    confused_count = dy.Float64(min=0.0, nullable=True)  # expected number of times


class Consensus(Contract):
    """One row per sample whose content several annotators labelled: what all of them and the vectors say together."""

    sample_id = dy.String(primary_key=True)
    consensus = dy.String()  # the class estimated to be true; never written into the samples
    confidence = _fraction(nullable=False)  # probability that it is
    n_labels = dy.Int64(min=2)
    agreement = _fraction(nullable=False)  # share of the labels that are the consensus


class Proposals(Contract):
    """Proposed values for gaps in labels and group columns; never written into the samples."""

    sample_id = dy.String(primary_key=True)
    column = dy.String(primary_key=True)
    proposed = dy.String(nullable=True)  # null: abstains
    confidence = _fraction()


class ProposalQuality(Contract):
    """Cross-validated precision of the proposals at each coverage."""

    VERSION = 2

    column = dy.String(primary_key=True)
    coverage = dy.Float64(primary_key=True, min=0.0, max=1.0)
    precision = _fraction()  # share estimated to be right, the noise of the known values taken into account
    agreement = _fraction()  # share that is the known value
    confidence_threshold = _fraction()


class Diff(Contract):
    """What changed against the previous snapshot; empty in the first one.

    A sample that stands under another id with the same content has `moved`; one whose label is another one as well has
    only `label_changed`, with `was_id`. `content_changed`: the id stands, its content was replaced.
    """

    VERSION = 2

    sample_id = dy.String(primary_key=True)
    change = dy.String(
        primary_key=True,
        check=lambda c: c.is_in(DIFF_CHANGES),
    )
    metric = dy.String(primary_key=True)  # of new_issue, resolved, worse; empty for the others
    was_id = dy.String(nullable=True)  # the sample_id before, where it is another one
    was_label = dy.String(nullable=True)  # the label before, of label_changed and removed


CONTRACTS: dict[str, type[Contract]] = {
    "samples": Samples,
    "ingested": Ingested,
    "contents": Contents,
    "rejects": Rejects,
    "failures": Failures,
    "image_facts": ImageFacts,
    "object_facts": ObjectFacts,
    "audio_facts": AudioFacts,
    "video_facts": VideoFacts,
    "text_facts": TextFacts,
    "node_facts": NodeFacts,
    "interaction_facts": InteractionFacts,
    "interactions": Interactions,
    "edges": Edges,
    "node_features": NodeFeatures,
    "vectors": Vectors,
    "caption_vectors": CaptionVectors,
    "cut_contents": CutContents,
    "words": Words,
    "neighbors": Neighbors,
    "picture_matches": PictureMatches,
    "units": Units,
    "exact_duplicates": ExactDuplicates,
    "copies": Copies,
    "duplicates": Duplicates,
    "leaks": Leaks,
    "projection": Projection,
    "layout": Layout,
    "measures": Measures,
    "label_findings": LabelFindings,
    "class_flags": ClassFlags,
    "class_measures": ClassMeasures,
    "group_measures": GroupMeasures,
    "dataset_measures": DatasetMeasures,
    "scores": Scores,
    "label_issues": LabelIssues,
    "label_noise": LabelNoise,
    "classes": Classes,
    "embedding_health": EmbeddingHealth,
    "dataset_metrics": DatasetMetrics,
    "groups": Groups,
    "group_issues": GroupIssues,
    "annotators": Annotators,
    "consensus": Consensus,
    "proposals": Proposals,
    "proposal_quality": ProposalQuality,
    "diff": Diff,
}

FACTS = (
    "image_facts",
    "object_facts",
    "audio_facts",
    "video_facts",
    "text_facts",
    "node_facts",
    "interaction_facts",
    "vectors",
)
INTERNAL = (
    "ingested", "contents", "node_features", "failures", "caption_vectors", "cut_contents", "picture_matches",
    "exact_duplicates", "copies", "layout",
    "measures", "label_findings", "class_flags", "class_measures", "group_measures", "dataset_measures",
)  # fmt: skip
PUBLISHED = tuple(name for name in CONTRACTS if name not in INTERNAL)


def register_facts(name: str, contract: type[Contract]) -> None:
    """Add the contract of a modality's facts, which may come from another package.

    Raises:
        ContractError: the name is not of the form `…_facts`, or is another contract's.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,50}_facts", name):
        raise ContractError(f"{name!r} cannot name a table of facts; wanted lower-case letters and `_facts`")
    if CONTRACTS.setdefault(name, contract) is not contract:
        raise ContractError(f"two modalities have a table `{name}`; wanted one contract for it")


def describe(name: str) -> dict[str, Any]:
    """What a contract says, as plain JSON values: the columns, their types and rules, and the key."""
    contract = CONTRACTS[name]
    columns = {
        column: {
            "type": repr(definition.dtype),
            "nullable": definition.nullable,
            "rules": sorted(definition.validation_rules(pl.col(column))),
        }
        for column, definition in contract.columns().items()
    }
    return {"columns": columns, "key": contract.primary_key()}


def digest(name: str) -> str:
    """Hex digest of `describe(name)`, for the lock that ties a contract to its version."""
    text = json.dumps(describe(name), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def empty(name: str) -> pl.DataFrame:
    """A frame of the table's columns and types with no rows."""
    return CONTRACTS[name].create_empty()
