import { Problem } from "../core/http.js";
import { chooseLanguage } from "../core/words.js";
import { errorOf } from "./field.js";
import { ProblemNote } from "./problem_note.js";
import { assert, equal, mount, test } from "/testing.js";

const WEAK = {
  code: "password_weak", title: "The password is easy to guess", title_zh: "密码太容易被猜到", remedy: "Choose several words.", remedy_zh: "请使用几个互不相关的词。",
  detail: "", errors: [{ field: "password", detail: "is easy to guess", limit: "several words" }],
};

test("a problem of one field is said once, in the language of the page, there and in the note", () => {
  for (const [language, title] of [["zh", WEAK.title_zh], ["en", WEAK.title]]) {
    chooseLanguage(language);
    const problem = new Problem(WEAK);
    equal(errorOf(problem, "password"), title);
    const place = mount(ProblemNote, { problem });
    equal(place.textContent.split(title).length, 2);
    assert(!place.querySelector("li"), place.textContent);
  }
});

test("errors of several fields are listed", () => {
  chooseLanguage("en");
  const errors = [{ field: "a", detail: "is required", limit: "" }, { field: "b", detail: "is too long", limit: "" }];
  const place = mount(ProblemNote, { problem: new Problem({ code: "validation_failed", title: "Some fields are invalid", errors }) });
  equal([...place.querySelectorAll("li")].map((each) => each.textContent), ["a is required", "b is too long"]);
});
