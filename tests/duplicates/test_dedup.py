"""The dedup and near_dedup stages on made-up nights."""

import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance, ImageOps

from assay.duplicates.group_tables import MAX_PAIRS, leak_rows
from assay.duplicates.reference import renew_references
from assay.modalities.image import pictures
from assay.modalities.image.alignment import match_coarsely
from tests.duplicates.night import Night


def scenes(n: int, seed: int = 0) -> list[np.ndarray]:
    """Pictures of 96 × 80 pixels, each a different smooth random scene with shapes."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        base = Image.fromarray(rng.integers(0, 256, (7, 8, 3), dtype=np.uint8)).resize(
            (96, 80), Image.Resampling.BICUBIC
        )
        picture = np.array(base)
        for _ in range(5):
            y, x, h, w = rng.integers(0, 60), rng.integers(0, 70), rng.integers(6, 30), rng.integers(6, 30)
            picture[y : y + h, x : x + w] = rng.integers(0, 256, 3)
        found.append(picture)
    return found


def altered(picture: np.ndarray, how: str) -> np.ndarray:
    image = Image.fromarray(picture)
    return np.array(
        {
            "resized": lambda: image.resize((144, 120), Image.Resampling.LANCZOS),
            "cropped": lambda: image.crop((7, 4, 92, 75)),
            "cropped much": lambda: image.crop((12, 8, 84, 70)),
            "mirrored": lambda: ImageOps.mirror(image),
            "upside down": lambda: ImageOps.flip(image),
            "darker": lambda: ImageEnhance.Brightness(image).enhance(0.7),
            "brighter": lambda: ImageEnhance.Brightness(image).enhance(1.2),
        }[how]()
    )


ALTERATIONS = ["resized", "cropped", "cropped much", "mirrored", "upside down", "darker", "brighter"]


@pytest.fixture(scope="module")
def pictures_night(tmp_path_factory):
    """Sixty scenes and an altered copy of seven of them; the vectors know who is whose copy, roughly."""
    originals = scenes(60)
    copies = [altered(originals[i], how) for i, how in enumerate(ALTERATIONS)]
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((60, 16))
    near = vectors[: len(copies)] + 0.3 * rng.standard_normal((len(copies), 16))
    return Night(tmp_path_factory.mktemp("night"), originals + copies, vectors=np.concatenate([vectors, near]))


@pytest.mark.parametrize("i", range(len(ALTERATIONS)), ids=ALTERATIONS)
def test_altered_copies_are_found(pictures_night, i):
    """A resized, cropped, flipped or relit copy stands in its original's group."""
    assert frozenset({i, 60 + i}) in pictures_night.groups()


def test_different_pictures_are_not_grouped(pictures_night):
    """Neighbours in the embedding that show something else stay out, however near they are."""
    assert len(pictures_night.groups()) == len(ALTERATIONS)


def test_mirrored_copies_are_found_without_help_of_the_vectors(tmp_path):
    """An embedder that knows nothing of flips puts the mirrored copy anywhere; its flipped hash finds it."""
    originals = scenes(60)
    vectors = np.random.default_rng(0).standard_normal((61, 16))
    night = Night(tmp_path, [*originals, altered(originals[5], "mirrored")], vectors=vectors, k=3)
    assert night.groups() == {frozenset({5, 60})}


def test_without_vectors_the_exact_tiers_stand(tmp_path):
    """No vectors, no graph: byte and perceptual duplicates are still the final ones."""
    originals = scenes(8)
    night = Night(tmp_path, [*originals, originals[2], altered(originals[3], "resized")])
    assert night.groups() == night.groups("exact_duplicates") == {frozenset({2, 8}), frozenset({3, 9})}
    assert {i: row["tier"] for i, row in night.rows().items() if i > 7} == {8: "bytes", 9: "perceptual"}


def test_units_are_the_kept_members(tmp_path):
    """Every sample has one unit, which is its group's kept member or itself."""
    originals = scenes(5)
    night = Night(tmp_path, [*originals, originals[1], originals[1]])
    assert night.units() == {**{f"s{i:05d}": f"s{i:05d}" for i in range(5)}, "s00005": "s00001", "s00006": "s00001"}


def test_embedding_tier_can_be_switched_off(tmp_path):
    """`embedding = false` leaves the exact tiers."""
    originals = scenes(60)
    copy = altered(originals[0], "cropped much")
    vectors = np.random.default_rng(0).standard_normal((60, 8))
    night = Night(tmp_path, [*originals, copy], vectors=np.concatenate([vectors, vectors[:1] * 1.01]), embedding=False)
    assert night.groups() == set()


