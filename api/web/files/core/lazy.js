// Components whose modules are loaded when they are first drawn.
import { html } from "./html.js";
import { useResource } from "./resource.js";
import { Loading } from "../components/loading.js";
import { ProblemNote } from "../components/problem_note.js";

/**
 * Draws a component of the module that `load` resolves to; another module needs another `key`.
 * @param {{load: () => Promise<Record<string, any>>, name?: string, props?: object, waiting?: any, wrap?: (state: any) => any}} props `name`: of
 *   the export; `waiting` is shown until it is there; `wrap`: what stands around that, and around what went wrong
 */
export function LazyComponent({ load, name = "default", props = {}, waiting = html`<${Loading} />`, wrap = (state) => state }) {
  const module = useResource(load, []);
  if (module.problem) return wrap(html`<${ProblemNote} problem=${module.problem} retry=${module.reload} />`);
  return module.data ? html`<${module.data[name]} ...${props} />` : wrap(waiting);
}

/** A component in place of the one that a module exports under this name; nothing, or `waiting`, is drawn until it is there. */
export function lazy(load, name, waiting = null) {
  return (props) => html`<${LazyComponent} load=${load} name=${name} props=${props} waiting=${waiting} />`;
}
