// Line icons, drawn here so that none is loaded: 24 × 24, in the colour of the text.
import { html } from "../core/html.js";

const PATHS = {
  add: "M12 5v14M5 12h14",
  archive: "M3 5h18v4H3zM5 9v10h14V9M10 13h4",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4",
  book: "M4 5a2 2 0 0 1 2-2h14v16H6a2 2 0 0 0-2 2zM4 19V5M20 19v2H6",
  chart: "M4 20V4M4 20h16M8 16v-5M12 16V8M16 16v-3",
  chat: "M4 5h16v11H9l-5 4z",
  check: "M5 12l5 5 9-10",
  chevron_down: "M6 9l6 6 6-6",
  chevron_left: "M15 6l-6 6 6 6",
  chevron_right: "M9 6l6 6-6 6",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  document: "M6 3h8l5 5v13H6zM14 3v5h5",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  folder: "M3 6h6l2 3h10v10H3z",
  key: "M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8M11 12l9-9M16 7l3 3",
  link: "M10 14l4-4M8 12l-3 3a4 4 0 0 0 5 5l3-3M16 12l3-3a4 4 0 0 0-5-5l-3 3",
  lock: "M6 11h12v9H6zM9 11V7a3 3 0 0 1 6 0v4",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  pin: "M9 3h6l-1 7 4 4H6l4-4zM12 14v7",
  refresh: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5",
  send: "M5 12l15-7-5 15-3-6z",
  settings: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M12 3v3M12 18v3M3 12h3M18 12h3M6 6l2 2M16 16l2 2M18 6l-2 2M8 16l-2 2",
  share: "M7 12l10-6M7 12l10 6M7 12a2 2 0 1 1-4 0 2 2 0 0 1 4 0M21 6a2 2 0 1 1-4 0 2 2 0 0 1 4 0M21 18a2 2 0 1 1-4 0 2 2 0 0 1 4 0",
  stop: "M7 7h10v10H7z",
  thumb_down: "M7 14V4h9l3 8v2h-6v5l-2 1-4-6M3 4h4v10H3z",
  thumb_up: "M7 10v10h9l3-8v-2h-6V5l-2-1-4 6M3 10h4v10H3z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  upload: "M12 20V9M7 13l5-5 5 5M5 4h14",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 21c1-5 4-7 8-7s7 2 8 7",
  users: "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M3 20c.6-4 3-5.5 6-5.5s5.4 1.5 6 5.5M16 5.5a3 3 0 0 1 0 6M18 14.8c1.8.7 2.7 2.3 3 5.2",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
};

/** @param {{name: keyof PATHS, label?: string}} props `label` names it where no text stands beside it */
export function Icon({ name, label }) {
  return html`<svg class="icon" viewBox="0 0 24 24" role=${label ? "img" : null} aria-label=${label} aria-hidden=${label ? null : "true"} focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
}
