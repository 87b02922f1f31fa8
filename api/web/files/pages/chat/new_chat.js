import { html, useRef, useState } from "../../core/html.js";
import { call, newKey } from "../../core/http.js";
import { navigate } from "../../core/router.js";
import { useAct, useResource } from "../../core/resource.js";
import { Icon } from "../../components/icon.js";
import { ProblemNote } from "../../components/problem_note.js";
import { Composer } from "./composer.js";
import { ConversationStore, handOver } from "./conversation_store.js";
import { tellConversationChange } from "./conversations/changes.js";
import { KnowledgePicker, ModelPicker, ModePicker, loadBases, loadModels } from "./pickers.js";
import { t } from "./words.js";

/** A conversation that begins with its first question. */
export function NewChat() {
  const bases = useResource(loadBases, []);
  const [chosen, setChosen] = useState([]);
  const models = useResource(loadModels, []);
  const [mode, setMode] = useState("grounded");
  const [model, setModel] = useState("");
  const [content, setContent] = useState("");
  const key = useRef({ of: "", key: "" });
  const begin = useAct(async (question) => {
    const body = { knowledge_base_ids: chosen, mode, model };
    const of = JSON.stringify(body);
    if (key.current.of !== of) key.current = { of, key: newKey() }; // other settings are another conversation
    const created = await call("POST", "/conversations", { body, key: key.current.key });
    const store = new ConversationStore(created.id);
    store.conversation.value = created;
    await store.ask(question);
    store.isLoaded.value = true;
    tellConversationChange("created", created.id);
    handOver(store);
    navigate(`/chat/${created.id}`);
  });
  const isEmpty = bases.data?.length === 0;
  return html`<div class="new-chat"><div class="new-chat-inner">
    <header><h1>${t("new_chat")}</h1><p class="minor">${t("new_chat_text")}</p></header>
    ${isEmpty && html`<div class="card empty-hint"><p><strong>${t("no_documents")}</strong></p><p class="minor">${t("no_documents_text")}</p><a class="button primary" href="/knowledge"><${Icon} name="upload" /><span>${t("upload")}</span></a></div>`}
    <${Composer} value=${content} setValue=${setContent} send=${begin.run} busy=${begin.busy} autofocus>
      <${KnowledgePicker} bases=${bases.data ?? []} chosen=${chosen} choose=${setChosen} />
      <${ModePicker} mode=${mode} choose=${setMode} />
      <${ModelPicker} models=${models.data ?? []} model=${model} choose=${setModel} />
    </${Composer}>
    <${ProblemNote} problem=${begin.problem} retry=${begin.problem && content ? () => begin.run(content) : null} />
    ${!isEmpty && html`<section class="examples" aria-label=${t("examples")}>
      ${["example_1", "example_2", "example_3"].map((name) => html`<button key=${name} type="button" onClick=${() => {
        setContent(t(name));
        document.querySelector(".composer textarea")?.focus();
      }}>${t(name)}</button>`)}
    </section>`}
  </div></div>`;
}
