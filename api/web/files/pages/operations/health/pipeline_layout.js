// Where the parts of the pipeline stand in its picture. Pure: the same parts have the same places.

const GROUPS = ["documents", "knowledge", "chat", "tables"];
const SOURCES = { knowledge: "index", chat: "models", tables: "redis" }; // what a group waits for
const WORST = ["unknown", "up", "degraded", "stuck", "lost", "down"];

/** @typedef {{name: string, state: string, detail: string, lag: number | null, workers: number | null, x: number, y: number, width: number, height: number}} Node */
/** @typedef {{from: string, to: string, path: string, state: string, isBusy: boolean}} Edge */

/**
 * API and Kafka, the worker groups below each other, and beside each what it waits for. On a narrow screen API and Kafka stand above.
 * @param {Record<string, {state: string, detail?: string, workers?: number, lag?: number}>} parts of GET /readyz
 * @param {{isNarrow?: boolean}} [options]
 * @returns {{width: number, height: number, nodes: Node[], edges: Edge[]}}
 */
export function layOutPipeline(parts, { isNarrow = false } = {}) {
  const size = isNarrow ? { width: 148, height: 68, gap: 14 } : { width: 196, height: 72, gap: 18 };
  const column = (index) => (isNarrow ? [24, 24, 24, 196][index] : [0, 268, 536, 804][index]);
  const top = isNarrow ? size.height + 44 : 0;
  const rowAt = (index) => top + index * (size.height + size.gap);
  const whole = GROUPS.length * size.height + (GROUPS.length - 1) * size.gap;
  const place = (name, x, y, height = size.height) => ({ name, ...stateOf(parts, name), x, y, width: size.width, height });
  const nodes = [
    isNarrow ? place("api", 0, 0) : place("api", column(0), whole / 2 - size.height / 2),
    isNarrow ? place("kafka", 196, 0) : place("kafka", column(1), 0, whole),
    ...GROUPS.map((name, index) => place(`lane.${name}`, column(2), rowAt(index))),
    ...GROUPS.flatMap((name, index) => (SOURCES[name] ? [place(SOURCES[name], column(3), rowAt(index))] : [])),
  ];
  const byName = Object.fromEntries(nodes.map((node) => [node.name, node]));
  const edges = [
    straight(byName.api, byName.kafka),
    ...GROUPS.map((name) => (isNarrow ? trunk(byName.kafka, byName[`lane.${name}`], top) : straight(byName.kafka, byName[`lane.${name}`]))),
    ...Object.entries(SOURCES).map(([name, source]) => straight(byName[`lane.${name}`], byName[source])),
  ];
  return { width: isNarrow ? 344 : 1000, height: top + whole, nodes, edges };
}

function stateOf(parts, name) {
  const part = { api: { state: "up" }, redis: worse(parts.redis, parts.tables) }[name] ?? parts[name] ?? { state: "unknown" };
  const isGroup = name.startsWith("lane.");
  return { state: part.state, detail: part.detail || "", lag: isGroup ? (part.lag ?? 0) : null, workers: isGroup ? (part.workers ?? 0) : null };
}

/** Redis and the tables in it are one part of the picture. */
function worse(one = { state: "unknown" }, other = { state: "unknown" }) {
  return WORST.indexOf(other.state) > WORST.indexOf(one.state) ? other : one;
}

function straight(from, to) {
  const y = to.height <= from.height ? to.y + to.height / 2 : from.y + from.height / 2;
  return edge(from, to, `M${from.x + from.width} ${y}H${to.x}`);
}

/** Down the left side from Kafka, and into the group. */
function trunk(from, to, top) {
  const y = to.y + to.height / 2;
  return edge(from, to, `M${from.x + from.width / 2} ${from.y + from.height}V${top - 22}H8V${y}H${to.x}`);
}

function edge(from, to, path) {
  return { from: from.name, to: to.name, path, state: to.state, isBusy: (to.lag ?? from.lag ?? 0) > 0 };
}
