"""Sound, on the Free Spoken Digit Dataset (600 clips, 8 kHz): what the vectors, the checks and the copies are worth.

    python benchmarks/audio.py FOLDER_OF_WAVS

Prints accuracy of a linear probe on the digits (5 folds; each speaker held out), AUROC of each check on planted defects
of 60 clips beside the 600, milliseconds a clip, and recall and false pairs of the copies among the hardest pairs. Where
onnxruntime and openwakeword 0.4.0 are installed, the same accuracy by the speech embedding that it carries.
"""

import importlib.util
import math
import sys
import time
from pathlib import Path

import numpy as np
from graph import accuracies
from scipy.signal import resample_poly
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assay.embedders.logmel import patch
from assay.embedders.pca import leading_axes
from assay.modalities.audio import alterations, copies, mel
from assay.modalities.audio.decode import Sound, decode
from assay.modalities.audio.facts import MATCH_BANDS, MATCH_FLOOR_DB, MATCH_HIGHEST, MATCH_HOP, measure

CHECKS = {  # how a clip is spoiled → the fact that should see it, and whether more of it is worse
    "clip": ("clipped", True),
    "silence": ("silence", True),
    "drop_out": ("dropouts", True),
    "truncate": ("missing", True),
    "offset": ("dc_offset", True),
    "lowpass": ("bandwidth", False),
    "noise": ("snr_db", False),
    "cut": ("ends_abruptly", True),
}


def main(folder: Path) -> None:
    """Print all figures."""
    files = sorted(folder.rglob("*.wav"))
    contents = [file.read_bytes() for file in files]
    digits = np.array([file.name.split("_")[0] for file in files])
    speakers = np.array([file.name.split("_")[1] for file in files])
    sounds = [decode(content, 60) for content in contents]
    accuracy("logmel", logmel(sounds), digits, speakers)
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("openwakeword"):
        accuracy("speech embedding", speech(sounds), digits, speakers)
    checks(contents, sounds)
    pairs(contents, sounds)


def logmel(sounds: list[Sound]) -> np.ndarray:
    """(n, 127) without weights."""
    features = np.stack([patch(sound.mono(), sound.rate) for sound in sounds])
    return features @ leading_axes(features, 127)


