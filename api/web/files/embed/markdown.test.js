import { renderMarkdown } from "./markdown.js";
import { assert, equal, test } from "/testing.js";

const cite = (marker) => (marker === 1 ? Object.assign(document.createElement("button"), { textContent: "1" }) : null);

function html(text) {
  const place = document.createElement("div");
  place.append(renderMarkdown(text, cite));
  return place.innerHTML;
}

test("what answers are made of", () => {
  for (const [text, expected] of [
    ["a\nb\n\nc", "<p>a<br>b</p><p>c</p>"],
    ["**25 *days*** of `a*b*`", "<p><strong>25 *days</strong>* of <code>a*b*</code></p>"],
    ["*em* and **strong**", "<p><em>em</em> and <strong>strong</strong></p>"],
    ["## Head\ntext", "<p><strong>Head</strong></p><p>text</p>"],
    ["- a\n- b [1]", "<ul><li>a</li><li>b <button>1</button></li></ul>"],
    ["1. a\n2) b", "<ol><li>a</li><li>b</li></ol>"],
    ["```js\na < b\n\n*c*\n```\nd", "<pre><code>a &lt; b\n\n*c*</code></pre><p>d</p>"],
    ["```\nnot closed yet", "<pre><code>not closed yet</code></pre>"],
    ["| a | b |\n|---|:-:|\n| 1 | 2 |", '<div class="table" tabindex="0"><table><tr><th scope="col">a</th><th scope="col">b</th></tr><tr><td>1</td><td>2</td></tr></table></div>'],
    ["二十五天[1]，[2]", "<p>二十五天<button>1</button>，[2]</p>"],
    ["[x](https://a.example/?b=c)", '<p><a href="https://a.example/?b=c" target="_blank" rel="noopener noreferrer nofollow">x</a></p>'],
  ]) {
    equal(html(text), expected);
  }
});

test("signs that mean nothing are themselves", () => {
  for (const text of ["2 * 3 * 4", "a ** b", "[", "[]", "[1", "`", "``", "**", "*", "[x](", "[x]()", "![x](https://a.example/x.png)", "[x](ftp://a.example)"]) {
    equal(html(text), `<p>${text}</p>`);
  }
});

test("nothing in a text becomes an element or runs", () => {
  for (const text of ["<img src=x onerror=hit()>", "<script>hit()</script>", "[x](javascript:hit())", "[x](data:text/html,x)", "[x](//evil.example)", "**<svg onload=hit()>**", "`<b>`", "- <i>", "| <u> |"]) {
    const place = document.createElement("div");
    place.append(renderMarkdown(text, cite));
    assert([...place.querySelectorAll("*")].every((each) => ["P", "STRONG", "CODE", "UL", "LI", "DIV", "TABLE", "TR", "TD"].includes(each.tagName)), text);
    assert([...place.querySelectorAll("*")].every((each) => !each.getAttributeNames().some((name) => name.startsWith("on") || name === "href")), text);
  }
});

test("a long answer of opening signs is read in a moment", () => {
  for (const text of ["*".repeat(30_000), "[".repeat(30_000), "**a".repeat(10_000), "`".repeat(30_001), "[a](".repeat(8_000), "|".repeat(30_000)]) {
    const began = performance.now();
    renderMarkdown(text, cite);
    assert(performance.now() - began < 2_000, `${text.slice(0, 4)}: ${performance.now() - began} ms`);
  }
});
