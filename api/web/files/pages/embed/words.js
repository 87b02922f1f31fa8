import { wordsOf } from "../../core/words.js";

export const dictionary = {
  zh: {
    embed: "嵌入问答组件",
    embed_text: "在这里按访客看到的样子试用一个组件，并复制放入网页的代码。组件需要一个为网页创建的密钥，它会公开在网页中，只能用于提问。",
    make_key: "创建组件密钥",
    key: "组件密钥",
    key_hint: "密钥不会被保存。要在本页试用，密钥的来源需包含 {origin}。",
    show: "试用",
    preview: "预览",
    lines: "放入网页的代码",
  },
  en: {
    embed: "Embed a chat",
    embed_text: "Try a widget as visitors of your page see it, and copy the lines that put it there. It needs an API key for pages, which stands in the page for everybody to read and is good for questions alone.",
    make_key: "Create a key",
    key: "Key of the widget",
    key_hint: "It is not stored. To try it on this page, {origin} must be among its origins.",
    show: "Try it",
    preview: "Preview",
    lines: "For your page",
  },
};
export const t = wordsOf(dictionary);
