import { BlockReader } from "./blocks.js";
import { safeAddress } from "./links.js";
import { OPEN, CLOSE, readBlocks } from "./lexer.js";
import { Markdown, markRanges, renderMarkdown } from "./markdown.js";
import { h, html, render } from "../html.js";
import { loadStyle } from "../router.js";
import { assert, equal, mount, test, until } from "/testing.js";

const draw = (text, drawing) => mount(() => renderMarkdown(text, drawing));

const ANSWER = `## 假期 Leave

Employees have **25 days** [1], 法定节假日除外【2】.

- one
- two
  - deep

1. first
2. second

| Year | Days |
|:-----|-----:|
| 2025 | 25 |

> quoted *text*

\`\`\`python
def f(x):
    return "<b>"
\`\`\`

The sum is $a^2 + b^2$ and it costs $5 or $10.

$$
\\frac{1}{2}
$$

Line one
line two <https://example.org/a?b=c&d> and [site](https://example.org).
`;

test("what people use is drawn", async () => {
  const seen = [];
  const place = draw(ANSWER, { citation: (marker) => (seen.push(marker), html`<button>${marker}</button>`) });
  equal(seen, [1, 2]);
  equal(place.querySelector("h4").textContent, "假期 Leave");
  equal(place.querySelector("strong").textContent, "25 days");
  equal(place.querySelectorAll("li").length, 5);
  equal(place.querySelector("ol").start, 1);
  equal([...place.querySelectorAll("td")].map((cell) => `${cell.textContent} ${cell.className}`), ["2025 align-left", "25 align-right"]);
  equal(place.querySelector("blockquote em").textContent, "text");
  equal(place.querySelector("pre").textContent, 'def f(x):\n    return "<b>"');
  equal(place.querySelectorAll(".formula").length, 2);
  assert(place.textContent.includes("it costs $5 or $10."));
  equal([...place.querySelectorAll("a")].map((link) => [link.href, link.target, link.rel]), [
    ["https://example.org/a?b=c&d", "_blank", "noopener noreferrer nofollow"],
    ["https://example.org/", "_blank", "noopener noreferrer nofollow"],
  ]);
  await until(() => place.querySelectorAll("math").length === 2);
  await until(() => place.querySelector("pre .hl-keyword"));
});

test("each block has the direction of its first letters, code its own", () => {
  const place = draw("שלום [1] `f(x)`\n\n- שלום\n\n> שלום\n\nHello שלום");
  const blocks = [...place.querySelector(".markdown").children];
  equal(blocks.map((each) => getComputedStyle(each).direction), ["rtl", "rtl", "rtl", "ltr"]);
  equal(getComputedStyle(place.querySelector("code")).direction, "ltr");
});

test("a paragraph has as many citations as an answer has sources", () => {
  const text = Array.from({ length: 400 }, (_, number) => `Point ${number} [${number}]. `).join("");
  const [{ tokens }] = readBlocks(text);
  equal(tokens.filter((token) => token.type === "citation").length, 400);
});

test("a colon behind a citation takes nothing from it, an address makes it a link", () => {
  const markers = (text) => readBlocks(text)[0].tokens.filter((token) => token.type === "citation").map((token) => token.marker);
  equal([markers("As follows [1]:"), markers("[2]: Leave rules"), markers("[3](https://example.org)")], [[1], [2], []]);
});

test("formulas look the same on Chinese pages", async () => {
  await loadStyle("design/markdown.css");
  const measure = async (lang) => {
    document.documentElement.lang = lang;
    const place = draw("$$\\int_0^1 \\frac{x^2}{2} dx$$");
    const formula = await until(() => place.querySelector("span:not([hidden]) > math"));
    const { width, height } = formula.getBoundingClientRect();
    return [Math.round(width), Math.round(height)];
  };
  equal(await measure("zh-CN"), await measure("en"));
});

test("formulas of every notation, and none where money is meant", () => {
  for (const text of ["$x$", "$$x$$", "\\(x\\)", "\\[x\\]", "a $x_1$ b", "于是$x$成立"]) equal(draw(text).querySelectorAll(".formula").length, 1);
  for (const text of ["$5 and $6", "$ x $", "US$5", "a $ b", "\\$x\\$", "`$x$`"]) equal(draw(text).querySelectorAll(".formula").length, 0);
});

test("the blocks of a text that grows are those of the whole text, and those before the last are read once", () => {
  for (const step of [1, 3, 17]) {
    const reader = new BlockReader();
    let first = null;
    for (let end = step; end < ANSWER.length; end += step) {
      const blocks = reader.read(ANSWER.slice(0, end));
      if (blocks.length > 2) first ??= blocks[0];
      if (first) assert(blocks[0] === first);
    }
    equal(reader.read(ANSWER).map((block) => [block.type, block.raw]), readBlocks(ANSWER).filter((block) => block.type !== "space").map((block) => [block.type, block.raw]));
  }
});

test("a text that begins anew is read anew", () => {
  const reader = new BlockReader();
  reader.read("one\n\ntwo\n\nthree");
  equal(reader.read("four\n\nfive").map((block) => block.raw), ["four", "five"]);
});

test("a block that is complete is not drawn again", () => {
  const place = document.createElement("div");
  document.body.append(place);
  render(h(Markdown, { text: "one [1]\n\ntwo" }), place);
  const element = place.querySelector("p");
  let count = 0;
  const drawing = { citation: () => (count++, "!") };
  for (const more of ["", " a", " a b", " a b c"]) render(h(Markdown, { text: `one [1]\n\ntwo [2]\n\nthree${more}`, drawing }), place);
  assert(place.querySelector("p") === element);
  equal(count, 1); // [1] was drawn before
});

