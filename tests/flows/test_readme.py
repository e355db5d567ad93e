"""The README's queries run on a real snapshot, each with an answer of its own."""

import re
from pathlib import Path

import pytest

QUERIES = re.findall(r"```sql\n-- (\d+)\. (.*?)\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.S)
EMPTY_IN_A_FIRST_SNAPSHOT = {"9"}


def test_there_are_ten_queries():
    """Numbered from one to ten."""
    assert [number for number, _, _ in QUERIES] == [str(n) for n in range(1, 11)]


@pytest.mark.parametrize(("number", "question", "sql"), QUERIES, ids=[number for number, _, _ in QUERIES])
def test_a_query_of_the_readme_answers(number, question, sql, digits_night):
    """Each runs as written, under the explorer's lock, and finds what was planted."""
    rows = digits_night.connect().sql(sql).fetchall()
    assert (len(rows) > 0) == (number not in EMPTY_IN_A_FIRST_SNAPSHOT), question
