import { equal, test } from "/testing.js";
import { embedHtml } from "./embed_html.js";

test("the lines are a script and an element, whatever the key is", () => {
  equal(embedHtml("https://claw.example", "claw_0", "zh"), '<script type="module" src="https://claw.example/embed.js"></script>\n<claw-chat key="claw_0" lang="zh"></claw-chat>');
  equal(embedHtml("https://claw.example", '"><img src=x>&quot;', "en").split("\n")[1], '<claw-chat key="&quot;>&lt;img src=x>&amp;quot;" lang="en"></claw-chat>');
});
