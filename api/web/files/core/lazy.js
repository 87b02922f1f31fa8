// Components that few need at once: their modules are loaded when they are first drawn.
import { html } from "./html.js";
import { useResource } from "./resource.js";
import { ProblemNote } from "../components/problem_note.js";

/**
 * A component in place of the one that a module exports; nothing is drawn until it is there.
 * @param {() => Promise<Record<string, any>>} load @param {string} name of the export
 */
export function lazy(load, name) {
  return function Lazy(props) {
    const module = useResource(load, []);
    if (module.problem) return html`<${ProblemNote} problem=${module.problem} retry=${module.reload} />`;
    return module.data ? html`<${module.data[name]} ...${props} />` : null;
  };
}
