"""Tables of pages whose cells reach over rows and columns."""

from adapters.parsing import chunk
from adapters.parsing.core.source import Bounds
from adapters.parsing.dispatch import parse_text
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())


def _table(rows: str) -> str:
    return parse_text(f"<table>{rows}</table>", "text/html", BOUNDS).text


def test_merged_cells_are_said_in_every_row_and_column():
    """Down, across, over columns further right, and to the end of their group with rowspan=0."""
    rows = "<tr><td rowspan=2>甲<td>1<td rowspan=3>乙<td>2<tr><td>3<td>4<tr><td>丙<td>5<td>6"
    assert _table(rows) == "甲\t1\t乙\t2\n甲\t3\t乙\t4\n丙\t5\t乙\t6"
    assert _table("<tr><td>a<td>b<td>c<tr><td>d<td colspan=2>e") == "a\tb\tc\nd\te\te"
    groups = "<tbody><tr><td rowspan=0>x<td>1<tr><td>2</tbody><tbody><tr><td>y<td>3<tr><td>z<td>4"
    assert _table(groups) == "x\t1\nx\t2\ny\t3\nz\t4"


def test_a_cell_over_the_whole_table_is_said_once():
    """It is a caption inside the table."""
    assert _table("<tr><td>a<td>b<tr><td colspan=2>part two<tr><td>c<td>d") == "a\tb\npart two\nc\td"


def test_chunks_of_a_long_table_name_what_covers_their_rows():
    """A region over many rows, under a header of two levels."""
    rows = "".join(f"<tr>{'<td rowspan=150>北区' * (n == 0)}<td>店{n}<td>{n}<td>{n + 1}" for n in range(150))
    header = "<tr><th rowspan=2>区<th rowspan=2>店<th colspan=2>2022<tr><th>线上<th>线下"
    found = parse_text(f"<table><thead>{header}</thead><tbody>{rows}</table>", "text/html", BOUNDS)
    chunks = chunk(found, title="", target_tokens=100, max_tokens=150, chunks_max=99)
    assert len(chunks) > 5
    for one in chunks[1:]:
        assert one.headings == ("区 店 2022 线上 2022 线下",)
        assert all(line.startswith("北区\t店") for line in one.text.splitlines())


def test_a_table_that_names_its_rows_has_no_header():
    """A box of facts: each row says its name, the first one as well."""
    page = "<table><tr><th>成立时间</th><td>1998年</td></tr><tr><th>总部</th><td>苏州</td></tr></table>"
    (block,) = parse_text(page, "text/html", BOUNDS).blocks
    assert block.header_lines == 0
    both = "<table><tr><th></th><th>Q1</th></tr><tr><th>Paris</th><td>3</td></tr></table>"
    (block,) = parse_text(both, "text/html", BOUNDS).blocks
    assert block.header_lines == 1


def test_code_beside_its_line_numbers_keeps_its_lines():
    """As highlighters of sites write it; a table with a line of code in a cell is a table."""
    gutter = "<td class=gutter><pre>1\n2</pre></td><td class=code><pre># 缓存\ncache: 64</pre></td>"
    parsed = parse_text(f"<p>设置：</p><table><tr>{gutter}</tr></table>", "text/html", BOUNDS)
    assert [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks][1:] == [("code", "# 缓存\ncache: 64")]
    assert _table("<tr><td>run<td><pre>go all</pre><tr><td>stop<td><pre>end</pre>") == "run\tgo all\nstop\tend"