def speech(sounds: list[Sound]) -> np.ndarray:
    """(n, 96): the mean over windows of 76 frames of openwakeword's speech embedding; short clips stand in the middle
    of 1.2 seconds."""
    import onnxruntime

    folder = Path(importlib.util.find_spec("openwakeword").submodule_search_locations[0]) / "resources" / "models"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    mels, embedding = (
        onnxruntime.InferenceSession(str(folder / name), options)
        for name in ("melspectrogram.onnx", "embedding_model.onnx")
    )
    started, found = time.process_time(), []
    for sound in sounds:
        common = math.gcd(16_000, sound.rate)
        heard = resample_poly(sound.mono(), 16_000 // common, sound.rate // common)
        short = max(19_200 - len(heard), 0)
        heard = np.pad(heard, (short // 2, short - short // 2))
        heard = (heard / max(np.abs(heard).max(), 1e-6) * 20_000).astype(np.float32)
        frames = mels.run(None, {mels.get_inputs()[0].name: heard[None]})[0].squeeze() / 10 + 2
        windows = np.stack([frames[start : start + 76] for start in range(0, len(frames) - 75, 8)])
        given = {embedding.get_inputs()[0].name: windows[..., None].astype(np.float32)}
        found.append(embedding.run(None, given)[0].reshape(len(windows), 96).mean(axis=0))
    print(f"speech embedding: {1000 * (time.process_time() - started) / len(sounds):.1f} ms a clip (one thread)")
    return np.stack(found)


def accuracy(name: str, vectors: np.ndarray, digits: np.ndarray, speakers: np.ndarray) -> None:
    """Of a linear probe on unit-length vectors: plain logistic regression, and the project's own."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    own, _ = accuracies(vectors.astype(np.float32), np.unique(digits, return_inverse=True)[1])
    probe = LogisticRegression(C=10.0, max_iter=2_000)
    mixed = cross_val_score(probe, vectors, digits, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean()
    held = cross_val_score(probe, vectors, digits, cv=GroupKFold(len(set(speakers))), groups=speakers).mean()
    print(f"{name}: digits, 5 folds: {mixed:.3f}, by the project's probe {own:.3f}   each speaker held out: {held:.3f}")


def checks(contents: list[bytes], sounds: list[Sound]) -> None:
    """AUROC of each fact on spoiled clips."""
    started = time.process_time()
    good = [measure(sound) for sound in sounds]
    print(f"facts and preview: {1000 * (time.process_time() - started) / len(sounds):.1f} ms a clip (one thread)")
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(contents), 60, replace=False)
    for name, (fact, more) in CHECKS.items():
        bad = [measure(spoil(name, contents[row], sounds[row], rng)) for row in chosen]
        values = np.array([facts[fact] for facts in good + bad]) * (1 if more else -1)
        print(f"  {name:9} by {fact:14} AUROC {roc_auc_score([0] * len(good) + [1] * len(bad), values):.3f}")


def spoil(name: str, content: bytes, sound: Sound, rng: np.random.Generator) -> Sound:
    """One spoiled clip."""
    if hasattr(alterations, name):
        return decode(getattr(alterations, name)(content, rng), 60)
    samples = sound.samples.astype(np.float64)
    if name == "offset":
        samples = samples + 0.05
    elif name == "lowpass":
        spectrum = np.fft.rfft(samples, axis=0)
        spectrum[int(len(spectrum) * 0.3) :] = 0.0
        samples = np.fft.irfft(spectrum, len(samples), axis=0)
    elif name == "noise":
        samples = samples + rng.normal(0, np.sqrt(np.square(samples).mean()) * 10 ** (-5 / 20), samples.shape)
    elif name == "cut":
        samples = samples[: int(len(samples) * rng.uniform(0.4, 0.6))]
    return Sound(samples.astype(np.float32), sound.rate, sound.format, 0.0, 0.0)


def pairs(contents: list[bytes], sounds: list[Sound]) -> None:
    """Recall of copies, and how near the hardest different clips come."""

    def spectrogram(sound: Sound) -> np.ndarray:
        raw = mel.log_mel(sound.mono(), sound.rate, MATCH_BANDS, MATCH_HOP, MATCH_HIGHEST, MATCH_FLOOR_DB)
        return raw[:, : mel.bands_below(sound.rate, MATCH_BANDS, MATCH_HIGHEST)]

    rng = np.random.default_rng(1)
    known = [spectrogram(sound) for sound in sounds]
    features = np.stack([patch(sound.mono(), sound.rate) for sound in sounds])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    close = features @ features.T
    np.fill_diagonal(close, -1)
    hardest = np.unique(np.sort(np.argwhere(close >= np.sort(close, axis=1)[:, [-3]]), axis=1), axis=0)
    values = np.array([copies.match(known[a], known[b]) for a, b in hardest])
    print(f"{len(hardest)} hardest pairs of different clips: {(values >= copies.CONFIRMED).sum()} called copies, "
          f"the closest {np.sort(values)[-3:].round(3)}")  # fmt: skip
    for name in ("quieter", "noisy_copy", "noise_20", "mu_law", "resampled", "shifted"):
        chosen = rng.choice(len(sounds), 100, replace=False)
        found = [
            copies.match(known[row], spectrogram(copy_of(name, contents[row], sounds[row], rng))) for row in chosen
        ]
        print(f"  {name:10} recall {np.mean(np.array(found) >= copies.CONFIRMED):.2f}, least {min(found):.3f}")


def copy_of(name: str, content: bytes, sound: Sound, rng: np.random.Generator) -> Sound:
    """One altered copy."""
    if hasattr(alterations, name):
        return decode(getattr(alterations, name)(content, rng), 60)
    samples = sound.samples.astype(np.float64)
    if name == "noise_20":
        samples = samples + rng.normal(0, np.sqrt(np.square(samples).mean()) * 0.1, samples.shape)
    elif name == "mu_law":
        squeezed = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
        squeezed = np.rint(squeezed * 127) / 127
        samples = np.sign(squeezed) * np.expm1(np.abs(squeezed) * np.log(256)) / 255
    elif name == "shifted":
        samples = np.concatenate([np.zeros((int(rng.uniform(0.01, 0.2) * sound.rate), samples.shape[1])), samples])
    return Sound(samples.astype(np.float32), sound.rate, sound.format, 0.0, 0.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
