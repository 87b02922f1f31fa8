import { chooseLanguage } from "../../core/words.js";
import { Table } from "./table.js";
import { equal, mount, test } from "/testing.js";

test("columns that show no heading have one for screen readers, in the language of the page", () => {
  const columns = ["acts", "problem"].map((name) => ({ name, label: "", show: () => "" }));
  for (const [language, words] of [["zh", ["操作", "问题"]], ["en", ["Actions", "Problem"]]]) {
    chooseLanguage(language);
    const place = mount(Table, { label: "x", columns, rows: [], keyOf: String });
    equal([...place.querySelectorAll("th .unseen")].map((each) => each.textContent), words);
  }
});
