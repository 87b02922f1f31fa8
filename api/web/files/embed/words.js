/** Everything the widget says, in both languages. */

const zh = {
  lang: "zh-CN",
  title: "智能问答",
  placeholder: "请输入您的问题…",
  label: "您的问题",
  send: "发送",
  stop: "停止",
  renew: "新对话",
  retry: "重试",
  close: "关闭",
  source: (marker) => `来源 ${marker}`,
  sources: "引用来源",
  you: "您",
  answer: "回答",
  searching: "正在查找资料…",
  found: (count) => `已找到 ${count} 段资料，正在回答…`,
  queued: (ahead) => `前面还有 ${ahead} 个问题…`,
  lost: "连接中断，正在重新连接…",
  stopped: "已停止。",
  empty: "您好！请提问，我会根据资料回答并标明出处。",
  note: "回答由人工智能根据资料生成，请核对引用来源。",
  wait: (seconds) => (seconds >= 7_200 ? `约 ${Math.ceil(seconds / 3_600)} 小时` : seconds >= 120 ? `约 ${Math.ceil(seconds / 60)} 分钟` : `${seconds} 秒`),
  problems: {
    "": () => "出现意外错误，请稍后重试。",
    network: () => "无法连接到服务器，请检查网络后重试。",
    setup: () => "该组件设置不完整：请填写 key 属性和有效的 base-url。",
    widget_origin_refused: () => "此网站无权使用该问答组件，请联系网站管理员将本站来源加入密钥。",
    unauthenticated: () => "该问答组件的密钥无效或已被撤销，请联系网站管理员。",
    rate_limited: (wait) => `提问过于频繁，请在 ${wait} 后重试。`,
    widget_questions_used: (wait) => `今天的提问次数已用完，请在 ${wait} 后再来。`,
    quota_exceeded: () => "该服务的额度已用完，请稍后再来。",
    overloaded: () => "当前提问人数较多，请稍后重试。",
    too_many_streams: () => "当前提问人数较多，请稍后重试。",
    widget_empty: () => "该组件的资料已不存在，请联系网站管理员。",
    validation_failed: (_wait, limit) => (limit ? `问题过长或无效：最多 ${limit}。` : "问题无效，请修改后重试。"),
    not_found: () => "该回答已不可用，请重新提问。",
  },
};

/** @type {typeof zh} */
const en = {
  lang: "en",
  title: "Ask a question",
  placeholder: "Type your question…",
  label: "Your question",
  send: "Send",
  stop: "Stop",
  renew: "New chat",
  retry: "Try again",
  close: "Close",
  source: (marker) => `Source ${marker}`,
  sources: "Sources",
  you: "You",
  answer: "Answer",
  searching: "Looking through the documents…",
  found: (count) => (count === 1 ? "Found 1 passage, answering…" : `Found ${count} passages, answering…`),
  queued: (ahead) => (ahead === 1 ? "1 question is before yours…" : `${ahead} questions are before yours…`),
  lost: "The connection was lost; connecting again…",
  stopped: "Stopped.",
  empty: "Hello! Ask a question: I answer from documents and show where it says so.",
  note: "Answers are written by AI from documents; check the sources.",
  wait: (seconds) => (seconds >= 7_200 ? `about ${Math.ceil(seconds / 3_600)} hours` : seconds >= 120 ? `about ${Math.ceil(seconds / 60)} minutes` : `${seconds} s`),
  problems: {
    "": () => "Something went wrong. Please try again later.",
    network: () => "The server cannot be reached. Check your connection and try again.",
    setup: () => "This widget is not set up: it needs the attribute key, and a valid base-url.",
    widget_origin_refused: () => "This website may not use this chat. Its administrator can add the site's origin to the key.",
    unauthenticated: () => "The key of this chat is not valid any more. Please tell the administrator of this website.",
    rate_limited: (wait) => `That were many questions at once. Please try again in ${wait}.`,
    widget_questions_used: (wait) => `All questions for today are used. Please come back in ${wait}.`,
    quota_exceeded: () => "The quota of this service is used up. Please come back later.",
    overloaded: () => "Many people are asking right now. Please try again in a moment.",
    too_many_streams: () => "Many people are asking right now. Please try again in a moment.",
    widget_empty: () => "The documents of this chat are gone. Please tell the administrator of this website.",
    validation_failed: (_wait, limit) => (limit ? `The question is too long or not valid: at most ${limit}.` : "The question is not valid. Please change it."),
    not_found: () => "This answer is not available any more. Please ask again.",
  },
};

const SAME = { api_key_malformed: "unauthenticated", widget_key_needed: "unauthenticated", budget_spent: "quota_exceeded" };

/** @param {string} language a BCP 47 tag */
export function wordsOf(language) {
  return language.toLowerCase().startsWith("zh") ? zh : en;
}

/**
 * A sentence for a problem: one of ours, else the server's title.
 *
 * @param {typeof zh} words
 * @param {{code: string, title?: string, title_zh?: string, retry_after_s?: number, errors?: {limit?: string}[]}} problem
 */
export function sentenceOf(words, problem) {
  const said = words.problems[SAME[problem.code] ?? problem.code];
  if (said && problem.code) return said(words.wait(Math.max(1, problem.retry_after_s ?? 1)), problem.errors?.[0]?.limit);
  const title = words === zh ? problem.title_zh : problem.title;
  return title ? `${title}${words === zh ? "。" : "."}` : words.problems[""]();
}

export const WORDS = { zh, en };
