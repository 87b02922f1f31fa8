// Dead letters: events that no step could process, by their cause; sent again one by one, by cause, or all.
import { html, useState } from "../../../core/html.js";
import { call, newKey, query } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { formatBytes, formatNumber, formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showProblem, showToast } from "../../../components/toasts.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { Table } from "../table.js";
import { t } from "../words.js";

export default function DeadLetters() {
  const [cause, setCause] = useState(null);
  const [redriven, setRedriven] = useState(null);
  const [shown, setShown] = useState(null);
  const groups = useResource((signal) => call("GET", "/tasks/dead-letters/groups", { signal }), []);
  const listing = useListing("/tasks/dead-letters", cause ? { code: cause.code, topic: cause.topic } : {});
  const reload = () => {
    groups.reload();
    listing.reload();
  };
  const one = useAct(async (letter) => {
    const { outcome, detail } = await call("POST", `/tasks/dead-letters/${encodeURIComponent(letter.id)}/redrive`, { key: newKey() }).catch((problem) => {
      showProblem(problem);
      throw problem;
    });
    showToast(`${t(`outcome_${outcome}`)}${detail ? ` · ${detail}` : ""}`);
    reload();
  });
  const letters = cause ? listing.items.filter((letter) => letter.agent === cause.agent) : listing.items;
  return html`
    <header class="row wrap">
      <h1>${t("section_dead_letters")}</h1><span class="stretch"></span>
      <${Button} icon="refresh" label=${t("reload")} onClick=${reload} />
      ${groups.data?.letters > 0 && html`<${Button} onClick=${() => setRedriven({})}>${t("redrive_all")}</${Button}>`}
    </header>
    <p class="minor">${t("dead_letters_text")}</p>
    ${groups.problem ? html`<${ProblemNote} problem=${groups.problem} retry=${groups.reload} />` : !groups.data ? html`<${Loading} />` : groups.data.groups.length > 0 && html`<${Groups} groups=${groups.data.groups} cause=${cause} choose=${setCause} redrive=${setRedriven} />`}
    ${cause && html`<div class="row wrap"><h2>${t("of_cause", { code: cause.code })}</h2><${Button} kind="quiet" onClick=${() => setCause(null)}>${t("show_all")}</${Button}></div>`}
    ${letters.length > 0 && html`<${Letters} letters=${letters} busy=${one.busy} redrive=${one.run} show=${setShown} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_dead_letters")} />
    ${redriven && html`<${RedriveDialog} cause=${redriven} close=${() => (setRedriven(null), reload())} />`}
    ${shown && html`<${LetterDialog} letter=${shown} close=${() => setShown(null)} />`}`;
}

function Groups({ groups, choose, redrive }) {
  const columns = [
    { name: "code", label: t("cause"), kind: "wide", show: (group) => html`<div><code>${group.code}</code><div class="minor">${group.detail}</div></div>` },
    { name: "agent", label: t("agent"), show: (group) => html`<code>${group.agent}</code>` },
    { name: "letters", label: t("letters"), kind: "number", show: (group) => formatNumber(group.letters) },
    { name: "redriven", label: t("redriven"), kind: "number", show: (group) => formatNumber(group.redriven) },
    { name: "last", label: t("last"), kind: "time", show: (group) => formatTime(group.last_at) },
    { name: "acts", label: "", kind: "acts", show: (group) => html`<${Button} kind="quiet" onClick=${() => choose(group)}>${t("show")}</${Button}> <${Button} onClick=${() => redrive(group)}>${t("redrive_group")}</${Button}>` },
  ];
  return html`<section class="stack"><h2>${t("by_cause")}</h2><${Table} label=${t("by_cause")} columns=${columns} rows=${groups} keyOf=${(group) => `${group.code} ${group.topic} ${group.agent}`} /></section>`;
}

function Letters({ letters, busy, redrive, show }) {
  const columns = [
    { name: "at", label: t("time"), kind: "time", show: (letter) => formatTime(letter.at) },
    { name: "code", label: t("cause"), kind: "wide", show: (letter) => html`<div><code>${letter.code}</code><div class="minor">${letter.detail}</div></div>` },
    { name: "topic", label: t("topic"), show: (letter) => html`<code>${letter.topic}</code>` },
    { name: "redriven", label: t("redriven"), show: (letter) => (letter.redriven_at ? html`<span class="badge good">${formatTime(letter.redriven_at)}</span>` : "") },
    { name: "acts", label: "", kind: "acts", show: (letter) => html`<${Button} kind="quiet" onClick=${() => show(letter)}>${t("show")}</${Button}> ${!letter.redriven_at && html`<${Button} disabled=${busy} onClick=${() => redrive(letter)}>${t("redrive")}</${Button}>`}` },
  ];
  return html`<${Table} label=${t("letters")} columns=${columns} rows=${letters} keyOf=${(letter) => letter.id} />`;
}

/** Counts what would become of them, then sends them, a hundred a request. @param {{cause: {code?: string, topic?: string, agent?: string}, close: () => void}} props */
function RedriveDialog({ cause, close }) {
  const body = { code: cause.code ?? null, topic: cause.topic ?? null, agent: cause.agent ?? null };
  const planned = useResource((signal) => call("POST", "/tasks/dead-letters/redrive", { body: { ...body, dry_run: true }, key: newKey(), signal }), []);
  const [done, setDone] = useState(null);
  const send = useAct(async () => {
    const outcomes = {};
    for (let remaining = 1; remaining > 0; ) {
      const part = await call("POST", "/tasks/dead-letters/redrive", { body, key: newKey() });
      for (const [outcome, count] of Object.entries(part.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
      const isMoving = part.outcomes.redriven > 0;
      remaining = isMoving ? part.remaining : 0;
      setDone({ ...outcomes });
    }
  });
  const outcomes = done ?? planned.data?.outcomes;
  const sendable = planned.data?.outcomes.redriven ?? 0;
  const actions = done && !send.busy ? html`<${Button} kind="primary" onClick=${close}>${t("close")}</${Button}>` : html`<${Button} kind="primary" disabled=${!sendable} busy=${send.busy} onClick=${send.run}>${t("redrive_count", { count: formatNumber(sendable + (planned.data?.remaining ?? 0)) })}</${Button}>`;
  return html`<${Dialog} title=${cause.code ? t("redrive_of", { code: cause.code }) : t("redrive_all")} close=${close} actions=${actions}>
    <p>${t(done ? "redrive_done" : "redrive_plan")}</p>
    ${planned.problem && html`<${ProblemNote} problem=${planned.problem} retry=${planned.reload} />`}
    ${!outcomes && !planned.problem && html`<${Loading} />`}
    ${outcomes && html`<dl class="facts" role="status">${Object.entries(outcomes).map(([outcome, count]) => html`<dt key=${outcome}>${t(`outcome_${outcome}`)}</dt><dd>${formatNumber(count)}</dd>`)}</dl>`}
    <${ProblemNote} problem=${send.problem} />
  </${Dialog}>`;
}

function LetterDialog({ letter, close }) {
  const content = useResource(async (signal) => {
    const page = await call("GET", `/tasks/dead-letters${query({ code: letter.code, topic: letter.topic, content: true, limit: 20 })}`, { signal });
    return page.items.find((each) => each.id === letter.id)?.content ?? null;
  }, [letter.id]);
  const rows = [
    [t("cause"), html`<code>${letter.code}</code> ${letter.detail}`],
    [t("agent"), html`<code>${letter.agent}</code>`],
    [t("log_place"), html`<code>${letter.topic} / ${letter.partition} / ${letter.offset}</code>`],
    [t("attempts"), formatNumber(letter.attempts)],
    [t("size"), formatBytes(letter.bytes)],
    [t("time"), formatTime(letter.at)],
    [t("id"), html`<code>${letter.id}</code>`],
  ];
  return html`<${Dialog} wide title=${t("dead_letter")} close=${close}>
    <dl class="facts">${rows.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>
    <h3>${t("record")}</h3>
    ${content.loading ? html`<${Loading} />` : content.problem ? html`<${ProblemNote} problem=${content.problem} />` : html`<pre tabindex="0">${content.data ? content.data.text || content.data.base64 || "null" : t("not_shown")}</pre>`}
  </${Dialog}>`;
}
