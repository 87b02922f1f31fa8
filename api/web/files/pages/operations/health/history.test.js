import { equal, test } from "/testing.js";
import { addSample } from "./history.js";

const readiness = { parts: { kafka: { state: "up" }, "lane.chat": { state: "up", lag: 3 }, "lane.tables": { state: "unknown" } } };
const samplesOf = (total, refused, answers) => [
  { name: "claw_http_requests_total", labels: { status: "200" }, value: total - refused },
  { name: "claw_http_requests_total", labels: { status: "429" }, value: refused },
  { name: "claw_reply_first_token_seconds_bucket", labels: { le: "1" }, value: answers },
  { name: "claw_reply_first_token_seconds_bucket", labels: { le: "+Inf" }, value: answers },
];

test("rates are those between two looks, times to first token those of the last minute", () => {
  let kept = addSample([], { readiness, samples: samplesOf(100, 1, 5), at_s: 1000 });
  equal([kept[0].lags, kept[0].requests_per_s, kept[0].median_s], [{ chat: 3, tables: null }, null, null]);
  kept = addSample(kept, { readiness, samples: samplesOf(120, 6, 5), at_s: 1005 });
  equal([kept[1].requests_per_s, kept[1].refused_per_s, kept[1].median_s], [3, 1, null]);
  kept = addSample(kept, { readiness, samples: samplesOf(120, 6, 7), at_s: 1010 });
  equal(kept[2].median_s, 0.5);
  kept = addSample(kept, { readiness, samples: samplesOf(2, 0, 0), at_s: 1015 }); // the process has started again
  equal([kept[3].requests_per_s, kept[3].median_s], [null, null]);
});

test("half an hour is kept, and the same moment once", () => {
  let kept = [];
  for (let at_s = 0; at_s < 5000; at_s += 5) kept = addSample(kept, { readiness, samples: null, at_s });
  equal([kept.length, kept[0].at_s, kept.at(-1).at_s], [360, 3200, 4995]);
  equal(addSample(kept, { readiness, samples: null, at_s: 4995 }).length, 360);
});
