"""CSV as people write it: what parts and quotes the cells, in which encoding; no row is lost without a reject."""

import io

import pytest

from assay.contracts.errors import SourceError, SpecError
from assay.sources.batches import Rules
from assay.sources.dialect import sniff


def dialect(text: str | bytes, usual: str = ",", **rules):
    """The sniffed dialect of a file."""
    data = text.encode() if isinstance(text, str) else text
    return sniff(io.BytesIO(data), "t.csv", Rules(**rules), usual)


def rows(head: str, body: str, n: int = 30) -> str:
    """A header and `n` records, in each of which {} is its number."""
    return head + "\n" + "".join(body.replace("{}", str(number)) + "\n" for number in range(n))


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        (rows("text,label", "word {},a"), ","),
        (rows("text;label;note", "word {};gut;4,0"), ";"),
        (rows("text\tlabel", "word {}, more\ta"), "\t"),
        (rows("text|label", "word {}, more|a"), "|"),
        (rows("text", "one; two; three {}"), ","),
        (rows("text", "one, two {}"), ","),
        (rows("text,label", '"a; b; {}",x'), ","),
        (rows('"text";"label"', '"a, b; {}";"x"'), ";"),
        (rows("text;label", "word {}"), ","),
        ("sep=;\n" + rows("text;label", "word {};a"), ";"),
    ],
)
def test_the_delimiter_is_read_from_header_and_records(text, delimiter):
    """The usual one wherever it is in the header and the records agree; another only where they all do."""
    assert dialect(text).delimiter == delimiter


def test_what_is_not_usual_is_said_and_what_fits_as_well_doubted():
    """A choice is no secret; nor is a second one."""
    assert "semicolons part the columns" in dialect(rows("text;label", "word {};a")).said[0]
    assert dialect(rows("text,label", "word {},a")).said == []
    found = dialect(rows("text;x,label", "word {};y,a"))
    assert found.delimiter == "," and "semicolons would part every record too" in found.doubts[0]
    assert "has no comma but 1 semicolons" in dialect(rows("text;label", "word {}")).doubts[0]


def test_a_spec_s_own_marks_stand():
    """`delimiter` and `quote` are taken as they are given."""
    found = dialect(rows("text;label", "word {};a"), delimiter=",", quote="'")
    assert (found.delimiter, found.quote, found.said) == (",", "'", [])


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        (rows("label\ttext", 'a\t"{} declined" is all it says'), ""),
        (rows("label\ttext", 'a\t"never closed {}'), ""),
        (rows("label\ttext", "a\t{}") + 'a\t"opened here\nb\tand closed "there"\n', ""),
        (rows("label\ttext", 'a\t"two\nlines {}"'), '"'),
        (rows("label\ttext", 'a\t"with a\ttab {}"'), '"'),
        (rows("label\ttext", 'a\t"he said ""hi"" {}"'), '"'),
        (rows("label\ttext", "a\tno marks {}"), '"'),
        (rows('"label"\t"text"', '"a"\t"word {}"'), '"'),
        (rows("label\ttext", 'a\t5" and 6" {}'), '"'),
    ],
)
def test_marks_quote_only_where_the_records_come_out_whole(text, quote):
    """Annotation tools write TSV without quoting; pandas with it."""
    assert dialect(text, "\t").quote == quote


def test_cells_that_may_or_may_not_be_quoted_are_doubted():
    """Both readings give whole records; which loses the marks is said."""
    found = dialect(rows("label\ttext", 'a\t"all of {} in marks"'), "\t")
    assert found.quote == '"' and 'source.quote = ""' in found.doubts[0]


def test_a_backslash_may_keep_a_mark_inside(table):
    """As databases write it."""
    output = table("t.csv", rows("text,label", '"he said \\"hi, {}\\"",a', 5))
    assert output.read("contents")["text"].to_list()[0] == 'he said "hi, 0"'
    assert len(output.read("ingested")) == 5 and output.read("rejects").is_empty()


def test_every_row_of_an_unquoted_tsv_is_read_to_the_letter(table, reasons):
    """None is swallowed by a quotation mark, wherever it stands."""
    texts = [f"plain {n}" for n in range(60)]
    texts[5], texts[20], texts[21] = '"declined" it says', '"never closed', 'an end" here'
    texts[40] = '"wrapped"'
    output = table("t.tsv", "label\ttext\n" + "".join(f"a\t{text}\n" for text in texts))
    assert output.read("contents")["text"].to_list() == texts and reasons(output) == []


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_mark_that_opens_nothing_far_down_costs_its_rows_one_by_one(table, reasons, ending, monkeypatch):
    """Where the file's beginning says that marks quote, a record that swallows others is set aside line by line."""
    monkeypatch.setattr("assay.sources.dialect.HEAD", 500)
    lines = ["label\ttext", *(f'a\t"two words, {n}"' if n < 30 else f"a\tplain {n}" for n in range(100))]
    lines[60] = 'a\t"opened'
    lines[63] = 'b\tclosed"'
    output = table("t.tsv", ending.join(lines) + ending)
    assert reasons(output) == ["open_quote"] * 4 and len(output.read("ingested")) == 96
    assert 'source.quote = ""' in output.read("rejects")["detail"][0]


