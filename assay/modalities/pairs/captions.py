"""Which captions do not belong to their pictures (or sounds), from vectors of the pictures and of the captions.

Where a model has two towers, both lie in one space, and how well a caption fits is their cosine. Other models know no
words; then words become a space of their own: TF-IDF of words and pairs of words, reduced by SVD. What a picture
should be told by is learned from the other pictures: ridge regression from vectors to that space, plus the captions of
its nearest neighbours. How well a caption fits is the cosine of that with itself.

Other pictures' captions say how wrong ones fit. The share of wrong ones follows from how many captions fit as badly as
the worse half, or less, of those do (Storey 2002), and how likely each is wrong from both densities: share × density of
wrong ones ÷ density of all, falling with the cosine (isotonic regression).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.contracts.spec import Spec
from assay.store.captions import texts_of

Floats = npt.NDArray[np.float32]

DIMENSIONS = 128  # of the captions' space, at most
FEWEST = 50  # pairs that a map is learned from
ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # of the ridge; vectors are of length 1
NEIGHBORS = 20
POWER = 4  # of the cosine, by which neighbours count
QUANTILES = (0.5, 0.3, 0.1)  # of how strange captions fit, by which the share of wrong ones is estimated
ENOUGH = 100  # captions expected there, were all wrong
MOST_WRONG = 0.5  # where more seem to be, the vectors do not tell captions apart, and nothing is said
PER_PAIR = 20  # captions of others that say how wrong ones fit
MANY = 5  # pictures of one caption
BY_WORDS = "words"  # the embedder of captions where no tower is
UNLIKE = 0.1  # cosine of captions


@dataclass(frozen=True)
class Captions:
    """Pairs with a caption and a vector.

    Attributes:
        rows: their rows in the samples.
        texts: their captions, lower case, blanks as one.
        space: (n, k) the captions' vectors, of length 1, or 0 where no word is known.
        pictures: (n, d) the pictures' vectors.
        unit: (n,) pictures that are copies have one number.
    """

    rows: npt.NDArray[np.int64]
    texts: list[str]
    space: Floats
    pictures: Floats
    unit: npt.NDArray[np.int64]


def caption_measures(
    spec: Spec,
    samples: pl.DataFrame,
    unit: npt.NDArray[np.int64],
    vectors: Floats,
    tower: Floats | None = None,
) -> pl.DataFrame:
    """Rows `sample_id, metric, score, value, is_issue` of `wrong_caption`, `shared_caption`, `unlike_caption` and
    `near_empty`; scores from 0, fine, to 1.

    Args:
        samples: with the column `text`.
        unit: (n,) the row in `vectors` of each sample's picture, −1 without one.
        tower: (n, d) the captions' vectors in the space of `vectors`, 0 where there is none; None without a tower.
    """
    texts = texts_of(samples).str.to_lowercase()
    ids = samples["sample_id"]
    blank = texts.str.len_chars().to_numpy() < 2
    frames = [_frame(ids, np.arange(len(ids)), "near_empty", blank.astype(float), texts.str.len_chars().to_numpy())]
    rows = np.flatnonzero(~blank & (unit >= 0))
    if len(rows) >= 2:
        kept = texts.gather(rows).to_list()
        found = Captions(rows, kept, caption_space(kept, spec.metrics.seed), vectors[unit[rows]], unit[rows])
        frames += [_shared(ids, found), _unlike(ids, found)]
        if tower is not None:
            frames.append(_by_tower(ids, found, tower[rows], spec.metrics.seed))
        elif len(rows) >= FEWEST:
            folds = folds_of(samples["content_hash"].gather(rows), spec.metrics.folds)
            frames.append(_wrong(ids, found, folds, spec.metrics.seed))
    return pl.concat(frames)


def caption_space(texts: list[str], seed: int) -> Floats:
    """(n, k) float32 of length 1: TF-IDF of words and pairs of words, by SVD; 0 where a caption has no word."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(
            texts
        )
    except ValueError:  # nothing but signs
        return np.zeros((len(texts), 1), dtype=np.float32)
    wanted = min(DIMENSIONS, min(counts.shape) - 1)
    dense = TruncatedSVD(wanted, random_state=seed).fit_transform(counts) if wanted > 1 else counts.toarray()
    return unit_length(dense)


