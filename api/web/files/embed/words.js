// Everything the widget says, in both languages.

export const dictionary = {
  zh: {
    language: "zh-CN",
    title: "智能问答",
    placeholder: "请输入您的问题…",
    label: "您的问题",
    send: "发送",
    stop: "停止",
    renew: "新对话",
    retry: "重试",
    close: "关闭",
    source: "来源 {marker}",
    sources: "引用来源 {count} 处",
    you: "您：",
    conversation: "对话",
    answer: "回答",
    searching: "正在查找资料…",
    found: "已找到 {count} 段资料，正在回答…",
    queued: "前面还有 {count} 个问题…",
    lost: "连接中断，正在重新连接…",
    stopped: "已停止。",
    empty: "您好！请提问，我会根据资料回答并标明出处。",
    note: "回答由人工智能根据资料生成，请核对引用来源。",
    seconds: "{count} 秒",
    minutes: "约 {count} 分钟",
    hours: "约 {count} 小时",
    full_stop: "。",
    problem_unknown: "出现意外错误，请稍后重试。",
    problem_network: "无法连接到服务器，请检查网络后重试。",
    problem_setup: "该组件设置不完整：请填写 key 属性和有效的 base-url。",
    problem_widget_origin_refused: "此网站无权使用该问答组件。网站管理员可将本站来源加入密钥。",
    problem_unauthenticated: "该问答组件的密钥无效或已被撤销，请联系网站管理员。",
    problem_rate_limited: "提问过于频繁，请在 {wait} 后重试。",
    problem_widget_questions_used: "今天的提问次数已用完，请在 {wait} 后再来。",
    problem_quota_exceeded: "该服务的额度已用完，请稍后再来。",
    problem_overloaded: "当前提问人数较多，请稍后重试。",
    problem_widget_empty: "该组件的资料已不存在，请联系网站管理员。",
    problem_validation_failed: "问题过长或无效，请缩短或修改后重试。",
    problem_not_found: "该回答已不可用，请重新提问。",
  },
  en: {
    language: "en",
    title: "Ask a question",
    placeholder: "Type your question…",
    label: "Your question",
    send: "Send",
    stop: "Stop",
    renew: "New chat",
    retry: "Try again",
    close: "Close",
    source: "Source {marker}",
    sources: "Sources: {count}",
    you: "You: ",
    conversation: "Conversation",
    answer: "Answer",
    searching: "Looking through the documents…",
    found: "Passages found: {count}. Answering…",
    queued: "Questions before yours: {count}…",
    lost: "The connection was lost; connecting again…",
    stopped: "Stopped.",
    empty: "Hello! Ask a question: I answer from documents and show where it says so.",
    note: "Answers are written by AI from documents; check the sources.",
    seconds: "{count} s",
    minutes: "about {count} minutes",
    hours: "about {count} hours",
    full_stop: ".",
    problem_unknown: "Something went wrong. Please try again later.",
    problem_network: "The server cannot be reached. Check your connection and try again.",
    problem_setup: "This widget is not set up: it needs the attribute key, and a valid base-url.",
    problem_widget_origin_refused: "This website may not use this chat. Its administrator can add the site's origin to the key.",
    problem_unauthenticated: "The key of this chat is not valid any more. Please tell the administrator of this website.",
    problem_rate_limited: "That was too much at once. Please try again in {wait}.",
    problem_widget_questions_used: "All questions for today are used. Please come back in {wait}.",
    problem_quota_exceeded: "The quota of this service is used up. Please come back later.",
    problem_overloaded: "Many people are asking right now. Please try again in a moment.",
    problem_widget_empty: "The documents of this chat are gone. Please tell the administrator of this website.",
    problem_validation_failed: "The question is too long or not valid. Please shorten or change it.",
    problem_not_found: "This answer is not available any more. Please ask again.",
  },
};

const SAME = { api_key_malformed: "unauthenticated", widget_key_needed: "unauthenticated", budget_spent: "quota_exceeded", widget_share_used: "quota_exceeded", too_many_streams: "overloaded" };

/** @typedef {(key: string, values?: Record<string, string | number>) => string} Say */

/**
 * What says words in a language.
 *
 * @param {string} language a BCP 47 tag: Chinese of every kind, else English
 * @returns {Say}
 */
export function speakerOf(language) {
  const words = dictionary[language.toLowerCase().startsWith("zh") ? "zh" : "en"];
  return (key, values = {}) => (words[key] ?? "").replace(/\{(\w+)\}/g, (_whole, name) => String(values[name] ?? ""));
}

/**
 * A sentence for a problem: one of ours, else the server's title.
 *
 * @param {Say} say
 * @param {{code: string, title?: string, title_zh?: string, retry_after_s?: number}} problem
 */
export function sentenceOf(say, problem) {
  const own = say(`problem_${SAME[problem.code] ?? problem.code}`, { wait: waitOf(say, Math.max(1, problem.retry_after_s ?? 1)) });
  if (own) return own;
  const title = say("language") === "en" ? problem.title : problem.title_zh;
  return title ? title + say("full_stop") : say("problem_unknown");
}

function waitOf(say, seconds) {
  if (seconds >= 7_200) return say("hours", { count: Math.ceil(seconds / 3_600) });
  return seconds >= 120 ? say("minutes", { count: Math.ceil(seconds / 60) }) : say("seconds", { count: seconds });
}
