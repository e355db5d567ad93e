"""The SQL of image and text issues, by given and expected rows; 0.5 is at each limit."""

import numpy as np
import polars as pl
import pytest

from assay.contracts.modality import find_modality
from assay.contracts.tables import empty
from assay.metrics.sql import select
from assay.modalities.image.digits import digit_samples
from assay.modalities.text.facts import text_facts
from assay.store.files import hash_text
from tests.clean.conftest import facts_of

TYPICAL = {
    "width": 300, "height": 200, "brightness_p05": 0.1, "brightness_p99": 0.95, "contrast": 0.4,
    "entropy_bits": 7.0, "sharpness": 800.0, "colorfulness": 0.2, "damage": 0.0, "changes": [],
}  # fmt: skip


def scores(tmp_path, table: str, facts: pl.DataFrame) -> dict[tuple[str, str], float]:
    """`{(sample_id, metric): score}`; sample s0 has the first fact."""
    ids = [f"s{i}" for i in range(len(facts))]
    samples = pl.DataFrame({"sample_id": ids, "content_hash": facts["content_hash"]})
    found = select(
        find_modality(table.removesuffix("_facts")).facts.issues[0], {"samples": samples, table: facts}, tmp_path
    )
    assert found["score"].is_between(0, 1).all() and not found["score"].is_nan().any()
    assert found.rows() == found.sort("sample_id", "metric").rows()
    assert not found.select("sample_id", "metric").is_duplicated().any()
    return {(sample, metric): score for sample, metric, score, _ in found.iter_rows()}


def images(*different: dict, n: int = 9) -> pl.DataFrame:
    """Facts of the `different` images first, then of `n` typical ones."""
    rows = [{**TYPICAL, **values} for values in (*different, *[{}] * n)]
    frame = pl.DataFrame(rows).with_columns(pl.Series("content_hash", [f"{i:032x}" for i in range(len(rows))]))
    schema = empty("image_facts").schema
    return frame.with_columns(pl.col(name).cast(schema[name]) for name in frame.columns)


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("damaged", {"damage": 0.0}, 0.0),
        ("damaged", {"damage": 0.4}, 0.7),
        ("damaged", {"damage": 1e-6}, 0.5),
        ("dark", {"brightness_p99": 0.32}, 0.5),
        ("dark", {"brightness_p99": 0.0}, 1.0),
        ("dark", {"brightness_p99": 0.16}, 0.75),
        ("dark", {"brightness_p99": 1.0}, 0.0),
        ("bright", {"brightness_p05": 0.95}, 0.5),
        ("bright", {"brightness_p05": 1.0}, 1.0),
        ("bright", {"brightness_p05": 0.0}, 0.0),
        ("odd_aspect", {"width": 1000, "height": 350}, 0.5),
        ("odd_aspect", {"width": 350, "height": 1000}, 0.5),
        ("odd_aspect", {"width": 200, "height": 200}, 0.175),
        ("odd_size", {"width": 3000, "height": 2000}, 0.5),
        ("odd_size", {"width": 30, "height": 20}, 0.5),
        ("odd_size", {}, 0.05),
        ("low_information", {"entropy_bits": 0.0, "contrast": 0.0, "sharpness": 0.0}, 1.0),
        ("low_information", {"entropy_bits": 3.0, "contrast": 0.1}, 0.5),
        ("grayscale", {"colorfulness": 0.01}, 0.5),
        ("grayscale", {"colorfulness": 0.0}, 1.0),
    ],
)
def test_image_scores(tmp_path, metric, values, expected):
    """The score of one unusual image among typical ones."""
    assert scores(tmp_path, "image_facts", images(values))["s0", metric] == pytest.approx(expected, abs=1e-6)


def test_typical_images_have_no_issue(tmp_path):
    """Nothing typical scores 0.5 in anything."""
    assert max(scores(tmp_path, "image_facts", images()).values()) < 0.5


def test_blur_is_fewer_edges_than_the_contrast_gives(tmp_path):
    """Little Laplacian at full contrast is blurry; a flat image is not; one pixel wide is not judged."""
    found = scores(
        tmp_path,
        "image_facts",
        images({"sharpness": 20.0}, {"sharpness": 0.0, "contrast": 0.0, "entropy_bits": 0.0}, {"sharpness": None}),
    )
    assert found["s0", "blurry"] > 0.5
    assert found["s1", "blurry"] < 0.5 and found["s2", "blurry"] == 0.0


