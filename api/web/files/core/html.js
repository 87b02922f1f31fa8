// Everything that a component needs of the vendored packages, in one import.
import { Fragment, h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "../vendor/signals.js";
export { Fragment, h, render };

/** Markup: html`<p class="note">${text}</p>`. Text is always escaped. */
export const html = htm.bind(h);