def unit_length(matrix: npt.NDArray[np.floating]) -> Floats:
    """Rows of length 1; those that are 0 stay so."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.maximum(lengths, 1e-12)).astype(np.float32)


def folds_of(contents: pl.Series, folds: int) -> npt.NDArray[np.int64]:
    """(n,) a fold of each pair: all captions of a picture in one, the same from night to night."""
    return np.array([int(name[:8], 16) % folds for name in contents], dtype=np.int64)


def told_captions(pictures: Floats, space: Floats, fold: npt.NDArray[np.int64]) -> Floats:
    """(n, k) of length 1: what the other folds say of each picture, by a map and by its neighbours, half each."""
    from sklearn.linear_model import RidgeCV

    told = np.zeros_like(space)
    for number in np.unique(fold):
        here = fold == number
        if here.all():
            continue
        model = RidgeCV(alphas=ALPHAS).fit(pictures[~here], space[~here])
        mapped = np.asarray(model.predict(pictures[here])).reshape(here.sum(), -1)
        beside = neighbours_say(pictures[here], pictures[~here], space[~here])
        told[here] = unit_length(mapped) + unit_length(beside)
    return unit_length(told)


def neighbours_say(pictures: Floats, others: Floats, space: Floats) -> Floats:
    """(m, k): the captions of the nearest of `others` (n, d), whose captions are `space` (n, k), by closeness."""
    found = np.zeros((len(pictures), space.shape[1]), dtype=np.float32)
    k = min(NEIGHBORS, len(others))
    for start in range(0, len(pictures), 1024):
        close = pictures[start : start + 1024] @ others.T
        near = np.argpartition(-close, k - 1, axis=1)[:, :k]
        weight = np.maximum(np.take_along_axis(close, near, axis=1), 0.0) ** POWER
        found[start : start + 1024] = np.einsum("ij,ijk->ik", weight, space[near])
    return found


def wrong_captions(
    told: Floats, space: Floats, texts: list[str], seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(n,) how likely each caption is wrong, 0 to 1, and the cosine of it with what is told of its picture."""
    from sklearn.isotonic import IsotonicRegression

    own = np.einsum("ij,ij->i", told, space).astype(np.float64)
    codes = pl.Series(texts).rank("dense").to_numpy()
    other = np.random.default_rng(seed).integers(0, len(texts), (len(texts), PER_PAIR))
    is_other = codes[other] != codes[:, None]
    strange = np.einsum("ik,ijk->ij", told, space[other])[is_other].astype(np.float64)
    if not len(strange):
        return np.zeros(len(own)), own
    tails = [q for q in QUANTILES if q * len(own) >= ENOUGH] or QUANTILES[:1]
    share = min(_at_least(int((own <= np.quantile(strange, q)).sum()), q * len(own)) for q in tails)
    if share > MOST_WRONG:
        return np.zeros(len(own)), own
    cosines = np.concatenate([own, strange])
    is_strange = np.concatenate([np.zeros(len(own)), np.ones(len(strange))])
    weight = np.concatenate([np.ones(len(own)), np.full(len(strange), max(share, 1e-9) * len(own) / len(strange))])
    model = IsotonicRegression(increasing=False).fit(cosines, is_strange, weight)
    found = model.predict(own)
    likely = np.clip(found / np.maximum(1.0 - found, 1e-9), 0.0, 1.0)
    return np.clip(likely * (1 - 1e-3) + 1e-3 * (1.0 - own) / 2.0, 0.0, 1.0), own  # steps of one height in order


def caption_fit(told: Floats, space: Floats, texts: list[str], seed: int) -> tuple[float, float]:
    """How often a caption fits its picture better than another's caption does, 0 to 1, .5 by chance; and its standard
    error.

    Args:
        told, space: (n, k) what is told of each picture, and its caption, as `wrong_captions` takes them.
    """
    codes = pl.Series(texts).rank("dense").to_numpy()
    other = np.random.default_rng(seed).integers(0, len(texts), (len(texts), PER_PAIR))
    own = np.einsum("ij,ij->i", told, space)
    strange = np.einsum("ik,ijk->ij", told, space[other])
    counts = codes[other] != codes[:, None]
    better = np.where(counts, (own[:, None] > strange) + 0.5 * (own[:, None] == strange), 0.0)
    shares = better.sum(axis=1)[counts.any(axis=1)] / counts.sum(axis=1)[counts.any(axis=1)]
    if not len(shares):
        return 0.5, 0.0
    return float(shares.mean()), float(shares.std() / np.sqrt(len(shares)))