def test_a_dataset_in_grayscale_is_no_issue(tmp_path):
    """Grayscale is an issue where the large majority is coloured, and fades out from a quarter to a half."""
    gray = {"colorfulness": 0.0}
    one, third, half = (
        scores(tmp_path, "image_facts", images(*[gray] * n, n=m))["s0", "grayscale"]
        for n, m in ((1, 9), (3, 5), (5, 5))
    )
    assert one > 0.999 and 0.0 < third < 1.0 and half == 0.0


COMMON = {
    "dark": {"brightness_p99": 0.1},
    "bright": {"brightness_p05": 0.99},
    "odd_aspect": {"width": 1242, "height": 375},
    "grayscale": {"colorfulness": 0.0},
}


@pytest.mark.parametrize("metric", COMMON)
def test_what_most_of_a_dataset_is_like_is_said_once(tmp_path, metric):
    """A look that most samples share flags none of them and is a finding of the dataset; a rare one flags its own."""
    rare, common = (images(*[COMMON[metric]] * n, n=40 - n) for n in (2, 32))
    assert scores(tmp_path, "image_facts", rare)["s0", metric] >= 0.5
    found = scores(tmp_path, "image_facts", common)
    assert max(score for (_, name), score in found.items() if name == metric) < 0.5
    assert prevalence(tmp_path, rare) == {}
    assert list(prevalence(tmp_path, common)) == [f"prevalent:{metric}"]
    share, note = prevalence(tmp_path, common)[f"prevalent:{metric}"]
    assert share == 0.8 and note.startswith("32 of 40 images ")


def prevalence(tmp_path, facts: pl.DataFrame) -> dict[str, tuple[float, str]]:
    ids = [f"s{i}" for i in range(len(facts))]
    samples = pl.DataFrame({"sample_id": ids, "content_hash": facts["content_hash"]})
    found = select(find_modality("image").facts.prevalence, {"samples": samples, "image_facts": facts}, tmp_path)
    return {metric: (value, note) for metric, value, note in found.iter_rows()}


def test_a_tall_picture_among_wide_ones_is_odd(tmp_path):
    """The aspect counts from the dataset's: wide frames are nothing among wide frames, a tall one is, and a portrait
    among landscapes is no issue, for it is not odd in itself."""
    wide, tall = {"width": 900, "height": 300}, {"width": 300, "height": 900}
    found = scores(tmp_path, "image_facts", images(tall, *[wide] * 20, n=4))
    assert found["s0", "odd_aspect"] > 0.5 > found["s1", "odd_aspect"]
    landscape, portrait = {"width": 640, "height": 360}, {"width": 360, "height": 640}
    found = scores(tmp_path, "image_facts", images(portrait, *[landscape] * 20, n=0))
    assert max(score for (_, name), score in found.items() if name == "odd_aspect") < 0.5


def test_pictures_that_use_little_of_their_depth_are_told(tmp_path):
    """A dataset metric has their share; nothing is flagged."""
    facts = images(*[{"changes": ["depth_reduced", "range_scaled"]}] * 2, n=6)
    assert prevalence(tmp_path, facts)["prevalent:narrow_range"][0] == 0.25


def test_digits_are_neither_blurry_nor_empty(tmp_path):
    """Scaled-up 8 × 8 digits have no image issue, although they are gray, soft and of few levels."""
    facts, *_ = facts_of([sample.content for sample in digit_samples(0, 60)])
    assert max(scores(tmp_path, "image_facts", facts).values()) < 0.5


def test_a_score_does_not_depend_on_the_other_samples_being_worse(tmp_path):
    """No dividing by tonight's maximum: a black image joining changes nobody's darkness."""
    alone = scores(tmp_path, "image_facts", images({"brightness_p99": 0.3}))
    joined = scores(tmp_path, "image_facts", images({"brightness_p99": 0.3}, {"brightness_p99": 0.0}))
    assert alone["s0", "dark"] == joined["s0", "dark"]


