import { chooseLanguage } from "../../core/words.js";
import { SourcePanel } from "./source_panel.js";
import { assert, equal, mount, test, until } from "/testing.js";

const CITATION = { knowledge_base_id: "kb", document_id: "a b", version: 7, chunk_id: "c1", quote: "The lantern is lit", title: "Rules", locator: "p. 2" };
const BOX = { left: 0.1, top: 0.25, width: 0.5, height: 0.02 };
const passage = (ordinal, text, highlights = []) => ({ chunk_id: `c${ordinal}`, ordinal, headings: [], locator: "Part", place: null, text, overlap: 0, tables: [], highlights });
const VIEW = {
  knowledge_base_id: "kb", document_id: "a b", version: 7, visible_version: 7, state: "present", title: "Rules", media_type: "application/pdf", view: "pages",
  no_pages: null, found: 1, page_count: 3, first_page: 2, pages: [{ page: 2, boxes: [BOX] }], recorded: false, previous: null, next: 2,
  passages: [passage(1, "The lantern is lit at nine.", [{ start: 0, end: 18 }])],
};
const PIXEL = Uint8Array.from(atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="), (each) => each.charCodeAt(0));

function serve(views) {
  const asked = [];
  window.fetch = async (path) => {
    asked.push(path);
    if (/\/pages\/\d+/.test(path)) return new Response(new Blob([PIXEL], { type: "image/png" }));
    const answer = views(new URL(path, location.href));
    return answer instanceof Response ? answer : new Response(JSON.stringify(answer));
  };
  return asked;
}

const open = (props = {}) => {
  let closed = 0;
  const place = mount(SourcePanel, { citation: CITATION, replyId: "r", close: () => closed++, ...props });
  return { place, panel: place.querySelector("section"), closed: () => closed };
};
const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const button = (place, text) => until(() => [...place.querySelectorAll("button")].find((each) => each.textContent.trim() === text || each.title === text));

test("the page with the quote is shown, its boxes where the words are", async () => {
  chooseLanguage("en");
  const asked = serve(() => VIEW);
  const { place } = open();
  const box = await until(() => place.querySelector(".source-box"));
  equal([box.style.left, box.style.top, box.style.width, box.style.height], ["10%", "25%", "50%", "2%"]);
  assert(place.querySelector("img").alt.includes("page 2"));
  equal(asked[0], "/api/v1/knowledge/kb/documents/a%20b/versions/7/source?chunk=c1&quote=The+lantern+is+lit&reply=r");
  assert(/\/versions\/7\/pages\/2\?width=\d+$/.test(asked[1]), asked[1]);
  assert(place.contains(document.activeElement));
});

test("arrows turn pages within the document, Escape closes", async () => {
  serve(() => VIEW);
  const { place, panel, closed } = open();
  await until(() => place.querySelector(".source-box"));
  press(panel, "ArrowRight");
  await until(() => place.textContent.includes("Page 3 of 3") && place.querySelector("img"));
  equal(place.querySelectorAll(".source-box").length, 0);
  press(panel, "ArrowRight");
  press(panel, "ArrowLeft");
  await until(() => place.textContent.includes("Page 2 of 3") && place.querySelector(".source-box"));
  press(panel, "Escape");
  equal(closed(), 1);
});

test("the text is one button away, and can be read on", async () => {
  serve((url) => (url.searchParams.get("first") === "2" ? { ...VIEW, view: "text", pages: [], passages: [passage(2, "It burns until midnight.")], next: null } : VIEW));
  const { place } = open();
  (await button(place, "Show text")).click();
  await until(() => place.querySelector("mark")?.textContent === "The lantern is lit");
  (await button(place, "Show what follows")).click();
  await until(() => place.textContent.includes("It burns until midnight."));
  await until(() => !place.textContent.includes("Show what follows"));
});

test("a document that has changed since says so, and leads to its present version", async () => {
  const present = { ...VIEW, version: 9, visible_version: 9, found: 0.1, pages: [], first_page: 1 };
  const old = { ...VIEW, state: "changed", visible_version: 9, view: "text", no_pages: "file_removed", page_count: 0, pages: [], recorded: true, next: null };
  const asked = serve((url) => (url.pathname.includes("/versions/9/") ? present : old));
  const { place } = open();
  await until(() => place.textContent.includes("has changed since this answer") && place.querySelector("mark"));
  (await button(place, "Open the present version")).click();
  await until(() => place.textContent.includes("not found word for word"));
  assert(asked.some((path) => path.endsWith("/versions/9/source?quote=The+lantern+is+lit")), asked.join(" "));
  (await button(place, "Back to the version of the answer")).click();
  await until(() => place.textContent.includes("has changed since this answer"));
});

test("a deleted document shows the quote alone, in Chinese, too", async () => {
  serve(() => ({ ...VIEW, state: "deleted", visible_version: null, view: "text", title: "", pages: [], passages: [], found: 0, page_count: 0, next: null }));
  chooseLanguage("zh");
  const { place } = open();
  await until(() => place.textContent.includes("这份文档已被删除") && place.querySelector("blockquote")?.textContent === CITATION.quote);
  equal(place.querySelector("img, mark"), null);
  chooseLanguage("en");
});

test("a failure says what to do, and is tried again", async () => {
  let fails = true;
  serve(() => (fails ? new Response(JSON.stringify({ code: "overloaded", title: "Too much is waiting", remedy: "Try later." }), { status: 503 }) : VIEW));
  const { place } = open();
  await until(() => place.textContent.includes("Too much is waiting"));
  fails = false;
  (await button(place, "Try again")).click();
  await until(() => place.querySelector(".source-box"));
});

test("the focus returns to where it was, and the thread stays where it was read", async () => {
  serve(() => VIEW);
  const { render, html } = await import("../../core/html.js");
  const place = document.createElement("div");
  const opener = document.createElement("button");
  const thread = document.createElement("div");
  const text = document.createElement("p");
  Object.assign(thread.style, { height: "100px", overflow: "auto" });
  text.style.height = "2000px";
  thread.append(opener, text);
  document.body.append(thread, place);
  opener.focus();
  render(html`<${SourcePanel} citation=${CITATION} close=${() => {}} />`, place);
  await until(() => place.contains(document.activeElement));
  thread.scrollTop = 900;
  render(null, place);
  equal(document.activeElement === opener, true);
  equal(thread.scrollTop, 900);
});

test("a version without a quote is shown as it is", async () => {
  chooseLanguage("en");
  const citation = { ...CITATION, chunk_id: "", quote: "", locator: "" };
  const replaced = { ...VIEW, state: "changed", visible_version: 9, found: 0, first_page: 1, pages: [], passages: [], next: null };
  const asked = serve((url) => (url.pathname.includes("/versions/5/") ? { ...replaced, version: 5, view: "text", no_pages: "no_pages", page_count: 0 } : replaced));
  const { place } = open({ citation, replyId: "" });
  await until(() => place.querySelector("img") && place.textContent.includes("was replaced by a newer one"));
  equal(asked[0], "/api/v1/knowledge/kb/documents/a%20b/versions/7/source");
  assert(!place.textContent.includes("not found word for word") && !place.querySelector("blockquote"));
  assert(!place.textContent.includes("0"), place.textContent);
  const { place: other } = open({ citation: { ...citation, version: 5 }, replyId: "" });
  await until(() => other.textContent.includes("has no pages that can be shown"));
});
