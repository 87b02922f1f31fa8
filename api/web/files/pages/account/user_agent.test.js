import { nameOfBrowser } from "./user_agent.js";
import { equal, test } from "/testing.js";

test("browsers that call themselves several names", () => {
  equal(nameOfBrowser("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"), "Edge, Windows");
  equal(nameOfBrowser("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/17 Safari/604"), "Safari, iPhone");
  equal(nameOfBrowser("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36"), "Chrome, Android");
});

test("programs say what they say", () => {
  equal(nameOfBrowser("python-httpx/0.28"), "python-httpx/0.28");
  equal(nameOfBrowser(""), "");
  equal(nameOfBrowser("x".repeat(500)).length, 60);
});
