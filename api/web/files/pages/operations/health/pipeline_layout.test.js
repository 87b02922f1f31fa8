import { assert, equal, test } from "/testing.js";
import { layOutPipeline } from "./pipeline_layout.js";

const up = { state: "up" };
const parts = { kafka: up, redis: up, tables: up, index: up, models: up, "lane.chat": { state: "up", workers: 2, lag: 7 }, "lane.knowledge": up, "lane.documents": up, "lane.tables": up };

for (const isNarrow of [false, true]) {
  test(`every part stands inside the picture and on no other one, narrow: ${isNarrow}`, () => {
    const { width, height, nodes, edges } = layOutPipeline(parts, { isNarrow });
    equal(nodes.length, 9);
    equal(edges.length, 8);
    for (const node of nodes) {
      assert(node.x >= 0 && node.y >= 0 && node.x + node.width <= width && node.y + node.height <= height, node.name);
      for (const other of nodes) {
        const isApart = other === node || node.x + node.width <= other.x || other.x + other.width <= node.x || node.y + node.height <= other.y || other.y + other.height <= node.y;
        assert(isApart, `${node.name} stands on ${other.name}`);
      }
    }
  });
}

test("lag and workers are those of the group", () => {
  const { nodes, edges } = layOutPipeline(parts);
  const chat = nodes.find((node) => node.name === "lane.chat");
  equal([chat.lag, chat.workers], [7, 2]);
  equal(edges.filter((edge) => edge.isBusy).map((edge) => edge.to), ["lane.chat", "models"]);
});

test("Redis that has lost its tables is not up, and what is not reported is unknown", () => {
  const { nodes } = layOutPipeline({ redis: up, tables: { state: "lost", detail: "rebuild" } });
  const stateOf = (name) => nodes.find((node) => node.name === name).state;
  equal([stateOf("redis"), stateOf("kafka"), stateOf("lane.chat"), stateOf("api")], ["lost", "unknown", "unknown", "up"]);
});
