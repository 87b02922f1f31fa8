import { html, useEffect, useLayoutEffect, useRef, useState } from "../../core/html.js";
import { newKey } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";
import { BranchWalker } from "./branch_walker.js";
import { fitHeight, isComposing } from "./composer.js";
import { t } from "./words.js";

/** What was asked; it can be asked otherwise. @param {{message: object, acts: object}} props */
export function Question({ message, acts }) {
  const isEditing = acts.editing === message.id;
  return html`<article class="message question" aria-label=${t("you")}>
    ${isEditing
      ? html`<${QuestionEditor} message=${message} acts=${acts} />`
      : html`<div class="bubble" dir="auto">${message.content}</div>
        <div class="message-acts">
          <${BranchWalker} message=${message} walk=${acts.walk} />
          <${Button} kind="quiet" icon="edit" label=${t("edit")} disabled=${acts.isBusy} onClick=${() => acts.setEditing(message.id)} />
        </div>`}
  </article>`;
}

function QuestionEditor({ message, acts }) {
  const [content, setContent] = useState(message.content);
  const [key] = useState(newKey);
  const area = useRef(null);
  const sending = useAct(() => acts.edit(message, content, key));
  useLayoutEffect(() => fitHeight(area.current), [content]);
  useEffect(() => {
    area.current.focus();
    area.current.setSelectionRange(content.length, content.length);
  }, []);
  const close = () => {
    acts.setEditing("");
    document.querySelector(".chat-foot textarea")?.focus();
  };
  const onKeyDown = (event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (content.trim()) sending.run();
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
    }
  };
  return html`<form class="question-editor" onSubmit=${(event) => (event.preventDefault(), content.trim() && sending.run())}>
    <textarea ref=${area} dir="auto" aria-label=${t("edit")} value=${content} onInput=${(event) => setContent(event.target.value)} onKeyDown=${onKeyDown}></textarea>
    <${ProblemNote} problem=${sending.problem} />
    <div class="row"><span class="stretch"></span><${Button} kind="quiet" onClick=${close}>${common("cancel")}</${Button}><${Button} kind="primary" type="submit" busy=${sending.busy} disabled=${!content.trim()}>${t("edit_send")}</${Button}></div>
  </form>`;
}