def test_one_image_and_none(tmp_path):
    """A dataset of one image has scores; an empty one has no rows."""
    assert len(scores(tmp_path, "image_facts", images(n=1))) == 8
    assert scores(tmp_path, "image_facts", images(n=1).clear()) == {}


QUERIES = [
    "Why was my card payment declined at the shop today?", "How do I change the address on my account?",
    "Can I get a refund for a transfer that I sent by mistake?", "Where do I find the exchange rate for euros?",
    "My new card has not arrived after two weeks of waiting.", "Please tell me how to top up with my watch.",
    "What is the limit for withdrawing cash abroad?", "I think that somebody else has used my card.",
]  # fmt: skip


def of_texts(*values: str) -> pl.DataFrame:
    frame = pl.DataFrame({"content_hash": [hash_text(f"{i} {v}") for i, v in enumerate(values)], "text": values})
    steps = ("ftfy", "nfc", "control", "whitespace")
    return text_facts(frame, steps=steps, language="en", max_characters=10**6)[0]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("near_empty", ""),
        ("near_empty", "?!"),
        ("near_empty", "ok"),
        ("repetitive", "buy now " * 20),
        ("repetitive", "aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("shouting", "WHY WAS MY CARD DECLINED AGAIN"),
        ("garbled", "&^%$ #@!~ *(){} |||| <<>> a"),
        ("garbled", "Ma carte est passÃ©e trop tÃ´t"),
        ("garbled", "my na\ufffdve caf\ufffd card"),
        ("damaged", "Ma carte est passÃ©e trop tÃ´t"),
        ("damaged", "my na\ufffdve caf\ufffd card"),
        ("damaged", "my card\x00\x00\x00 is lost"),
        ("other_language", "Wo bleibt meine neue Karte, die ich letzte Woche bestellt habe?"),
    ],
)
def test_text_issues(tmp_path, metric, value):
    """Each kind of bad text is flagged as that, and the good queries around it as nothing."""
    found = scores(tmp_path, "text_facts", of_texts(value, *QUERIES))
    assert found["s0", metric] >= 0.5
    assert max(score for (sample, _), score in found.items() if sample != "s0") < 0.5


def test_boilerplate_is_a_sentence_in_many_different_texts(tmp_path):
    """A template in five texts, whatever its numbers, marks those that are mostly template; copies count once."""
    footer = "This message number {} was sent from an unattended mailbox."
    short = [f"Hi {name}. {footer.format(i)}" for i, name in enumerate(("Ann", "Bob", "Cem", "Dan", "Eva"))]
    found = scores(tmp_path, "text_facts", of_texts(*short, *QUERIES))
    assert all(found[f"s{i}", "boilerplate"] >= 0.5 for i in range(5))
    assert all(found[f"s{i}", "boilerplate"] == 0.0 for i in range(5, 13))
    copies = scores(tmp_path, "text_facts", of_texts(*[QUERIES[0]] * 8, *QUERIES[1:]))
    assert copies["s0", "boilerplate"] == 0.0


def test_boilerplate_needs_no_full_stops(tmp_path):
    """A notice in Thai, which parts sentences by blanks, and a short one in Chinese are boilerplate as well."""
    thai = "ขอสงวนสิทธิ์ในการเปลี่ยนแปลงข้อมูลโดยไม่ต้องแจ้งให้ทราบล่วงหน้า"
    chinese = "本邮件由系统自动发送请勿直接回复"
    goods = ("ข้าวมันไก่", "กาแฟคั่วกลาง", "รถไฟขบวนเช้า", "หนังสือนิยาย", "กุหลาบสีขาว")
    texts = [f"{word} {thai}" for word in goods] + [
        f"{word}。{chinese}" for word in ("咖啡", "火车", "小说", "玫瑰", "米饭")
    ]
    found = scores(tmp_path, "text_facts", of_texts(*texts, *QUERIES))
    assert all(found[f"s{i}", "boilerplate"] >= 0.5 for i in range(10))
    assert all(found[f"s{i}", "boilerplate"] == 0.0 for i in range(10, 15))


