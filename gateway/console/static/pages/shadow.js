import {path} from "../api.js";
import {h, replace, text} from "../dom.js";
import {ago, count, moment} from "../format.js";
import {poll} from "../live.js";
import {ring, spark} from "../measures.js";
import {badge, empty, facts, panel, rowKeys, scrolling} from "../parts.js";

export const title = "Shadow";

const SECONDS = 3;
const READY = 99; // as the gateway counts it
const LIMIT = 500;
const KINDS = {
  verdict: ["verdict", "another answer to a token"],
  boot_status: ["boot status", "another registration status"],
  interval: ["interval", "another heartbeat interval"],
  error: ["error", "a CALLERROR where the other side answered"],
  missing: ["missing", "no answer"],
  latency: ["latency", "much slower"],
};
const CLASSES = {decision: "Decisions", billing: "Billing", other: "Other"};

// A shadow is a CSMS that hears everything and answers nobody: how its answers differ says whether chargers can move to it.
export function render(root, api, params) {
  const state = {upstream: params.query.upstream ?? "", word: params.query.q ?? "", open: params.rest[0] ?? null, opened: null, chargers: [], left: 0};
  const heads = h("div", {class: "stack shadows"}), rows = scrolling("Chargers"), note = h("span", {class: "faint"});
  const field = h("input", {type: "search", placeholder: "Charger", "aria-label": "Filter by charger", "data-search": true, value: state.word});
  const side = h("aside", {class: "side", "aria-label": "The charger"});
  const chargers = h("div", {class: "split"}, panel("Chargers, the least ready first", rows, [note, h("span", {class: "search"}, field, h("kbd", {"aria-hidden": "true"}, "/"))]), side);
  replace(root, h("div", {class: "head"}, h("h1", null, title), h("span", {class: "soft"}, "Would chargers notice if this CSMS answered them?")), heads, chargers);
  const cards = new Map();

  const live = poll(root, SECONDS, async () => {
    const [{upstreams, chargers: all, left_out}, opened] = await Promise.all([
      api.get("shadow", {upstream: state.upstream, limit: LIMIT}),
      state.open === null ? null : api.get(path("shadow", state.open)).catch((error) => { if (error.status === 404) return null; throw error; }),
    ]);
    Object.assign(state, {chargers: all, left: left_out, opened});
    const names = Object.keys(upstreams);
    chargers.hidden = !names.length;
    for (const [name, each] of cards) if (!(name in upstreams)) { each.node.remove(); cards.delete(name); }
    if (!names.length) {
      replace(heads, h("div", {class: "panel"}, empty("No upstream is a shadow", "Give a mirror `shadow: true`, and its answers are compared with those that count.")));
      return;
    }
    for (const name of names) {
      if (!cards.has(name)) {
        if (!cards.size) replace(heads);
        cards.set(name, card(name));
        heads.append(cards.get(name).node);
      }
      cards.get(name).show(upstreams[name]);
    }
    draw();
    drawSide();
  });

  let drawn = "";
  function draw() {
    const word = state.word.toLowerCase();
    const shown = state.chargers.filter((each) => each.charger.toLowerCase().includes(word));
    text(note, state.left ? `${count(shown.length)} shown, ${count(state.left)} more are readier` : `${count(shown.length)}`);
    const now = JSON.stringify(shown.map((each) => [each.charger, each.upstream, each.score, each.compared]));
    if (now !== drawn) {
      drawn = now;
      const focused = document.activeElement?.closest?.("tr")?.dataset.key;
      replace(rows, table(shown));
      if (focused) rows.querySelector(`tr[data-key="${CSS.escape(focused)}"]`)?.focus();
    }
    for (const row of rows.querySelectorAll("tbody tr")) {
      if (row.dataset.charger === state.open) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
    }
  }

  function table(shown) {
    if (!shown.length) return state.chargers.length ? empty("None fits") : empty("Nothing was compared yet", "Comparisons come with what chargers say.");
    const several = new Set(shown.map((each) => each.upstream)).size > 1;
    const body = h("tbody", null, shown.map((each, at) => h("tr", {tabindex: at ? -1 : 0, "data-key": `${each.upstream}/${each.charger}`, "data-charger": each.charger},
      h("td", {class: "nowrap"}, each.charger),
      several ? h("td", null, each.upstream) : null,
      h("td", {class: `num ${scoreClass(each.score)}`}, each.score === null ? h("span", {class: "faint nowrap"}, "too few") : h("strong", null, each.score)),
      h("td", {class: "num"}, count(each.compared)),
      h("td", {class: "num"}, share(each)),
      h("td", null, h("span", {class: "row"}, differences(each)))))) ;
    rowKeys(body, (row) => open(row.dataset.charger));
    return h("table", null, h("thead", null, h("tr", null,
      ["Charger", ...(several ? ["Shadow"] : [])].map((name) => h("th", {scope: "col"}, name)),
      ["Score", "Compared", "Agreed"].map((name) => h("th", {class: "num", scope: "col"}, name)), h("th", {scope: "col"}, "What differed"))), body);
  }

  function open(charger) {
    state.open = charger;
    state.opened = null;
    draw();
    drawSide();
    live.now();
  }

  function drawSide() {
    const key = JSON.stringify([state.open, state.opened]);
    if (side.dataset.key === key) return;
    side.dataset.key = key;
    const top = side.querySelector(".side-scroll")?.scrollTop ?? 0;
    if (state.open === null) replace(side, h("div", {class: "panel"}, empty("Choose a charger", "Enter shows what differed, and when.")));
    else if (state.opened === null) replace(side, h("div", {class: "panel"}, empty(state.open, "Nothing was compared, or it is being asked for.")));
    else replace(side, Object.entries(state.opened.upstreams).map(([name, each]) => detail(name, each)));
    if (side.querySelector(".side-scroll")) side.querySelector(".side-scroll").scrollTop = top;
  }

  function detail(name, each) {
    return panel(`${state.open} at ${name}`, [
      h("div", {class: "body verdict"}, ring(each.score, scoreClass(each.score), 76), facts([
        ["Compared", `${count(each.compared)}, ${share(each)} agreed`],
        ...Object.entries(each.classes).map(([kind, one]) => [CLASSES[kind] ?? kind, `${one.agreed_percent} % of the last ${count(one.counted)}`]),
        ["Since", moment(each.first_at)],
      ])),
      h("div", {class: "scroll side-scroll", tabindex: 0, role: "region", "aria-label": "Last differences"}, each.last_differences.length
        ? h("table", {class: "differences"}, h("thead", null, h("tr", null, ["When", "Message", "Answer that counts", "Shadow"].map((head) => h("th", {scope: "col"}, head)))),
          h("tbody", null, each.last_differences.map((one) => h("tr", null,
            h("td", {class: "soft nowrap", title: moment(one.at)}, ago(one.at)),
            h("td", null, h("strong", null, one.action), h("div", {class: "soft"}, KINDS[one.kind]?.[0] ?? one.kind)),
            h("td", null, badge(one.answer, "good")), h("td", null, badge(one.shadow, "bad"))))))
        : empty("No differences", "Every answer was the same.")),
    ], h("a", {class: "button", href: `#/charger/${encodeURIComponent(state.open)}`}, "Open charger"));
  }

  field.addEventListener("input", () => {
    state.word = field.value.trim();
    params.setQuery({q: state.word});
    draw();
  });
  return live.stop;
}

