// The two languages of the pages. Each folder of a page has its own words; this module chooses between them.
import { computed, signal } from "./html.js";
import { readStored, writeStored } from "./storage.js";

export const LANGUAGES = ["zh", "en"];

/** The language in force: "zh" or "en". */
export const language = signal(document.documentElement.lang.startsWith("zh") ? "zh" : "en");

/** The name of the language for the browser and for formats. */
export const locale = computed(() => (language.value === "zh" ? "zh-CN" : "en"));

/** Changes the language of everything that is drawn, and of the API's problems; remembered in this browser. */
export function chooseLanguage(chosen) {
  language.value = chosen;
  document.documentElement.lang = locale.value;
  writeStored("appearance", { ...readStored("appearance"), language: chosen });
}

/**
 * The words of a folder.
 * @param {{zh: Record<string, string>, en: Record<string, string>}} dictionary with the same keys in both languages; {name} is replaced
 * @returns {(key: string, values?: Record<string, unknown>) => string}
 */
export function wordsOf(dictionary) {
  return (key, values = {}) => {
    const text = dictionary[language.value][key];
    if (text === undefined) throw new Error(`no word ${key}`);
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

/** A number in the format of the language; `digits` after the point at most. */
export function formatNumber(value, digits = 0) {
  return new Intl.NumberFormat(locale.value, { maximumFractionDigits: digits }).format(value);
}

/** A size such as 1.2 MB. */
export function formatBytes(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return new Intl.NumberFormat(locale.value, { style: "unit", unit: units[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: 1 }).format(bytes / 1000 ** step);
}

/** A duration for people, from milliseconds to days. */
export function formatDuration(seconds) {
  const [value, unit] =
    seconds < 1 ? [seconds * 1000, "millisecond"] : seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129600 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  return new Intl.NumberFormat(locale.value, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

const CHINESE_PLACES = [
  [/^p\. (\d+)-(\d+)$/, "第 $1–$2 页"],
  [/^p\. (\d+)$/, "第 $1 页"],
  [/^slide (\d+)$/, "第 $1 张幻灯片"],
  [/^part (\d+)$/, "第 $1 部分"],
];

/** A place in a document as the API names it, such as `report.pdf > p. 3-4 > Leave`, in the language of the page; headings stay as they are. @param {string} locator */
export function formatPlace(locator) {
  if (language.value !== "zh") return locator;
  const inChinese = (part) => CHINESE_PLACES.reduce((text, [english, chinese]) => text.replace(english, chinese), part);
  return locator.split(" > ").map(inChinese).join(" > ");
}

/** A moment: the time alone if it is of today, else with its date. `when` is an RFC 3339 time or a Date. */
export function formatTime(when) {
  const date = new Date(when);
  const options = date.toDateString() === new Date().toDateString() ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(locale.value, options).format(date);
}
