"""Video: how fast it is measured, what the checks and the copies are worth.

    python benchmarks/video.py FOLDER_OF_CLIPS

The folder has real clips (mp4); 120 made scenes are added. Prints frames a second and core with all checks, bytes that
are kept of a clip, AUROC of each check on planted defects, and recall of copies beside false pairs: of all pairs of
different clips, and of all pairs of stretches of two seconds cut from one real clip, which share camera, place, people.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assay.modalities.video import alterations, scenes
from assay.modalities.video.copies import ALIKE, CONFIRMED, as_sequence, compare, looks_of
from assay.modalities.video.decode import Limits
from assay.modalities.video.facts import measure
from assay.modalities.video.writing import write_mp4

LIMITS = Limits(178_956_970, 3_600.0, 250_000)
COPIES = ("trimmed", "reencoded", "rescaled", "mirrored")
CHECKS = {  # how a clip is spoiled → the fact that should see it
    "blacked": "black", "frozen": "frozen", "stuttering": "gaps", "boxed": "letterbox", "cut_short": "missing",
    "flipped": "corrupt", "still": "static",
}  # fmt: skip
STRETCH = 2.0  # seconds


def main(folder: Path) -> None:
    """Print all figures."""
    real = [file.read_bytes() for file in sorted(folder.glob("*.mp4"))]
    speed(real)
    made = [sample.content for sample in scenes.scene_samples(0, 30)]
    contents = real + made
    facts = [measure(content, LIMITS) for content in contents]
    checks(contents, facts)
    recall(contents, facts, len(real))
    false_pairs(facts, real)


def speed(real: list[bytes]) -> None:
    """Of the clean stage's work, one thread."""
    for content in real:
        started = time.process_time()
        facts = measure(content, LIMITS)
        taken = time.process_time() - started
        kept = {name: len(facts[name]) for name in ("luminance", "thumbnail")}
        print(f"{facts['width']} × {facts['height']}, {facts['n_frames']} frames: {facts['n_frames'] / taken:,.0f} "
              f"frames/s and core; kept: {kept}")  # fmt: skip


def checks(contents: list[bytes], good: list[dict]) -> None:
    """AUROC of each fact on spoiled clips, of every fourth clip and all real ones."""
    rng = np.random.default_rng(0)
    for name, fact in CHECKS.items():
        bad = [measure(spoil(name, content, rng), LIMITS)[fact] for content in contents[::3]]
        values = [facts[fact] for facts in good] + bad
        truth = [0] * len(good) + [1] * len(bad)
        print(f"  {name:10} by {fact:9} AUROC {roc_auc_score(truth, values):.3f}")


def spoil(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """One spoiled clip."""
    if name == "flipped":  # behind the first picture, on which the others rest
        broken = bytearray(content)
        start = content.index(b"mdat") + len(content) // 3
        for place in rng.integers(start, start + len(content) // 3, 60):
            broken[place] ^= 0xFF
        return bytes(broken)
    if name == "still":
        first = alterations._read(content)[1][0]
        return write_mp4(((place, first) for place in range(40)), 15.0)
    return getattr(alterations, name)(content, rng)


def recall(contents: list[bytes], facts: list[dict], n_real: int) -> None:
    """Of altered copies: those that are looked for, and confirmed."""
    rng = np.random.default_rng(1)
    known = [as_sequence(one["luminance"]) for one in facts]
    for name in COPIES:
        values, looks = [], []
        for content, sequence in zip(contents, known, strict=True):
            copy = as_sequence(measure(getattr(alterations, name)(content, rng), LIMITS)["luminance"])
            values.append(compare(sequence, copy)[0])
            looks.append(cosine(looks_of(sequence), looks_of(copy)))
        found = (np.array(values) >= CONFIRMED) & (np.array(looks) >= ALIKE)
        print(f"  {name:10} recall {found[:n_real].mean():.3f} of {n_real} real, {found[n_real:].mean():.3f} of "
              f"{len(found) - n_real} made; least agreement {min(values):.3f}, likeness {min(looks):.3f}")  # fmt: skip


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of two vectors."""
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def false_pairs(facts: list[dict], real: list[bytes]) -> None:
    """Different clips that are called copies."""
    known = [as_sequence(one["luminance"]) for one in facts]
    started = time.process_time()
    values = [compare(a, b)[0] for a, b in itertools.combinations(known, 2)]
    each = 1000 * (time.process_time() - started) / len(values)
    print(f"{len(values):,} pairs of different clips: {sum(v >= CONFIRMED for v in values)} called copies, "
          f"the closest {np.sort(values)[-3:].round(3)}; {each:.1f} ms a pair")  # fmt: skip
    values = []
    for content in real:
        pieces = [as_sequence(measure(piece, LIMITS)["luminance"]) for piece in stretches(content)]
        values += [compare(a, b)[0] for a, b in itertools.combinations(pieces, 2)]
    print(f"{len(values):,} pairs of stretches of one clip: {sum(v >= CONFIRMED for v in values)} called copies, "
          f"the closest {np.sort(values)[-3:].round(3)}")  # fmt: skip


def stretches(content: bytes) -> list[bytes]:
    """Stretches of two seconds that do not overlap."""
    played, frames = alterations._read(content)
    fps = alterations._fps(played)
    n = round(STRETCH * fps)
    return [write_mp4(enumerate(frames[at : at + n]), fps) for at in range(0, len(frames) - n + 1, n)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