// One shadow over its whole fleet.
function card(name) {
  const place = h("div", {class: "dial"}), told = h("p"), numbers = h("dl", {class: "facts"}), kinds = h("ul", {class: "bars"});
  const history = spark(`Comparisons with ${name} over the last minutes`), pace = h("span", {class: "faint"});
  const node = h("section", {class: "panel shadow-head", "aria-label": `Shadow ${name}`, "data-name": name},
    h("div", {class: "body"}, place, h("div", {class: "told"}, h("h2", null, h("a", {href: `#/upstreams/${encodeURIComponent(name)}`}, name)), told, numbers), h("div", {class: "kinds"}, h("h3", null, "What differed"), kinds), h("div", {class: "agreement"}, h("h3", null, "Comparisons ", pace), history.node)));
  let before = null;
  return {
    node,
    show(each) {
      const key = JSON.stringify([each.score, each.lowest]);
      if (place.dataset.key !== key) { place.dataset.key = key; replace(place, ring(each.score, scoreClass(each.score), 116)); }
      text(told, verdict(each));
      replace(numbers, ...[
        ["Ready", `${count(each.ready)} of ${count(each.chargers)} chargers`],
        ["Lowest", each.lowest === null ? "–" : String(each.lowest)],
        ["Too few to say", count(each.not_enough_data)],
        ["Agreed", `${share(each)} of ${count(each.compared)}`],
      ].map(([label, value]) => [h("dt", null, label), h("dd", null, value)]));
      const most = Math.max(1, ...Object.values(each.differences));
      replace(kinds, Object.entries(each.differences).filter(([, n]) => n).sort(([, a], [, b]) => b - a).map(([kind, n]) => line(kind, n, most)));
      if (!kinds.children.length) replace(kinds, h("li", {class: "none soft"}, "nothing"));
      if (before !== null) history.add(Math.max(0, each.compared - before));
      text(pace, before === null ? "" : `${count(Math.max(0, each.compared - before))} in ${SECONDS} s`);
      before = each.compared;
    },
  };
}

function line(kind, n, most) {
  const [label, meaning] = KINDS[kind] ?? [kind, ""];
  return h("li", {title: meaning}, h("span", {class: "name"}, label),
    h("meter", {min: 0, max: most, value: n, "aria-label": `${label}: ${meaning}`}), h("span", {class: "num"}, count(n)));
}

const scoreClass = (score) => (score === null ? "none" : score >= READY ? "good" : score >= 90 ? "warn" : "bad");
const share = (each) => (each.compared ? `${(Math.floor((each.agreed / each.compared) * 1000) / 10).toFixed(1)} %` : "–");
const differences = (each) => Object.entries(each.differences).filter(([, n]) => n).map(([kind, n]) => badge([`${KINDS[kind]?.[0] ?? kind} `, h("b", null, count(n))], kind === "interval" || kind === "latency" ? "warn" : "bad"));

function verdict(each) {
  if (!each.chargers) return "Nothing was compared yet.";
  if (each.score === null) return "Too few comparisons to say.";
  if (each.ready === each.chargers) return "Every charger is ready to move.";
  if (each.ready) return `${count(each.ready)} of ${count(each.chargers)} chargers could move today.`;
  return "No charger is ready to move yet.";
}
