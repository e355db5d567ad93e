"""Long pairs (case, class): arithmetic on what is known of some classes of each case, without a matrix of all.

A case has as many pairs as classes come into question for it, so ten thousand classes cost no more than ten. Pairs are
sorted by case and class; `case` (p,) holds the number of each pair's case, `values` (p,) what is said of the pair.
"""

import numpy as np


def total(case: np.ndarray, values: np.ndarray, n_cases: int) -> np.ndarray:
    """(n_cases,) sum of `values` over each case's pairs."""
    return np.bincount(case, values, n_cases)


def normalize(case: np.ndarray, values: np.ndarray, n_cases: int) -> np.ndarray:
    """(p,) `values` divided by their sum over the case's pairs."""
    return values / np.maximum(total(case, values, n_cases), 1e-300)[case]


def softmax(case: np.ndarray, logits: np.ndarray, n_cases: int) -> np.ndarray:
    """(p,) softmax over each case's pairs."""
    top = np.full(n_cases, -np.inf)
    np.maximum.at(top, case, logits)
    return normalize(case, np.exp(logits - top[case]), n_cases)


def best(case: np.ndarray, values: np.ndarray, n_cases: int) -> np.ndarray:
    """(n_cases,) index of the pair with the greatest value of each case, the first of equal ones; 0 for a case that has
    no pair."""
    out = np.zeros(n_cases, dtype=np.int64)
    if len(case):
        new = np.r_[True, case[1:] != case[:-1]]
        greatest = np.maximum.reduceat(values, np.flatnonzero(new))
        at = np.flatnonzero(values == greatest[np.cumsum(new) - 1])
        first = np.r_[True, case[at[1:]] != case[at[:-1]]]
        out[case[at[first]]] = at[first]
    return out


def own(case: np.ndarray, label: np.ndarray, given: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(m,) `values` at the pair of each case's own class `given` (m,); 0 where there is no such pair."""
    out = np.zeros(len(given))
    mine = label == given[case]
    out[case[mine]] = values[mine]
    return out


def keys(row: np.ndarray, column: np.ndarray, n_columns: int) -> np.ndarray:
    """int64 numbers that order pairs by row, then column; `key // n_columns` and `key % n_columns` give them back."""
    return row.astype(np.int64) * np.int64(max(n_columns, 1)) + column


def look_up(key: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """`values` at the places of `wanted` in `key` (each at most once, in any order); 0 where it is not there."""
    if not len(key):
        return np.zeros(len(wanted))
    order = np.argsort(key, kind="stable")
    key, values = key[order], values[order]
    at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return np.where(key[at] == wanted, values[at], 0.0)