def test_flat_pictures_are_grouped_by_shade_only(tmp_path):
    """Blank pictures all have one hash: black ones are one group, grey ones another, and no scene joins them."""
    black = [np.full((20 + i, 20, 3), 1, dtype=np.uint8) for i in range(3)]
    grey = [np.full((20 + i, 20, 3), 120, dtype=np.uint8) for i in range(2)]
    ramp = [np.full((20, 20, 3), 40 + 12 * i, dtype=np.uint8) for i in range(4)]
    night = Night(tmp_path, [*black, *grey, *ramp, *scenes(3)])
    assert night.groups() == {frozenset({0, 1, 2}), frozenset({3, 4})}


def test_nothing_but_flat_pictures(tmp_path):
    """Where no picture has anything to hash, each shade is its own unit."""
    night = Night(tmp_path, [np.full((20, 20, 3), 40 + 12 * i, dtype=np.uint8) for i in range(4)])
    assert night.groups() == set()


def test_order_of_rows_does_not_matter(tmp_path):
    """The same positions in another order of rows and parts give the same tables."""
    originals = scenes(55)
    contents = [*originals, *(altered(p, how) for p, how in zip(originals, ALTERATIONS, strict=False)), originals[9]]
    vectors = np.random.default_rng(2).standard_normal((len(contents), 8))
    vectors[55:62] = vectors[:7] * 1.01
    splits = ["train", "test"] * (len(contents) // 2) + ["train"] * (len(contents) % 2)
    one = Night(tmp_path / "a", contents, vectors=vectors, splits=splits)
    other = Night(tmp_path / "b", contents, vectors=vectors, splits=splits, shuffle=3)
    for table in ("copies", "leaks"):
        assert one.near.read(table).equals(other.near.read(table))
        assert len(one.near.read(table))


def test_a_pair_is_aligned_once(tmp_path, monkeypatch):
    """The next night, its rows the other way round, aligns the pairs of its new picture only, and comes to the same as
    one that has forgotten what pairs came to."""
    aligned = []

    def counted(small, left, right):
        aligned.append(len(left))
        return match_coarsely(small, left, right)

    monkeypatch.setattr(pictures, "match_coarsely", counted)
    contents = scenes(60)
    contents += [altered(picture, how) for picture, how in zip(contents, ALTERATIONS, strict=False)]
    vectors = np.random.default_rng(1).standard_normal((68, 16))
    vectors[60:67] = vectors[:7] + 0.2
    counts, tables = [], []
    for forgets in (False, True):
        home = tmp_path / str(forgets)
        Night(home, contents, vectors=vectors[:67])
        if forgets:
            shutil.rmtree(home / "night/facts/picture_matches")
        aligned.clear()
        more = [*contents, altered(contents[9], "cropped")][::-1]
        tables.append(Night(home, more, vectors=vectors[::-1]).near.read("copies"))
        counts.append(sum(aligned))
    assert tables[0].equals(tables[1]) and len(tables[0])
    assert 0 < counts[0] < 0.2 * counts[1]


def test_reference_is_kept_from_the_first_night(tmp_path):
    """A second night with denser data judges by the first night's radius, says so, and by its own when asked to."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((60, 8)).astype(np.float32)
    Night(tmp_path / "home", list(base))
    denser = np.repeat(base, 2, axis=0) + 0.2 * rng.standard_normal((120, 8)).astype(np.float32)
    near = (denser[0] + 0.05 * rng.standard_normal(8)).astype(np.float32)
    again = Night(tmp_path / "home", [*denser, near])
    alone = Night(tmp_path / "other", [*denser, near])
    assert frozenset({0, 120}) in again.groups() and not alone.groups()
    health = {row["check"]: row for row in again.near.read("embedding_health").to_dicts()}
    assert not health["reference_radius"]["ok"] and "--new-reference" in health["reference_radius"]["note"]
    renew_references(again.workspace, "the data became denser")
    renewed = Night(tmp_path / "home", [*denser, near])
    assert renewed.groups() == alone.groups()
    health = {row["check"]: row for row in renewed.near.read("embedding_health").to_dicts()}
    assert health["reference_radius"]["ok"] and "the data became denser" in health["reference_radius"]["note"]


@pytest.mark.parametrize("copies", [0, 6, 48, 60])
@pytest.mark.parametrize("each", [1, 3, 12])
def test_a_night_of_copies_is_seen_through(tmp_path, copies, each):
    """Re-crawled, re-encoded, augmented: whatever share of the vectors has near copies, and however many, each is found
    and nothing else; and where most have one the reference is doubted."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((60, 16)).astype(np.float32)
    again = np.repeat(base[:copies], each, axis=0)
    again = again + 1e-2 * rng.standard_normal(again.shape).astype(np.float32)
    night = Night(tmp_path, [*base, *again], k=30)
    expected = {frozenset({i, *range(60 + i * each, 60 + (i + 1) * each)}) for i in range(copies)}
    assert night.groups() == expected
    health = {row["check"]: row["ok"] for row in night.near.read("embedding_health").to_dicts()}
    assert health == {
        "reference_radius": True,
        "reference_near_copies": 2 * copies * (each + 1) <= len(base) + len(again),
    }


def test_vectors_have_only_themselves(tmp_path):
    """Brought vectors: equal ones are byte duplicates, very close ones embedding duplicates, the rest apart."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((60, 16)).astype(np.float32)
    night = Night(tmp_path, [*base, base[3].copy(), (base[4] * 1.0001 + 1e-4).astype(np.float32)])
    assert night.groups() == {frozenset({3, 60}), frozenset({4, 61})}
    rows = night.rows()
    assert (rows[60]["tier"], rows[61]["tier"]) == ("bytes", "embedding")
    assert rows[60]["similarity"] == 1.0 and 0.99 < rows[61]["similarity"] <= 1.0


TEXTS = [
    "How do I locate the card that you sent me last week?",
    "  how do i LOCATE the card that you sent me last week?",
    "How do I locate the card that you sent me last wek?",
    "Why was my transfer to another country declined again?",
    "Why was my transfer to another country decl",
    "What is the exchange rate for dollars today?",
    "Can I open an account for my two children?",
]


def test_text_tiers(tmp_path):
    """Case and blanks are the text tier, a typing error the MinHash tier; other questions stay apart."""
    night = Night(tmp_path, TEXTS, minhash_jaccard=0.7)
    assert frozenset({0, 1, 2}) in night.groups()
    tiers = {i: row["tier"] for i, row in night.rows().items()}
    assert (tiers[1], tiers[2]) == ("text", "minhash")
    assert 0.7 <= night.rows()[2]["similarity"] < 1.0


def test_truncated_text_is_found_through_its_vector(tmp_path):
    """A short text cut off near its end is contained in the whole: reported, and both are kept."""
    rng = np.random.default_rng(0)
    words = np.array("card top transfer rate fee app cash account child bank euro pin lost money".split())
    texts = [" ".join(rng.choice(words, 9)) for _ in range(60)]
    vectors = rng.standard_normal((61, 8))
    vectors[60] = vectors[7] + 0.05
    night = Night(tmp_path, [*texts, texts[7][: int(len(texts[7]) * 0.75)]], vectors=vectors)
    assert night.groups("exact_duplicates") == set() and night.groups() == {frozenset({7, 60})}
    rows = night.rows()
    assert rows[60]["tier"] == "contained" and rows[60]["keep"] and rows[7]["keep"] and rows[60]["similarity"] == 1.0


def test_empty_texts_are_one_group(tmp_path):
    """Blank texts have no shingles; they are equal once normalised."""
    night = Night(tmp_path, ["", " ", "\t\n", "x", "y"])
    assert night.groups() == {frozenset({0, 1, 2})}


@pytest.mark.parametrize("contents", [[], ["a"], ["a", "b"]], ids=["none", "one", "two"])
def test_too_few_samples(tmp_path, contents):
    """Tables are there and empty; every sample is its own unit."""
    night = Night(tmp_path, contents)
    assert len(night.near.read("copies")) == len(night.near.read("leaks")) == 0
    assert night.near.parts("copies") and len(night.units()) == len(contents)


def test_three_thousand_identical_samples(tmp_path):
    """One group, one unit, and leaks in proportion to the samples, not to their pairs."""
    splits = ["train"] * 2900 + ["test"] * 100
    night = Night(tmp_path, ["same"] * 3000, splits=splits)
    assert night.groups() == {frozenset(range(3000))} and set(night.units().values()) == {"s00000"}
    leaked = night.leaks()
    assert len(leaked) <= 3000 and {i for pair in leaked for i in pair} == set(range(3000))
    assert night.near.read("leaks")["tier"].unique().to_list() == ["bytes"]


def test_leaks_are_all_pairs_across_splits(tmp_path):
    """Every pair of a group in two splits, the earlier split in the alphabet first; a null split leaks nothing."""
    splits = ["train", "test", "train", "val", None, "train"]
    night = Night(tmp_path, ["a", "a", "a", "a", "a", "b"], splits=splits)
    assert night.leaks() == {(1, 0), (1, 2), (1, 3), (0, 3), (2, 3)}
    assert night.near.read("leaks").select("split", "other_split").rows() == [
        (splits[a], splits[b]) for a, b in night.near.read("leaks").select(
            pl.col("sample_id").str.slice(1).cast(pl.Int64), pl.col("other_id").str.slice(1).cast(pl.Int64)
        ).rows()
    ]  # fmt: skip


def test_a_pair_that_is_close_only_through_the_medoid_is_no_leak():
    """Two variants of one original, in two splits and too unlike each other: each leaks to the original alone."""
    similarity = {(0, 1): 0.9, (1, 2): 0.9, (0, 2): 0.6}

    def describe(left, right):
        pairs = zip(np.minimum(left, right).tolist(), np.maximum(left, right).tolist(), strict=True)
        return np.full(len(left), "embedding", dtype=object), np.array([similarity[pair] for pair in pairs])

    ids = np.array(["a", "original", "b"], dtype=object)
    frame = leak_rows(ids, pl.Series(["test", "train", "train"]), np.ones(3, dtype=np.int64), [], describe, 0.75)
    assert frame.select("sample_id", "other_id").rows() == [("a", "original")]


def test_null_splits_everywhere(tmp_path):
    """No splits, no leaks."""
    night = Night(tmp_path, ["a", "a"])
    assert night.leaks() == set() and night.groups() == {frozenset({0, 1})}


def test_a_large_group_leaks_to_the_closest(tmp_path):
    """Above the cap each sample is paired with the partner that shares most: content before text before unit."""
    n = 400
    kept, split = np.zeros(n, dtype=np.int64), pl.Series(["test", "train"] * (n // 2))
    contents = np.arange(n) // 4  # two of each content in either split
    assert (n // 2) ** 2 > MAX_PAIRS

    def describe(left, right):
        return np.where(contents[left] == contents[right], "bytes", "embedding").astype(object), np.ones(len(left))

    ids = np.array([f"s{i:05d}" for i in range(n)], dtype=object)
    frame = leak_rows(ids, split, kept, [contents, kept], describe, 1.0)
    assert len(frame) <= 2 * n and set(frame["tier"]) == {"bytes"}
    assert set(frame["sample_id"]) | set(frame["other_id"]) == set(ids)
    assert set(frame["split"]) == {"test"} and set(frame["other_split"]) == {"train"}


@pytest.mark.parametrize(
    ("section", "kept"),
    [
        ({}, 0),
        ({"keep": "largest"}, 1),
        ({"keep": "split_order"}, 2),
        ({"keep": "split_order", "split_order": ["extra", "test"]}, 3),
    ],
    ids=["first", "largest", "split_order", "own split_order"],
)
def test_keep_policies(tmp_path, section, kept):
    """First in the source, largest, or first in the order of splits; unnamed splits and no split come after."""
    picture = scenes(1)[0]
    contents = [picture, altered(picture, "resized"), np.ascontiguousarray(picture), altered(picture, "brighter")]
    night = Night(tmp_path, contents, splits=["train", None, "test", "extra"], **section)
    rows = night.rows()
    assert len(rows) == 4 and [i for i, row in rows.items() if row["keep"]] == [kept]
    assert {row["group_id"] for row in rows.values()} == {f"s{kept:05d}"} and rows[kept]["similarity"] == 1.0


def test_samples_without_facts_stay_apart(tmp_path):
    """A sample that clean could not measure is a duplicate of its bytes only."""
    originals = scenes(4)
    night = Night(tmp_path / "a", [*originals, originals[0]])
    facts = night.cleaned.read("image_facts").filter(pl.col("content_hash") != night.samples["content_hash"][1])
    night.workspace = type(night.workspace)(tmp_path / "b", "night")
    cleaned = night._stage("clean", {"samples": night.samples, "image_facts": facts}, "fewer")
    from assay.duplicates.stage import dedup

    assert dedup(night.spec, night.workspace, cleaned).read("units")["unit_id"].n_unique() == 4
