// A browser by the name that it gives itself, short enough for a person to recognise it.

const BROWSERS = [
  ["Edg/", "Edge"],
  ["OPR/", "Opera"],
  ["MicroMessenger/", "微信"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
];
const SYSTEMS = ["iPhone", "iPad", "Android", "Windows", "Mac OS X", "CrOS", "Linux"];

/** Such as "Firefox, Windows"; of a program the beginning of what it says; "" of nothing. @param {string} userAgent */
export function nameOfBrowser(userAgent) {
  const browser = BROWSERS.find(([token]) => userAgent.includes(token))?.[1];
  if (!browser) return userAgent.slice(0, 60);
  const system = SYSTEMS.find((token) => userAgent.includes(token));
  return system ? `${browser}, ${system.replace("Mac OS X", "macOS").replace("CrOS", "ChromeOS")}` : browser;
}
