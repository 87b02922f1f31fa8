import { html, useEffect, useRef, useState } from "../../core/html.js";
import { newKey } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { Field, errorOf } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { t } from "./words.js";

const TAGS = { up: ["right", "clear"], down: ["wrong", "wrong_source", "incomplete", "off_topic"] };

/**
 * Rates an answer at once, and then takes the reason.
 * @param {{rating: "up" | "down", send: (feedback: object, key: string) => Promise<void>, close: () => void}} props
 */
export function FeedbackForm({ rating, send, close }) {
  const [tags, setTags] = useState([]);
  const [comment, setComment] = useState("");
  const [key] = useState(newKey);
  const form = useRef(null);
  const rated = useAct(() => send({ rating }, key));
  const sending = useAct(async () => {
    await send({ rating, tags, comment }, newKey());
    showToast(t("feedback_thanks"));
    close();
  });
  useEffect(() => {
    rated.run();
    form.current.querySelector("input").focus();
    form.current.scrollIntoView({ block: "nearest" });
  }, []);
  const toggle = (tag) => setTags(tags.includes(tag) ? tags.filter((each) => each !== tag) : [...tags, tag]);
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };
  return html`<form class="card feedback" ref=${form} onKeyDown=${onKeyDown} onSubmit=${(event) => (event.preventDefault(), sending.run())}>
    <fieldset><legend>${t(rating === "up" ? "feedback_good" : "feedback")}</legend>
      ${TAGS[rating].map((tag) => html`<label key=${tag} class="tag"><input type="checkbox" checked=${tags.includes(tag)} onChange=${() => toggle(tag)} /><span>${t(`tag_${tag}`)}</span></label>`)}
    </fieldset>
    <${Field} label=${t("feedback_comment")} kind="textarea" rows="2" maxlength="2000" value=${comment} error=${errorOf(sending.problem, "body.comment")} onInput=${(event) => setComment(event.target.value)} />
    <${ProblemNote} problem=${rated.problem || sending.problem} />
    <div class="row"><span class="stretch"></span><${Button} kind="quiet" onClick=${close}>${common("close")}</${Button}><${Button} kind="primary" type="submit" busy=${sending.busy} disabled=${!tags.length && !comment.trim()}>${t("feedback_send")}</${Button}></div>
  </form>`;
}
