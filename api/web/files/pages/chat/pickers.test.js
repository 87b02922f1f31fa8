import { ModelPicker, modelOptions } from "./pickers.js";
import { equal, mount, test } from "/testing.js";

const MODELS = [
  { name: "glm", provider: "zhipu", default: true },
  { name: "qwen", provider: "dashscope", default: false },
];

function pick(models, model) {
  const chosen = [];
  const place = mount(ModelPicker, { models, model, choose: (name) => chosen.push(name) });
  return { chosen, select: place.querySelector("select") };
}

test("the picker has every model, the default first, and tells what was chosen", () => {
  const { chosen, select } = pick(MODELS, "");
  equal([...select.options].map((option) => option.value), ["", "qwen"]);
  equal([select.value, select.options[0].textContent.includes("glm")], ["", true]);
  select.value = "qwen";
  select.dispatchEvent(new Event("change", { bubbles: true }));
  equal(chosen, ["qwen"]);
});

test("where there is one model there is nothing to pick", () => {
  equal([pick(MODELS.slice(0, 1), "").select, pick([], "").select], [null, null]);
});

test("a model that is no longer there, or the default by its name, stays chosen", () => {
  equal(pick(MODELS, "old").select.value, "old");
  equal(modelOptions(MODELS, "glm").map((option) => option.value), ["", "qwen", "glm"]);
  equal(modelOptions(MODELS, "glm")[2].label, "glm");
});
