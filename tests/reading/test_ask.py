"""SQL that somebody types reads the snapshot and nothing else, unless he says otherwise."""

import hashlib

import duckdb
import pytest

from assay.contracts.errors import SpecError
from assay.reading.ask import ask, mistakes_in_words
from assay.store import catalog
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """A snapshot of three samples, which nobody changes."""
    return publish_toy(Workspace(tmp_path_factory.mktemp("asked") / "home", "toy"), ["a", "b", "c"])


@pytest.fixture
def own(tmp_path):
    """A file of the user's own, in a folder of his."""
    folder = tmp_path / "my files"
    folder.mkdir()
    (folder / "own's.csv").write_text("sample_id,note\na,1\n")
    return folder / "own's.csv"


def everything(root) -> dict:
    """Digest of each file below a folder."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from samples",
        "from samples limit 1",
        "with x as (select 1 as a) select * from x",
        "describe samples",
        "summarize samples",
        "show tables",
        "table samples",
        "values (1)",
        "explain select * from samples",
        "select 1; select count(*) from history.samples",
        "select * from decisions",
    ],
)
def test_questions_are_answered(snapshot, sql):
    """SELECT in all its forms."""
    assert ask(snapshot, sql).fetchall() is not None


@pytest.mark.parametrize(
    ("sql", "made"),
    [
        ("select count(*) from samples", set()),
        ("select count(*) from history.decisions", set()),  # which is of all nights anyway
        ("from History.samples", {"samples"}),
        ('select * from "history"."Scores" semi join history.samples using (sample_id)', {"samples", "scores"}),
        ("select table_name from information_schema.tables where table_schema = 'history'", None),
        ("show all tables", None),
    ],
)
def test_only_what_is_asked_of_other_nights_is_opened(snapshot, monkeypatch, sql, made):
    """A question about one night, or one table of all, does not wait for the views of all tables of all nights."""
    found, real = set(), catalog.create_decisions
    views = "select view_name from duckdb_views() where schema_name = 'history'"

    def seen(connection, root):
        found.update(name for (name,) in connection.sql(views).fetchall())
        real(connection, root)

    monkeypatch.setattr(catalog, "create_decisions", seen)
    assert ask(snapshot, sql).fetchall() is not None
    stored = {part.parent.name for part in snapshot.path.glob("*/*.parquet")} - set(catalog.OF_ONE_NIGHT)
    assert found == ({name for name in stored if not catalog.FACTS.fullmatch(name)} if made is None else made)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_blob('/etc/passwd')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from glob('/etc/*')",
        "select * from read_text('ROOT/snapshots/../../../../../../../../etc/passwd')",
        "select * from read_text('ROOT/catalog.duckdb')",
        "select * from 'https://127.0.0.1:9/x.csv'",
        "select * from query('copy (select 1) to ''ROOT/snapshots/x.csv''')",
        "copy (select 1) to 'ROOT/out.csv'",
        "copy (select 1) to 'ROOT/snapshots/out.csv'",
        "copy (select 1) to 'PART'",
        "COPY samples TO 'ROOT/decisions/part-x.parquet'",
        "explain analyze copy (select 1) to 'ROOT/snapshots/out.csv'",
        "explain /* */ analyze copy (select 1) to 'ROOT/snapshots/out.csv'",
        "explain (analyze) copy (select 1) to 'ROOT/snapshots/out.csv'",
        "copy (pivot samples on label) to 'ROOT/snapshots/out.csv'",
        "select 1; copy (select 1) to 'ROOT/snapshots/out.csv'",
        "export database 'ROOT/snapshots/out'",
        "attach 'ROOT/catalog.duckdb' as c; create table c.t as select 1",
        "attach 'ROOT/snapshots/new.db' as c",
        "create table t as select 1",
        "create or replace view samples as select 1",
        "set enable_external_access = true",
        "load httpfs",
        "install httpfs",
        "pragma database_list",
        "call pragma_version()",
        "prepare p as select 1",
    ],
)
def test_everything_else_is_refused_and_nothing_is_written(snapshot, sql, tmp_path):
    """Other files, other statements, into the snapshots' own folder as well: one message, no byte changed."""
    root = snapshot.path.parents[1]
    before = everything(tmp_path)
    with pytest.raises(SpecError), mistakes_in_words():
        ask(snapshot, sql.replace("ROOT", str(root)).replace("PART", str(snapshot.parts("samples")[0]))).fetchall()
    assert everything(tmp_path) == before


