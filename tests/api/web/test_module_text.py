"""Comments stay behind when a module is served; nothing else does."""

from api.web.module_text import drop_comments
from api.web.static_files import FILES, OF_OTHERS, StaticFiles

MODULE = """// What this is.
import { html } from "./html.js"; // the markup

/**
 * Draws `names`.
 * @param {string[]} names
 */
export function draw(names) {
  // one after the other
  return html`<p>
    // no comment
    /** nor this */
    ${names.join(" // ")}
  </p>`;
  /** @type {number} */
}
"""


def test_comments_on_lines_of_their_own_are_left_out() -> None:
    lines = drop_comments(MODULE).split("\n")
    assert [line for line in lines if line] == [
        'import { html } from "./html.js"; // the markup',
        "export function draw(names) {",
        "  return html`<p>",
        "    // no comment",
        "    /** nor this */",
        '    ${names.join(" // ")}',
        "  </p>`;",
        "}",
    ]
    assert [MODULE.split("\n").index(line) for line in lines if line] == [number for number, line in enumerate(lines) if line]


def test_code_behind_a_comment_stays() -> None:
    module = "/** @type {number} */ let x = 1;\n/* no JSDoc */ go();"
    assert drop_comments(module) == module


def test_every_line_that_is_not_served_was_a_comment() -> None:
    files, left_out = StaticFiles(tests=True), 0
    for name in files.names():
        file = files.get(name)
        assert file is not None
        written, served = (FILES / name).read_text(encoding="utf-8").split("\n"), file.content.decode().split("\n")
        assert len(written) == len(served), name
        for before, after in zip(written, served, strict=True):
            if before != after:
                assert after == "", name
                assert before.lstrip().startswith(("//", "/**", "*")), (name, before)
                left_out += 1
        assert not name.startswith(OF_OTHERS) or written == served, name
    assert left_out > 500
