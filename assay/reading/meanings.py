"""What each score and measurement means, in words for the page."""

SCORES = {
    "label_issue": "how likely the given label is wrong",
    "outlier": "how far the sample is from everything else",
    "local_outlier": "how sparse its surroundings are, next to its neighbours'",
    "off_class": "how far it is from the other samples of its class",
    "knn_distance": "mean distance to its nearest neighbours",
    "label_conflict": "a copy of it carries another label",
    "wrong_class": "how likely a class that it carries is wrong",
    "missing_class": "how likely a class that it does not carry is missing",
    "junk_cluster": "in a small cluster apart from the rest",
    "near_duplicate": "how close it is to being a copy of another sample",
    "duplicate": "a copy of another sample",
    "leak": "has a duplicate in another split",
    "dark": "how dark the image is, even in its brightest parts",
    "bright": "how washed out the image is, even in its darkest parts",
    "blurry": "how little fine detail the image has",
    "low_information": "how little there is to see: almost one flat colour",
    "odd_aspect": "how unusually long or tall the image is",
    "odd_size": "how unusual its size is in this dataset",
    "grayscale": "has no colour",
    "near_empty": "almost no text",
    "boilerplate": "the same text as many other samples",
    "repetitive": "repeats itself",
    "shouting": "mostly upper case",
    "damaged": "reading had to mend it, or parts are lost",
    "garbled": "mostly characters that are neither letters nor digits",
    "other_language": "in another language than the rest",
}
MEASURES = {
    "width": "pixels", "height": "pixels", "brightness": "mean, 0 to 1", "brightness_p05": "5th percentile",
    "brightness_p99": "99th percentile", "contrast": "spread of luminance", "entropy_bits": "bits",
    "sharpness": "variance of the Laplacian", "colorfulness": "mean spread between channels",
    "language_confidence": "0 to 1", "n_characters": "characters", "n_words": "words", "n_tokens": "tokens",
    "repetition": "share said before", "uppercase": "share of letters", "symbols": "share of characters",
    "n_frames": "frames", "damaged": "share of characters",
}  # fmt: skip
LABEL_METRICS = ("label_issue", "off_class", "label", "wrong_class", "missing_class")


def title(name: str) -> str:
    """A column's name as a person would write it."""
    return name.replace("_", " ").strip().capitalize() or name
