import { html } from "../../core/html.js";
import { Panel } from "./panel.js";
import { assert, mount, test } from "/testing.js";

const style = (name) =>
  new Promise((done, fail) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL(name, import.meta.url).href, onload: done, onerror: fail });
    document.head.append(link);
  });

test("on a phone a heading keeps room for its words beside two acts", async () => {
  await Promise.all(["../../design/tokens.css", "../../design/base.css", "../../design/components.css", "./page.css"].map(style));
  const frame = document.createElement("iframe");
  frame.width = "358";
  document.body.append(frame);
  frame.contentDocument.head.append(...[...document.head.querySelectorAll("link")].map((link) => link.cloneNode()));
  const actions = html`<div class="row wrap"><button class="button">创建组件密钥</button><button class="button">新建密钥</button></div>`;
  const place = mount(Panel, { title: "您的密钥", text: "供程序代表您使用接口。密钥等同于密码，请妥善保管。", actions });
  frame.contentDocument.body.append(place);
  await Promise.all([...frame.contentDocument.querySelectorAll("link")].map((link) => link.sheet || new Promise((done) => (link.onload = done))));
  const { width } = place.querySelector(".stretch").getBoundingClientRect();
  assert(width > 200, `${width} px`);
});