def test_a_text_of_several_lines_is_one_record(table, reasons):
    """Where a comma stands in each of its lines too: proper quoting is believed."""
    content = rows("text,label", '"Dear {},\nyours, truly",a', 20)
    output = table("t.csv", content)
    assert len(output.read("ingested")) == 20 and reasons(output) == []
    assert output.read("contents")["text"][0] == "Dear 0,\nyours, truly"


def test_text_after_a_closing_mark_is_a_reject(table, reasons):
    """It was read with the marks dropped; now the row says what is wrong with it."""
    output = table("t.csv", rows("text,label", '"a, {}",x') + '"yes" she said,x\n"b, c",x\n')
    assert reasons(output) == ["open_quote"] and len(output.read("ingested")) == 31


def test_a_mark_that_nothing_closes_stops_the_night(table):
    """Half-written, or a mark that opens nothing: the message has both, and the key."""
    with pytest.raises(SourceError, match=r'nothing closes.*half-written.*source\.quote = ""'):
        table("t.csv", rows("text,label", '"a, {}",x') + '"half of a text')


def test_a_record_far_longer_than_its_peers_is_doubted(table):
    """One column, and a mark that swallowed a hundred lines: nothing but the length tells."""
    content = "text\n" + "".join(f"word {n}\n" for n in range(100)) + '"open\n' + "more words\n" * 100 + 'end"\n'
    output = table("t.csv", content)
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    assert "a record of 102 lines" in notes["source_doubt:1"] and "row 100" in notes["source_doubt:1"]


def test_semicolons_of_a_spreadsheet(table):
    """What Excel saves in most of Europe: semicolons, a byte-order mark, decimal commas."""
    output = table("t.csv", "\ufeff" + rows("text;label;note", "Küche {}, schön;gut;4,5").replace("\n", "\r\n"))
    frame = output.read("ingested")
    assert len(frame) == 30 and set(frame["label"]) == {"gut"} and frame["note"][0] == "4,5"


@pytest.mark.parametrize(
    ("encoding", "proposed"), [("cp1252", 'source.encoding = "cp1252"'), ("cp1251", "such as cp1251")]
)
def test_another_encoding_is_proposed_and_read_where_it_is_named(table, encoding, proposed):
    """Never guessed: the refusal shows how a line would read."""
    text = "schöne Küche, {}" if encoding == "cp1252" else "очень хорошо, {}"
    content = rows("text,label", f'"{text}",a').encode(encoding)
    with pytest.raises(SourceError, match=proposed):
        table("t.csv", content, max_rejects=0.5)
    output = table("t.csv", content, encoding=encoding)
    assert output.read("contents")["text"][0] == text.replace("{}", "0")


def test_an_encoding_for_json_lines_and_files_of_text(table, run, data):
    """The key means all that is text."""
    output = table("t.jsonl", '{"text": "schön"}\n'.encode("cp1252"), encoding="cp1252")
    assert output.read("contents")["text"].to_list() == ["schön"]
    (data / "texts").mkdir()
    (data / "texts" / "a.txt").write_bytes("Küche".encode("cp1252"))
    output = run({"kind": "folder", "path": "texts", "encoding": "cp1252"}, "text")
    assert output.read("contents")["text"].to_list() == ["Küche"]


@pytest.mark.parametrize(
    "source", [{"delimiter": ";;"}, {"delimiter": "a"}, {"quote": "\n"}, {"encoding": "no-such"}, {"encoding": "rot13"},
               {"delimiter": ";", "quote": ";"}],
)  # fmt: skip
def test_marks_that_cannot_be(table, source):
    """The spec says so, before anything is read."""
    with pytest.raises(SpecError):
        table("t.csv", "text,label\na,b\n", **source)


def test_the_wrong_delimiter_says_what_there_is(table):
    """Advice that makes it worse is gone: no column is called `text;label`."""
    with pytest.raises(SourceError, match=r"columns are 'text;label'|no column 'text'"):
        table("t.csv", rows("text;label", "word {};a"), delimiter=",")
