import {path} from "../api.js";
import {h, replace, text} from "../dom.js";
import {ago, count, moment} from "../format.js";
import {poll} from "../live.js";
import {badge, confirm, empty, facts, panel, rowKeys, toast, versionBadge} from "../parts.js";
import {payload} from "../payload.js";

export const title = "Dead letters";

const SECONDS = 3;
const PAGE = 100;

const WHY = {
  silence: "it did not answer in time",
  "hang-up": "its connection ended before an answer",
  version: "the versions cannot be translated",
  untranslatable: "the gateway cannot translate it",
};
const reason = (why) => WHY[why] ?? (why ? `it answered ${why}` : "nobody knows why");

// A dead letter is what a CSMS was told in vain until it was put aside. A person decides: tell it again, or delete it.
export function render(root, api, params) {
  const state = {upstream: params.query.upstream ?? "", word: params.query.q ?? "", letters: [], next: {}, pages: 1, chosen: new Set(), open: null, counts: {}};
  const tabs = h("div", {class: "tabs", role: "group", "aria-label": "Upstream"});
  const field = h("input", {type: "search", placeholder: "Charger, message or reason", "aria-label": "Filter", "data-search": true, value: state.word});
  const hands = h("div", {class: "row hands"}), rows = h("div", {class: "scroll rows"}), side = h("aside", {class: "side", "aria-label": "The dead letter"});
  const more = h("button", {type: "button", hidden: true, onclick: () => { state.pages += 1; live.now(); }}, "More");
  replace(root,
    h("div", {class: "head"}, h("h1", null, title), h("span", {class: "soft"}, "What a CSMS was told in vain. Told again, or deleted: by you.")),
    tabs,
    h("div", {class: "split"},
      panel("Oldest first", [hands, rows, h("div", {class: "more"}, more)], h("span", {class: "search"}, field, h("kbd", {"aria-hidden": "true"}, "/"))),
      side));

  const live = poll(root, SECONDS, async () => {
    const {counts} = await api.get("dead-letters");
    state.counts = counts;
    if (state.upstream && !(state.upstream in counts)) state.upstream = "";
    const names = Object.keys(counts).filter((name) => counts[name] && (state.upstream === "" || name === state.upstream));
    const found = await Promise.all(names.map((name) => some(api, name, state.pages)));
    state.letters = found.flatMap((each) => each.letters).sort((a, b) => (a.put_aside_at < b.put_aside_at ? -1 : a.put_aside_at > b.put_aside_at ? 1 : 0));
    more.hidden = !found.some((each) => each.more);
    const there = new Set(state.letters.map(key));
    for (const each of state.chosen) if (!there.has(each)) state.chosen.delete(each);
    draw();
  });

  let drawn = "";
  function draw() {
    drawTabs();
    const shown = visible();
    drawHands(shown);
    const now = JSON.stringify([state.upstream, shown.map(key), [...state.chosen]]);
    if (now !== drawn) {
      drawn = now;
      const focused = document.activeElement?.closest?.("tr")?.dataset.key, inside = document.activeElement?.tagName === "INPUT" && rows.contains(document.activeElement);
      replace(rows, table(shown));
      const again = focused && rows.querySelector(`tr[data-key="${CSS.escape(focused)}"]`);
      if (again) (inside ? again.querySelector("input") : again).focus();
    } else {
      rows.querySelectorAll("[data-at]").forEach((node) => text(node, ago(node.dataset.at)));
    }
    mark();
  }

  const visible = () => {
    const word = state.word.toLowerCase();
    return state.letters.filter((each) => !word || [each.charger, each.action, each.why, each.upstream].some((said) => said.toLowerCase().includes(word)));
  };

  function drawTabs() {
    const all = Object.values(state.counts).reduce((sum, n) => sum + n, 0);
    const key = JSON.stringify([state.counts, state.upstream]);
    if (tabs.dataset.key === key) return;
    tabs.dataset.key = key;
    const focused = tabs.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const tab = (name, label, n) => h("button", {type: "button", "aria-pressed": String(state.upstream === name), "data-name": name, onclick: () => choose(name)}, label, " ", badge(count(n), n ? "warn" : ""));
    replace(tabs, tab("", "All", all), Object.entries(state.counts).map(([name, n]) => tab(name, name, n)));
    if (focused !== null) tabs.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  }

  function choose(name) {
    state.upstream = name;
    state.pages = 1;
    state.chosen.clear();
    params.setQuery({upstream: name});
    live.now();
  }

  function drawHands(shown) {
    const chosen = shown.filter((each) => state.chosen.has(key(each)));
    const whole = state.upstream && !state.word && !more.hidden ? state.counts[state.upstream] : 0;
    const now = JSON.stringify([chosen.length, shown.length, state.upstream, whole]);
    if (hands.dataset.key === now) return;
    hands.dataset.key = now;
    const focused = hands.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    const button = (act, label, scope, all, run) => h("button", {
      type: "button", "data-act": act, disabled: !api.may(scope) || !all.length, onclick: run, title: api.may(scope) ? "" : `needs a token with the scope ${scope}`,
    }, label);
    const box = h("input", {type: "checkbox", checked: chosen.length > 0 && chosen.length === shown.length, disabled: !shown.length, "data-act": "all", onchange: () => {
      state.chosen = new Set(box.checked ? shown.map(key) : []);
      draw();
    }});
    box.indeterminate = chosen.length > 0 && chosen.length < shown.length;
    replace(hands,
      h("label", null, box, chosen.length ? `${count(chosen.length)} of ${count(shown.length)} chosen` : `${count(shown.length)} shown`),
      h("span", {class: "grow"}),
      whole ? button("whole", `Requeue all ${count(whole)}`, "operate", shown, () => requeueAll(state.upstream, whole)) : null,
      button("requeue", "Requeue", "operate", chosen, () => requeue(chosen)),
      button("discard", "Discard", "admin", chosen, () => discard(chosen)));
    if (focused !== null) hands.querySelector(`[data-act="${focused}"]`)?.focus();
  }

  function table(shown) {
    if (!shown.length) {
      return state.letters.length ? empty("None fits", "The filter leaves nothing.")
        : empty("No dead letters", "Every CSMS has taken what it was told, or still has time to.");
    }
    const body = h("tbody", null, shown.map((each, at) => h("tr", {tabindex: at ? -1 : 0, "data-key": key(each)},
      h("td", null, h("input", {type: "checkbox", checked: state.chosen.has(key(each)), "aria-label": `Choose ${each.action} of ${each.charger}`, onchange: () => pick(each)})),
      h("td", {class: "soft nowrap", "data-at": each.put_aside_at, title: moment(each.put_aside_at)}, ago(each.put_aside_at)),
      state.upstream ? null : h("td", null, each.upstream),
      h("td", {class: "nowrap"}, each.charger),
      h("td", null, versionBadge(each.version)),
      h("td", null, h("strong", null, each.action)),
      h("td", {title: reason(each.why)}, badge(each.why || "unknown", "bad")),
      h("td", {class: "num"}, count(each.attempts)))));
    rowKeys(body, (row) => open(row.dataset.key));
    body.addEventListener("keydown", (event) => {
      if (event.key !== "x" || event.target.tagName !== "TR") return;
      pick(shown.find((each) => key(each) === event.target.dataset.key));
    });
    return h("table", null,
      h("thead", null, h("tr", null, h("th", {scope: "col"}, h("span", {class: "hidden"}, "Chosen")), ["Put aside", ...(state.upstream ? [] : ["Upstream"]), "Charger", "Version", "Message", "Why"].map((name) => h("th", {scope: "col"}, name)), h("th", {class: "num", scope: "col"}, "Tried"))),
      body);
  }

  function pick(each) {
    if (!state.chosen.delete(key(each))) state.chosen.add(key(each));
    draw();
  }

  function mark() {
    for (const row of rows.querySelectorAll("tbody tr")) {
      if (row.dataset.key === state.open) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
    }
    const there = state.letters.find((each) => key(each) === state.open);
    if (there === undefined && state.open !== null) state.open = null;
    if (side.dataset.key === String(state.open)) return;
    side.dataset.key = String(state.open);
    replace(side, there === undefined
      ? h("div", {class: "panel"}, empty("Choose a dead letter", "Enter shows what the charger said, x chooses it."))
      : preview(there));
  }

  function preview(each) {
    const hand = (label, scope, kind, run) => h("button", {type: "button", class: kind, disabled: !api.may(scope), onclick: run, title: api.may(scope) ? "" : `needs a token with the scope ${scope}`}, label);
    return panel(`${each.action} of ${each.charger}`, [
      h("div", {class: "body"}, facts([
        ["For", h("a", {href: `#/upstreams/${encodeURIComponent(each.upstream)}`}, each.upstream)],
        ["Charger", h("a", {href: `#/charger/${encodeURIComponent(each.charger)}`}, each.charger)],
        ["Why", `${each.attempts > 1 ? `told ${count(each.attempts)} times` : "told once"}: ${reason(each.why)}`],
        ["Received", moment(each.received_at)],
        ["Put aside", moment(each.put_aside_at)],
        ["Journal entry", h("code", null, each.entry)],
        ["Trace", each.trace && h("code", null, each.trace)],
      ])),
      h("div", {class: "body"}, h("h3", null, `What the charger said, in ${each.version.replace("ocpp", "OCPP ")}`), h("p", {class: "faint"}, "Secrets and tokens are hidden."), payload(each.payload)),
    ], [hand("Requeue", "operate", "primary", () => requeue([each])), hand("Discard", "admin", "", () => discard([each]))]);
  }

  function open(name) {
    state.open = name;
    mark();
  }

  async function requeue(chosen) {
    const said = await confirm(`Requeue ${many(chosen)}?`, {
      say: `${names(chosen)} told again, in the order in which the charger said it. What a CSMS refuses again comes back here.`,
      action: "Requeue", act: () => each(chosen, (name, ids) => api.post(path("dead-letters", name, "requeue"), {ids})),
    });
    if (said) after(said, "queued again");
  }

  // Also those that are not shown yet.
  async function requeueAll(name, n) {
    const said = await confirm(`Requeue all ${count(n)} of ${name}?`, {
      say: `${name} is told all of them again, in the order in which chargers said them. What it refuses again comes back here.`,
      action: "Requeue all", act: async () => [await api.post(path("dead-letters", name, "requeue"), {all: true})],
    });
    if (said) after(said, "queued again");
  }

  async function discard(chosen) {
    const said = await confirm(`Discard ${many(chosen)}?`, {
      say: `Deleted for good: nobody will tell ${names(chosen).replace(/ is$| are$/, "")} any more. What belongs to a transaction may be missing on a bill.`,
      action: "Discard", danger: true, typed: "discard", act: () => each(chosen, (name, ids) => api.post(path("dead-letters", name, "discard"), {ids})),
    });
    if (said) after(said, "deleted");
  }

  function after(said, what) {
    const n = said.reduce((sum, one) => sum + one.count, 0);
    toast(`${count(n)} ${n === 1 ? "dead letter" : "dead letters"} ${what}`);
    state.chosen.clear();
    live.now();
  }

  field.addEventListener("input", () => {
    state.word = field.value.trim();
    params.setQuery({q: state.word});
    draw();
  });
  return live.stop;
}

const key = (each) => `${each.upstream}/${each.id}`;
const many = (chosen) => (chosen.length === 1 ? `${chosen[0].action} of ${chosen[0].charger}` : `${count(chosen.length)} dead letters`);
const names = (chosen) => {
  const all = [...new Set(chosen.map((each) => each.upstream))].join(", ");
  return `${all} ${all.includes(",") ? "are" : "is"}`;
};

// One call for each upstream.
function each(chosen, call) {
  const by = new Map();
  for (const one of chosen) by.set(one.upstream, [...(by.get(one.upstream) ?? []), one.id]);
  return Promise.all([...by].map(([name, ids]) => call(name, ids)));
}

async function some(api, name, pages) {
  const letters = [];
  let cursor = "";
  for (let page = 0; page < pages; page += 1) {
    const found = await api.get(path("dead-letters", name), {count: PAGE, cursor});
    letters.push(...found.dead_letters);
    cursor = found.next;
    if (!cursor) break;
  }
  return {letters, more: Boolean(cursor)};
}
