"""A file that ends whoever decodes it costs itself, in every modality that decodes, however few files there are."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from assay.modalities.audio.cleaning import audio_facts
from assay.modalities.image.cleaning import image_facts
from assay.modalities.objects.cleaning import object_facts
from assay.sources.files import LocalSource
from assay.sources.fragments import part_hash, parted
from assay.store.files import hash_bytes
from tests.modalities.deadly import Deadly

PICTURES = {"max_pixels": 10**6, "thumbnail_pixels": 64}


def picture(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def sound(rng: np.random.Generator) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, rng.normal(0, 0.1, 8_000), 8_000, format="WAV")
    return buffer.getvalue()


def video(rng: np.random.Generator) -> bytes:
    scenes = pytest.importorskip("assay.modalities.video.scenes", reason="the extra `video` is not installed")
    return scenes.clip("balls", rng)


def video_facts(source: LocalSource, chunks: list) -> Iterator:
    from assay.modalities.video import cleaning
    from assay.modalities.video.decode import Limits

    return cleaning.video_facts(source, chunks, Limits(10**6, 60.0, 1000))


@pytest.mark.parametrize(
    ("make", "measure", "part"),
    [
        (picture, lambda *work: image_facts(*work, **PICTURES), ""),
        (picture, lambda *work: object_facts(*work, **PICTURES), "#xywh=4,4,20,20"),
        (sound, lambda *work: audio_facts(*work, 60.0), ""),
        (video, video_facts, ""),
    ],
    ids=["image", "objects", "audio", "video"],
)
def test_a_file_that_kills_its_decoder_costs_itself(tmp_path, make: Callable, measure: Callable, part: str):
    """The others are measured, this process lives, and the reason is told; it is tried again another night."""
    contents = []
    for number, name in enumerate(("a", "deadly", "b")):
        data = make(np.random.default_rng(number))
        (tmp_path / name).write_bytes(data)
        contents.append((part_hash(hash_bytes(data), parted(part)[1]), [name + part]))
    [(facts, failures, unread)] = measure(Deadly(tmp_path, max_file_bytes=2**24), [contents])
    assert facts["content_hash"].to_list() == [contents[0][0], contents[2][0]] and failures.is_empty()
    assert unread.select("content_hash", "reason").rows() == [(contents[1][0], "decoder_crashed")]
