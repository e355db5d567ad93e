"""What is said again, in any script."""

import random

import pytest

from assay.modalities.text.words import repetition

WORDS = {
    "english": (
        "people house market school river bridge morning letter doctor window garden train "
        "station winter music paper kitchen teacher island mountain"
    ),
    "thai": ("คน บ้าน ตลาด โรงเรียน แม่น้ำ สะพาน เช้า จดหมาย หมอ หน้าต่าง สวน รถไฟ สถานี หนาว ดนตรี กระดาษ ครัว ครู เกาะ ภูเขา"),
    "lao": ("ຄົນ ເຮືອນ ຕະຫຼາດ ໂຮງຮຽນ ແມ່ນ້ຳ ຂົວ ເຊົ້າ ຈົດໝາຍ ໝໍ ປ່ອງຢ້ຽມ ສວນ ລົດໄຟ ສະຖານີ ໜາວ ດົນຕີ ເຈ້ຍ ເຮືອນຄົວ ຄູ ເກາະ ພູເຂົາ"),
    "khmer": ("មនុស្ស ផ្ទះ ផ្សារ សាលា ទន្លេ ស្ពាន ព្រឹក សំបុត្រ ពេទ្យ បង្អួច សួន រថភ្លើង ស្ថានីយ រដូវរងា តន្ត្រី ក្រដាស ផ្ទះបាយ គ្រូ កោះ ភ្នំ"),
    "burmese": ("လူ အိမ် ဈေး ကျောင်း မြစ် တံတား မနက် စာ ဆရာဝန် ပြတင်းပေါက် ဥယျာဉ် ရထား ဘူတာ ဆောင်း ဂီတ စက္ကူ မီးဖိုချောင် ဆရာ ကျွန်း တောင်"),
    "chinese": ("人们 房子 市场 学校 河流 桥梁 早晨 信件 医生 窗户 花园 火车 车站 冬天 音乐 纸张 厨房 老师 岛屿 山脉"),
    "japanese": (
        "ひと いえ 市場 がっこう 川岸 はし あさひ てがみ 医者 まどべ にわ 電車 えき ふゆぞら "
        "音楽 かみ 台所 せんせい しま やま"
    ),
    "korean": ("사람 집 시장 학교 강 다리 아침 편지 의사 창문 정원 기차 역 겨울 음악 종이 부엌 선생님 섬 산"),
}


def salad(language: str, n: int, seed: int = 0) -> str:
    """`n` words at random, no three in a row twice; blanks between them where the script has any."""
    rng, out, seen = random.Random(seed), [], set()
    while len(out) < n:
        word = rng.choice(WORDS[language].split())
        if (run := (*out[-2:], word)) not in seen:
            seen.add(run)
            out.append(word)
    return (" " if language in ("english", "korean") else "").join(out)


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("n", [20, 300, 1_500])
def test_no_script_repeats_itself_by_being_long(language, n):
    """Words of which no three stand together twice are not repetitive, whatever the script and length."""
    assert repetition(salad(language, n)) < 0.2


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("length", [2, 9, 40, 1_200])
def test_a_loop_is_found_in_every_script(language, length):
    """The same words again and again, whether the loop is of two words or of a page."""
    glue = " " if language in ("english", "korean") else ""
    text = glue.join([salad(language, length)] * (12 if length < 1_000 else 3))
    assert repetition(text) > 0.6


def test_a_book_is_not_repetitive_because_it_is_long():
    """Twenty thousand words of a small vocabulary, few runs of three near each other: below the limit of 0.3."""
    rng = random.Random(1)
    vocabulary = [f"word{i}" for i in range(40)]
    assert repetition(" ".join(rng.choice(vocabulary) for _ in range(20_000))) < 0.05


def test_mixed_scripts_count_each_by_its_own_measure():
    """Japanese with English words in it: a loop is one, an article is none."""
    article = "新しいGPUはPython 3で使えます。価格はUSD表記で、税込みではありません。配送は三日かかります。"
    assert repetition(article) == 0.0
    assert repetition(article * 6) > 0.7
