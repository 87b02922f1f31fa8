import { html } from "../../../core/html.js";
import { formatNumber } from "../../../core/words.js";
import { layOutPipeline } from "./pipeline_layout.js";
import { t } from "../words.js";

export const TONES = { up: "good", degraded: "warning", down: "danger", stuck: "danger", lost: "danger", unknown: "" };

/** The word for a part. */
export function partName(name) {
  return t(`part_${name.replace("lane.", "group_")}`);
}

/** The picture of the pipeline. @param {{parts: Record<string, any>, isNarrow: boolean}} props */
export function Pipeline({ parts, isNarrow }) {
  const { width, height, nodes, edges } = layOutPipeline(parts, { isNarrow });
  const said = nodes.map((node) => `${partName(node.name)}: ${t(`state_${node.state}`)}${node.lag === null ? "" : `, ${t("lag_of", { count: formatNumber(node.lag) })}`}`).join("; ");
  return html`<svg class="pipeline" viewBox=${`-2 -2 ${width + 4} ${height + 4}`} role="img" aria-label=${`${t("pipeline")}: ${said}`}>
    ${edges.map((edge) => html`<path key=${`${edge.from} ${edge.to}`} class=${`edge ${TONES[edge.state]}${edge.isBusy ? " busy" : ""}`} d=${edge.path} />`)}
    ${nodes.map((node) => html`<${PipelineNode} key=${node.name} node=${node} />`)}
  </svg>`;
}

function PipelineNode({ node }) {
  const middle = node.y + node.height / 2;
  return html`<g class=${`node ${TONES[node.state]}`}>
    ${node.detail && html`<title>${node.detail}</title>`}
    <rect x=${node.x} y=${node.y} width=${node.width} height=${node.height} rx="12" />
    <circle cx=${node.x + 18} cy=${middle - 12} r="5" />
    <text class="name" x=${node.x + 32} y=${middle - 7}>${partName(node.name)}</text>
    <text class="note" x=${node.x + 18} y=${middle + 18}>${noteOf(node)}</text>
  </g>`;
}

function noteOf(node) {
  if (node.lag === null || TONES[node.state] === "danger") return t(`state_${node.state}`);
  return `${t("lag_of", { count: formatNumber(node.lag) })} · ${t("workers_of", { count: node.workers })}`;
}