def test_damage_has_its_share(tmp_path):
    """The value is the share of the characters that reading had to mend, and one lost letter of a page is an issue."""
    lost = "A page of ordinary words. " * 40 + "caf\ufffd"
    found = scores(tmp_path, "text_facts", of_texts("sÃ£o paulo", lost, *QUERIES))
    assert found["s0", "damaged"] == pytest.approx(0.5 + 0.5 * 4 / 10, abs=1e-6)
    assert 0.5 < found["s1", "damaged"] < 0.501


def test_a_dataset_of_many_languages_has_no_other_language(tmp_path):
    """Without a main language no text is foreign."""
    german = [
        "Wo bleibt meine neue Karte, die ich letzte Woche bestellt habe?",
        "Wie ändere ich meine Adresse im Konto?",
    ]
    spanish = ["¿Dónde está la tarjeta que pedí la semana pasada?", "¿Cómo puedo cambiar la dirección de mi cuenta?"]
    found = scores(tmp_path, "text_facts", of_texts(*german, *spanish, *QUERIES[:2]))
    assert all(score == 0.0 for (_, metric), score in found.items() if metric == "other_language")


def numbered(n: int, words: str) -> list[str]:
    """Texts of the same few words in many orders."""
    pool = words.split()
    return [" ".join(pool[(i * step) % len(pool)] for step in range(1, 9)) + f" {pool[i % 5]} {i}" for i in range(n)]


def test_rare_words_are_those_that_hardly_any_other_text_has(tmp_path):
    """A stranger among texts on one thing; of two other texts that share its words it is one still, of many not."""
    ours = numbered(120, "my card was not sent to the bank account when i asked for a transfer of money abroad again")
    stranger = "The tenor hummed vespers under blooming lavender"
    found = scores(tmp_path, "text_facts", of_texts(stranger, *ours))
    assert found["s0", "rare_words"] >= 0.75
    assert all(found[f"s{i}", "rare_words"] == 0.0 for i in range(1, 121))
    few = scores(tmp_path, "text_facts", of_texts(stranger, f"{stranger} {stranger}.", f"Again: {stranger}!", *ours))
    assert all(few[f"s{i}", "rare_words"] >= 0.5 for i in range(3))
    kinds = [f"{stranger} {word}" for word in ("beneath", "beyond", "above", "below")]
    many = scores(tmp_path, "text_facts", of_texts(*kinds, *ours))
    assert all(many[f"s{i}", "rare_words"] < 0.5 for i in range(4))


def test_rare_words_judge_no_text_that_they_cannot(tmp_path):
    """Few words, few texts, scripts that do not part words; and where most texts are rare in words, none stands out."""
    ours = numbered(120, "my card was not sent to the bank account when i asked for a transfer of money abroad again")
    found = scores(
        tmp_path,
        "text_facts",
        of_texts("Tenor hummed vespers", "ข้าวมันไก่ กาแฟคั่วกลาง รถไฟขบวนเช้า หนังสือนิยาย กุหลาบสีขาว", *ours),
    )
    assert found["s0", "rare_words"] == found["s1", "rare_words"] == 0.0
    assert scores(tmp_path, "text_facts", of_texts(*QUERIES))["s0", "rare_words"] == 0.0
    own = [f"{' '.join(f'w{i}x{k}' for k in range(6))} my card was sent" for i in range(110)]
    found = scores(tmp_path, "text_facts", of_texts(*own))
    assert all(found[f"s{i}", "rare_words"] < 0.5 for i in range(110))


def test_hostile_text_is_data(tmp_path):
    """Text that looks like SQL, markup or a pattern is scored like any other."""
    hostile = [
        "'; drop table samples; --",
        "<script>alert(1)</script>",
        "(((((.*)+)+)+)+$",
        "\\p{L}[^",
        "=cmd|' /C calc'!A0",
    ]
    assert len(scores(tmp_path, "text_facts", of_texts(*hostile))) == 8 * len(hostile)


def test_empty_texts_only(tmp_path):
    """Nothing but empty texts: all near empty, no error."""
    found = scores(tmp_path, "text_facts", of_texts("", " ", "\n"))
    assert all(found[f"s{i}", "near_empty"] == 1.0 for i in range(3))
    assert np.isfinite(list(found.values())).all()