test("ranges count characters, and are marked whatever stands around them", () => {
  equal(markRanges("😀 12 and 34", [{ start_index: 9, end_index: 11 }, { start_index: 2, end_index: 4 }]), `😀 ${OPEN}12${CLOSE} and ${OPEN}34${CLOSE}`);
  const noted = [];
  const ranges = [{ start_index: 2, end_index: 4 }, { start_index: 12, end_index: 14 }];
  const place = mount(Markdown, { text: "**12** and `34`", ranges, drawing: { noted: (text) => (noted.push(text), html`<u>${text}</u>`) } });
  equal(noted, ["12"]);
  equal(place.textContent, "12 and 34");
});

const HOSTILE = [
  "<script>window.hit = 1</script>",
  "<img src=x onerror='window.hit = 1'>",
  "<svg onload='window.hit = 1'><script>window.hit = 1</script></svg>",
  "<svg><animate onbegin=window.hit=1 attributeName=x dur=1s>",
  "<iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
  "<math><mtext></mtext><mglyph><style><img src=x onerror=window.hit=1>",
  "<details open ontoggle=window.hit=1>",
  "<a href='javascript:window.hit=1'>a</a>",
  "[a](javascript:window.hit=1)",
  "[a](JaVaScRiPt&colon;window.hit=1)",
  "[a](  java\nscript:window.hit=1)",
  "[a](\u0001javascript:window.hit=1)",
  "[a](data:text/html,<script>window.hit=1</script>)",
  "[a](vbscript:x)",
  "[a](file:///etc/passwd)",
  "[a](//evil.example/x)",
  "[a](blob:https://evil.example/1)",
  "<javascript:window.hit=1>",
  "![a](https://evil.example/pixel.png)",
  "![a](data:image/svg+xml,<svg onload=window.hit=1>)",
  "![a\"onerror=window.hit=1](x)",
  '[a](https://x.example/"onmouseover="window.hit=1)',
  "`<img src=x onerror=window.hit=1>`",
  "```<img src=x onerror=window.hit=1>\n<script>window.hit=1</script>\n```",
  "| <script>window.hit=1</script> |\n|---|\n| <img src=x onerror=window.hit=1> |",
  "# <img src=x onerror=window.hit=1>",
  "$\\href{javascript:window.hit=1}{x}$",
  "$\\includegraphics{https://evil.example/pixel.png}$",
  "$\\htmlStyle{background:url(https://evil.example/)}{x}$ $\\style{x}{y}$",
  "$\\url{javascript:window.hit=1}$",
  "&lt;script&gt;window.hit=1&lt;/script&gt;",
  `${OPEN}<script>window.hit=1</script>${CLOSE}`,
];

test("nothing that somebody writes runs, is loaded, or leads to a script", async () => {
  const loaded = [];
  const watch = new PerformanceObserver((list) => loaded.push(...list.getEntries().map((entry) => entry.name)));
  watch.observe({ type: "resource" });
  for (const text of [...HOSTILE, HOSTILE.join("\n\n")]) {
    const place = draw(text, { citation: (marker) => html`<sup>${marker}</sup>`, noted: (inner) => html`<u>${inner}</u>` });
    await new Promise((resolve) => setTimeout(resolve, 5));
    equal(place.querySelectorAll("script, img, svg:not(.icon), iframe, object, embed, style, link, form, details, [onerror], [onload], [style*=url]").length, 0);
    for (const link of place.querySelectorAll("a, [href]")) assert(/^(https?|mailto):/.test(link.getAttribute("href")), link.outerHTML);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  equal(window.hit, undefined);
  equal(loaded.filter((name) => name.includes("evil")), []);
});

test("addresses", () => {
  for (const address of ["https://example.org/", "http://example.org/a b", "mailto:a@example.org", "HTTPS://example.org/"]) assert(safeAddress(address));
  for (const address of ["javascript:1", " javascript:1", "java\tscript:1", "data:text/html,1", "/local", "//host/", "#x", "x", "file:///x", "https:", "https://"]) equal(safeAddress(address), "");
});

const REPEATED = ["*", "**a ", "_a", "[", "](", "![", "`", "``a", "$", "$a", "\\(", "\\[", "<", "<a ", "> ", "- ", "1. ", "| a ", "|-", "a\n", "~~", "[1]", "【1", "http://", "a@", "&amp", "\\", "(", "#", "```\n", "   ", "\ta\n", "　", "=\n", "<!--", "[a]:", OPEN, "\n>", "\n- a\n "];

test("reading takes time as the text is long, whatever is repeated", () => {
  const slow = [];
  for (const piece of REPEATED) {
    const begin = performance.now();
    readBlocks(piece.repeat(30_000 / piece.length));
    const ms = performance.now() - begin;
    if (ms > 3000) slow.push([piece, Math.round(ms)]);
  }
  equal(slow, []);
});

test("a long answer costs as much as its length while it grows", () => {
  const text = ANSWER.repeat(150); // 65,000 characters
  const reader = new BlockReader();
  const begin = performance.now();
  for (let end = 40; end < text.length; end += 40) reader.read(text.slice(0, end));
  assert(performance.now() - begin < 3000, `${performance.now() - begin} ms`);
});
