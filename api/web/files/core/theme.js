// Light, dark, or what the system prefers.
import { signal } from "./html.js";
import { readStored, writeStored } from "./storage.js";

/** "auto", "light" or "dark". */
export const theme = signal(readStored("appearance").theme || "auto");

/** Changes the theme; remembered in this browser. */
export function chooseTheme(chosen) {
  theme.value = chosen;
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  writeStored("appearance", { ...readStored("appearance"), theme: chosen });
}
