// Runs before anything is drawn: the theme and the language that were chosen before, else those of the browser.
(() => {
  let choice = {};
  try {
    choice = JSON.parse(localStorage.getItem("claw.appearance") || "{}");
  } catch {
    // storage is refused, or holds something else: the browser's preferences apply
  }
  const root = document.documentElement;
  if (choice.theme === "light" || choice.theme === "dark") root.dataset.theme = choice.theme;
  const language = choice.language === "zh" || choice.language === "en" ? choice.language : (navigator.language || "zh").startsWith("zh") ? "zh" : "en";
  root.lang = language === "zh" ? "zh-CN" : "en";
})();
