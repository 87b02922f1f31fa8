import { html, useRef, useState } from "../../core/html.js";
import { newKey } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { documentIdOfAddress, readAddresses } from "./document_names.js";
import { submitText } from "./requests.js";
import { t } from "./words.js";

/** A text with its title as a document. */
export function PasteDialog({ base, close }) {
  const [values, setValues] = useState({ title: "", text: "", media_type: "text/markdown" });
  const key = useRef({ key: newKey(), values });
  const act = useAct(async () => {
    if (key.current.values !== values) key.current = { key: newKey(), values };
    await submitText(base.id, values, key.current.key);
    showToast(t("text_added"));
    close();
  });
  const input = (name) => ({ value: values[name], error: errorOf(act.problem, name), onInput: (event) => setValues({ ...values, [name]: event.target.value }) });
  return html`<${Dialog} title=${t("paste_text")} wide close=${close}>
    <form class="stack" onSubmit=${(event) => (event.preventDefault(), act.run())}>
      <${Field} label=${t("document_title")} required maxlength="500" autofocus ...${input("title")} />
      <${Field} kind="textarea" label=${t("text")} required rows="12" ...${input("text")} />
      <${Field} kind="select" label=${t("text_kind")} value=${values.media_type} onChange=${(event) => setValues({ ...values, media_type: event.target.value })}>
        <option value="text/markdown">Markdown</option><option value="text/plain">${t("plain_text")}</option>
      </${Field}>
      <${ProblemNote} problem=${act.problem} />
      <div class="row end"><${Button} onClick=${close}>${common("cancel")}</${Button}><${Button} kind="primary" type="submit" busy=${act.busy}>${t("add")}</${Button}></div>
    </form>
  </${Dialog}>`;
}

/** Web pages by their addresses, one a line. */
export function AddressDialog({ queue, close }) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState([]);
  const submit = (event) => {
    event.preventDefault();
    const read = readAddresses(text);
    setWrong(read.wrong);
    if (read.wrong.length || !read.addresses.length) return;
    queue.add(read.addresses.map((url) => ({ documentId: documentIdOfAddress(url), name: url, bytes: 0, url })));
    close();
  };
  return html`<${Dialog} title=${t("add_addresses")} close=${close}>
    <form class="stack" onSubmit=${submit}>
      <${Field} kind="textarea" label=${t("addresses")} hint=${t("addresses_hint")} error=${wrong.length ? t("addresses_wrong", { lines: wrong.slice(0, 3).join(", ") }) : ""} required rows="6" autofocus placeholder="https://example.com/handbook" value=${text} onInput=${(event) => setText(event.target.value)} />
      <div class="row end"><${Button} onClick=${close}>${common("cancel")}</${Button}><${Button} kind="primary" type="submit">${t("add")}</${Button}></div>
    </form>
  </${Dialog}>`;
}
