"""What each measurement of a content means, in words for the page; `assay.contracts.metrics` has the metrics'."""

MEASURES = {
    "width": "pixels", "height": "pixels", "brightness": "mean, 0 to 1", "brightness_p05": "5th percentile",
    "brightness_p99": "99th percentile", "contrast": "spread of luminance", "entropy_bits": "bits",
    "sharpness": "variance of the Laplacian", "colorfulness": "mean spread between channels",
    "language_confidence": "0 to 1", "n_characters": "characters", "n_words": "words", "n_tokens": "tokens",
    "repetition": "share said before", "uppercase": "share of letters", "symbols": "share of characters",
    "n_frames": "frames", "damaged": "share of characters",
}  # fmt: skip


def title(name: str) -> str:
    """A column's name as a person would write it."""
    return name.replace("_", " ").strip().capitalize() or name