def _at_least(n: int, expected: float) -> float:
    """The share that `n` captions in a tail are of those `expected` there were all wrong, and half its standard error:
    the least of several estimates would be too low by about that."""
    return (n + 0.5 * n**0.5) / expected


def _wrong(ids: pl.Series, found: Captions, fold: npt.NDArray[np.int64], seed: int) -> pl.DataFrame:
    told = told_captions(found.pictures, found.space, fold)
    likely, own = wrong_captions(told, found.space, found.texts, seed)
    return _frame(ids, found.rows, "wrong_caption", likely, own)


def _by_tower(ids: pl.Series, found: Captions, tower: Floats, seed: int) -> pl.DataFrame:
    """Of pairs whose caption has a vector of the tower; the value is the cosine as the model has it."""
    has = np.flatnonzero(tower.any(axis=1))
    pictures, words = found.pictures[has], unit_length(tower[has])
    value = np.einsum("ij,ij->i", pictures, words).astype(np.float64)
    likely = np.zeros(len(has))
    if len(has) >= FEWEST:
        likely, _ = wrong_captions(pictures, words, [found.texts[row] for row in has], seed)
    return _frame(ids, found.rows[has], "wrong_caption", likely, value)


def _shared(ids: pl.Series, found: Captions) -> pl.DataFrame:
    """How many pictures, copies counted once, have the same caption; where most of the pairs share theirs, it is the
    way of the dataset and no issue."""
    frame = pl.DataFrame({"text": found.texts, "unit": found.unit})
    n = frame.select(pl.col("unit").n_unique().over("text"))["unit"].to_numpy().astype(float)
    weight = np.clip((0.5 - (n >= MANY).mean()) / 0.25, 0.0, 1.0)
    score = np.where(n >= MANY, 1.0 - 0.5 * MANY / np.maximum(n, 1), 0.5 * (n - 1) / MANY)
    return _frame(ids, found.rows, "shared_caption", weight * score, n)


def _unlike(ids: pl.Series, found: Captions) -> pl.DataFrame:
    """Of pictures with copies: how unlike a caption is to the likest one of its copies, 1 − cosine."""
    order = np.argsort(found.unit, kind="stable")
    cuts = np.flatnonzero(np.diff(found.unit[order])) + 1
    nearest = np.full(len(order), np.nan)
    for members in np.split(order, cuts):
        if 1 < len(members) <= 1_000:
            cosine = found.space[members] @ found.space[members].T
            np.fill_diagonal(cosine, -1.0)
            nearest[members] = cosine.max(axis=1)
    known = np.flatnonzero(np.isfinite(nearest))
    apart = np.clip(1.0 - nearest[known], 0.0, 1.0)
    weight = np.clip((0.5 - (apart > 1 - UNLIKE).mean()) / 0.25, 0.0, 1.0) if len(known) else 1.0
    limit = 1.0 - UNLIKE
    score = np.where(apart >= limit, 0.5 + 0.5 * (apart - limit) / UNLIKE, 0.5 * apart / limit)
    return _frame(ids, found.rows[known], "unlike_caption", weight * score, nearest[known])


def _frame(
    ids: pl.Series,
    rows: npt.NDArray[np.int64],
    metric: str,
    score: npt.NDArray[np.float64],
    value: npt.NDArray[np.float64],
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sample_id": ids.gather(rows),
            "metric": pl.Series([metric] * len(rows), dtype=pl.String),
            "score": pl.Series(score, dtype=pl.Float64).clip(0.0, 1.0),
            "value": pl.Series(value, dtype=pl.Float64, strict=False),
            "is_issue": pl.Series([None] * len(rows), dtype=pl.Boolean),
        }
    )
