import { useRef } from "../../core/html.js";
import { newKey } from "../../core/http.js";

/** The Idempotency-Key of sending these values: the same as long as they are, so that a repeat of a request is known as one. */
export function useActKey(values) {
  const kept = useRef({ text: "", key: "" });
  const text = JSON.stringify(values);
  if (kept.current.text !== text || !kept.current.key) kept.current = { text, key: newKey() };
  return kept.current.key;
}
