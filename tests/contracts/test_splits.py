"""What people call their splits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.splits import is_no_class, split_kind, split_kinds, split_rank


@pytest.mark.parametrize("name, kind", [
    ("Train", "train"), ("TRAINING_SET", "train"), ("train2017", "train"), ("trainImages", "train"), ("tr", "train"),
    ("val", "validation"), ("dev", "validation"), ("Validation-Data", "validation"), ("eval_images", "validation"),
    ("test", "test"), ("hold-out", "test"), ("Held Out", "test"), ("testset", "test"), ("ｔｅｓｔ", "test"),
    ("unsup", "unlabelled"), ("fold_3", "fold"), ("5", None), ("", None), (None, None), ("cat", None),
    ("pretrain", None),
    ("train_test", None), ("train-clean", None), ("training of staff", None), ("images", None),
])  # fmt: skip
def test_a_name_that_says_so_is_a_split(name, kind):
    """Whatever its case, numbers and fillers; one that says more than that is none."""
    assert split_kind(name) == kind


@pytest.mark.parametrize("names, kinds", [
    (["train", "test"], {"train": "train", "test": "test"}),
    (["seg_train", "seg_test", "seg_pred"], {"seg_train": "train", "seg_test": "test", "seg_pred": "unlabelled"}),
    (["train-clean", "test-clean", "test-other"], {"train-clean": "train", "test-clean": "test", "test-other": "test"}),
    (["train", "cats"], None), (["cats", "dogs"], None), (["unlabelled"], None), ([], None),
    (["train"], {"train": "train"}),
    (["train-clean", "train-other"], None), (["fold1", "fold2"], {"fold1": "fold", "fold2": "fold"}),
    (["train cats", "test dogs"], None),
])  # fmt: skip
def test_folders_side_by_side_are_splits_or_none_is(names, kinds):
    """What all share, or two do, is no matter; one that is no split makes classes of all."""
    assert split_kinds(names) == kinds


def test_the_place_in_an_order_is_ones_own_or_that_of_the_kind():
    """`train2017` stands where `train` does, unless it is named itself; what nobody knows is last."""
    order = ("test", "validation", "train", "train2017")
    assert [split_rank(name, order) for name in ("train2017", "Training", "val", "holdout", "extra", "")] == [
        3,
        2,
        1,
        0,
        4,
        4,
    ]
    assert split_rank("test", ()) == 0


@given(st.text(max_size=30))
def test_any_name_has_an_answer(name):
    """And what is no class is a split of its own kind."""
    assert split_kind(name) in {"train", "validation", "test", "unlabelled", "fold", None}
    if is_no_class(name):
        assert set(name.casefold()) & set("unlabeledsp")


def test_unlabelled_is_no_class():
    """Beside classes; a name that says more is one."""
    assert is_no_class("Unlabeled") and is_no_class("unsup") and not is_no_class("unlabelled cats")
    assert not is_no_class("") and not is_no_class(None) and not is_no_class("42")