def test_a_variable_of_ours_is_no_table(snapshot):
    """Names are tables and views, locked or not."""
    sql = [("x",)]
    for unlocked in (False, True):
        with pytest.raises(SpecError, match="snapshot|sql"):
            ask(snapshot, "select * from sql", unlocked=unlocked)
    assert sql


@pytest.mark.parametrize("whole_folder", [False, True])
def test_own_files_are_read_when_they_are_named(snapshot, own, whole_folder, monkeypatch):
    """By an absolute or a relative path; what is not named stays shut, and nothing can be written there either."""
    (own.parent.parent / "other.csv").write_text("a\n1\n")
    allow = [own.parent if whole_folder else own]
    quoted = str(own).replace("'", "''")
    sql = f"select note from samples join read_csv('{quoted}') using (sample_id)"
    assert ask(snapshot, sql, allow).fetchall() == [(1,)]
    with pytest.raises(SpecError, match="--allow"):
        ask(snapshot, sql)
    with pytest.raises(SpecError, match="--allow"):
        ask(snapshot, f"select * from read_csv('{own.parent.parent}/other.csv')", allow)
    with pytest.raises(SpecError, match="COPY"):
        ask(snapshot, f"copy (select 1) to '{quoted}'", allow)
    monkeypatch.chdir(own.parent)
    relative = own.parent.relative_to(own.parent) if whole_folder else own.relative_to(own.parent)
    assert ask(snapshot, "select note from read_csv('own''s.csv')", [relative]).fetchall() == [(1,)]


@pytest.mark.parametrize("sql, said", [
    ("select '\udcff'", "bytes that are not UTF-8"), ("selec 1", "the query failed"), ("select nothing", "nothing"),
    ("select 1; drop table samples", "of kind DROP; wanted SELECT"), ("explain analyze select 1", "of kind EXPLAIN"),
    ("select 'a'::int", "Could not convert"), ("select * from nowhere", "nowhere"),
])  # fmt: skip
def test_what_is_wrong_with_a_query_is_said(snapshot, sql, said):
    """In one message, whether it is the shell's bytes, the grammar, a name or a value."""
    with pytest.raises(SpecError, match=said), mistakes_in_words():
        ask(snapshot, sql).fetchall()


@pytest.mark.parametrize("sql", ["", " ", ";", "-- nothing", "/* nothing */"])
def test_no_question_has_no_answer(snapshot, sql):
    """Nor is it a mistake."""
    assert ask(snapshot, sql) is None


def test_allowing_what_is_not_there_is_a_mistake(snapshot, tmp_path):
    """Said before anything runs."""
    with pytest.raises(SpecError, match="no such file"):
        ask(snapshot, "select 1", [tmp_path / "none.csv"])


def test_unlocked_means_everything(snapshot, own, tmp_path):
    """Who asks for it may write, too."""
    ask(snapshot, f"copy (select count(*) as n from samples) to '{tmp_path}/out.csv'", unlocked=True)
    assert (tmp_path / "out.csv").read_text() == "n\n3\n"
    assert ask(snapshot, "pragma database_list", unlocked=True).fetchall()


def test_a_damaged_snapshot_is_said_to_be_damaged(tmp_path):
    """Also where the views over decisions are what does not bind."""
    snapshot = publish_toy(Workspace(tmp_path, "toy"), ["a", "b", "c"])
    part = snapshot.parts("samples")[0]
    part.unlink()
    duckdb.sql("select 1 as a").write_parquet(str(part))
    with pytest.raises(Exception, match="damaged"):
        open_snapshot(Workspace(tmp_path, "toy")).connect()
