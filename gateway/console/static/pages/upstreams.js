import {path} from "../api.js";
import {h, replace, text} from "../dom.js";
import {ago, bytes, count, duration, moment} from "../format.js";
import {poll} from "../live.js";
import {age as aged, ageClass, spark, stacked} from "../measures.js";
import {badge, confirm, dialog, empty, panel, rowKeys, scrolling, stateBadge, toast, versionBadge} from "../parts.js";
import {payload} from "../payload.js";

export const title = "Upstreams";

const SECONDS = 2;
const SOCKETS = [["connected", "good"], ["connecting", "warn"], ["backoff", "bad"], ["idle", "soft"]];
const OLDEST = 50;
const RISK = 10; // seconds: what is billed is counted every five, so that what is younger may be on its way

export function render(root, api, params) {
  return params.rest.length ? one(root, api, params, params.rest[0]) : all(root, api, params);
}

// -- all of them --------------------------------------------------------------------------------------------------------

function all(root, api, params) {
  const list = h("div", {class: "stack"});
  const said = h("div");
  const summary = h("p", {class: "soft", role: "status"});
  replace(root, h("div", {class: "head"}, h("h1", null, "Upstreams"), summary), said, list);
  const cards = new Map();
  const live = poll(root, SECONDS, async () => {
    const {upstreams, silent} = await api.get("upstreams");
    replace(said, silent.length ? h("p", {class: "banner"}, `Not heard: ${silent.join(", ")}. Their sockets are missing here.`) : null);
    for (const [name, each] of cards) if (!upstreams.some((one) => one.name === name)) { each.node.remove(); cards.delete(name); }
    upstreams.forEach((each, at) => {
      let shown = cards.get(each.name);
      if (shown === undefined) {
        shown = card(api, params, live, each, true);
        cards.set(each.name, shown);
      }
      if (list.children[at] !== shown.node) list.insertBefore(shown.node, list.children[at] ?? null);
      shown.show(each);
    });
    if (!upstreams.length) replace(list, empty("No CSMS is configured", "See upstreams in docs/config.md."));
    text(summary, told(upstreams));
  });
  return live.stop;
}

const atRisk = (each) => each.billing > 0 && each.billing_seconds > RISK;

function told(upstreams) {
  const paused = upstreams.filter((each) => each.paused_at).map((each) => each.name);
  const down = upstreams.filter((each) => each.state === "down" && !each.paused_at).map((each) => each.name);
  const risk = upstreams.filter(atRisk).reduce((sum, each) => sum + each.billing, 0);
  return [
    down.length ? `${down.join(", ")} down` : "none down",
    paused.length ? `${paused.join(", ")} paused` : null,
    risk ? `${count(risk)} billing messages at risk` : "no billing at risk",
  ].filter(Boolean).join(" · ");
}

// One CSMS as a box that is brought up to date in place, so that nothing jumps under a hand.
function card(api, params, live, first, linked) {
  const name = first.name;
  const badges = h("span", {class: "row"}), url = h("code", {class: "soft url"});
  const history = spark(`Age of the oldest undelivered message for ${name} over the last minutes`, 5);
  const age = figure("Oldest undelivered"), waits = figure("Waiting"), billing = figure("Billing at risk"), letters = figure("Dead letters");
  const sockets = h("div", {class: "figure wide"}, h("span", {class: "label"}, "Sockets"));
  const drawn = h("div", {class: "drawn"});
  sockets.append(drawn);
  const trouble = h("ul", {class: "reasons"});
  const buttons = h("span", {class: "row"});
  const chargers = h("a", {class: "button", href: `#/chargers?upstream=${encodeURIComponent(name)}`}, "Chargers");
  const heading = linked ? h("a", {href: `#/upstreams/${encodeURIComponent(name)}`}, name) : name;
  const node = h("section", {class: "panel upstream", "aria-label": name, "data-name": name},
    h("header", null, h("h2", null, heading), badges, url, h("span", {class: "grow"}), first.orphan ? null : chargers, buttons),
    h("div", {class: "figures"}, h("div", {class: "figure age"}, age.node, history.node), waits.node, billing.node, letters.node, sockets),
    trouble);
  let now = null;
  const act = acts(api, params, live, () => now);
  return {
    node,
    show(each) {
      const changed = now === null || now.paused_at !== each.paused_at || now.orphan !== each.orphan;
      now = each;
      replace(badges, stateBadge(each), versionBadge(each.version), each.shadow ? badge("shadow") : null,
        each.primary_of ? badge(`primary of ${each.primary_of}`) : null, each.mirror_of ? badge(`mirror of ${each.mirror_of}`) : null);
      text(url, each.url);
      if (changed) replace(buttons, act.map((make) => make(each)));
      history.add(each.oldest_seconds);
      age.show(aged(each.oldest_seconds), each.paused_at ? `paused ${ago(each.paused_at)}` : "", ageClass(each.oldest_seconds));
      const parked = each.parked_chargers ? `${bytes(each.parked_bytes)} parked of ${count(each.parked_chargers)} ${each.parked_chargers === 1 ? "charger" : "chargers"}` : "nothing parked";
      waits.show(count(Math.max(each.held, each.pending)), parked);
      billing.show(count(each.billing), !each.billing ? "all delivered" : atRisk(each) ? `oldest ${duration(each.billing_seconds)}` : "on its way", !atRisk(each) ? "" : each.billing_seconds > 60 ? "bad" : "warn");
      letters.show(each.dead_letters ? h("a", {href: `#/letters?upstream=${encodeURIComponent(name)}`}, count(each.dead_letters)) : "0",
        each.dead_letters ? "wait for a person" : "none", each.dead_letters ? "warn" : "");
      replace(drawn, stacked(SOCKETS.map(([state, kind]) => ({name: state, value: each.sessions[state] ?? 0, class: kind})), each.orphan ? "not configured" : "no charger needs one now"));
      trouble.hidden = !each.errors.length || each.paused_at !== null;
      replace(trouble, each.errors.map((one) => h("li", null, h("span", {class: "num"}, `${count(one.sessions)} ×`), " ", one.reason)));
    },
  };
}

function figure(label) {
  const value = h("span", {class: "value"}), under = h("span", {class: "under"});
  const node = h("div", {class: "figure"}, h("span", {class: "label"}, label), value, under);
  return {
    node,
    show(said, below, kind = "") {
      if (said instanceof Node) { if (value.textContent !== said.textContent) replace(value, said); } else text(value, said);
      text(under, below);
      value.className = `value ${kind}`;
    },
  };
}

// -- what can be done ---------------------------------------------------------------------------------------------------

// Makers of buttons. Each asks first; one whose scope is missing says which is needed.
function acts(api, params, live, now) {
  const button = (label, scope, hint, act) => {
    const may = api.may(scope);
    return h("button", {type: "button", disabled: !may, title: may ? hint : `needs a token with the scope ${scope}`, onclick: act}, label);
  };
  const done = (said) => { toast(said); live.now(); };
  return [
    (each) => (each.orphan ? null : each.paused_at
      ? button("Resume", "operate", "Dial again, and tell it what has waited", () => resume(api, now(), done))
      : button("Pause", "operate", "Close its sockets and keep what is for it", () => pause(api, now(), done))),
    (each) => (each.orphan ? null : button("Reconnect", "operate", "Close its sockets and dial again", () => reconnect(api, now(), done))),
    (each) => (each.orphan ? null : button("Test", "operate", "Dial it from every hub", () => trial(api, now()))),
    (each) => (each.orphan ? button("Remove", "admin", "Delete what the store keeps for it", () => remove(api, params, now(), done)) : null),
  ];
}

async function pause(api, each, done) {
  const open = each.sessions.connected;
  const said = await confirm(`Pause ${each.name}?`, {
    say: `${open ? `${count(open)} sockets are closed. ` : ""}What chargers say is kept for it and told after a resume. ` +
      (each.primary_of ? `It is the primary of ${each.primary_of} routes: their chargers are treated as if it were down.` : "Chargers do not notice."),
    action: "Pause", danger: each.primary_of > 0, act: () => api.post(path("upstreams", each.name, "pause")),
  });
  if (said) done(`${each.name} is paused`);
}

async function resume(api, each, done) {
  const said = await confirm(`Resume ${each.name}?`, {
    say: `It is dialled again and told what has waited${each.held ? `: ${count(each.held)} messages, the oldest ${duration(each.oldest_seconds)} old` : ""}.`,
    action: "Resume", act: () => api.post(path("upstreams", each.name, "resume")),
  });
  if (said) done(`${each.name} is dialled again`);
}

async function reconnect(api, each, done) {
  const all = Object.values(each.sessions).reduce((sum, n) => sum + n, 0);
  const said = await confirm(`Reconnect ${each.name}?`, {
    say: `${count(all)} sockets are closed and dialled again, not all in the same moment. No message is lost.`,
    action: "Reconnect", act: () => api.post(path("upstreams", each.name, "reconnect")),
  });
  if (said) done(`${each.name}: ${count(said.sockets)} sockets dialled again`);
}

async function trial(api, each) {
  const field = h("input", {value: "ocppgw-test", maxlength: 48, required: true});
  const said = await confirm(`Test ${each.name}?`, {
    say: "Every hub dials it once: DNS, TCP, TLS, credentials, subprotocol.",
    fields: [h("label", {class: "field"}, h("span", null, "As this charger; not one that is connected: many CSMSs would end that connection"), field)],
    action: "Dial", act: () => api.post(path("upstreams", each.name, "test"), {charger: field.value}),
  });
  if (!said) return;
  await dialog(`${each.name}: ${said.ok ? "it works" : "it does not work"}`, (close) => ({
    body: said.results.length
      ? h("table", {class: "trial"}, h("tbody", null, said.results.map((one) => h("tr", null,
        h("td", null, badge(one.ok ? "ok" : "fail", one.ok ? "good" : "bad")), h("td", {class: "mono"}, one.process),
        h("td", null, h("strong", null, one.kind), h("div", {class: "soft"}, one.detail)), h("td", {class: "num"}, `${count(one.ms)} ms`)))))
      : h("p", {class: "banner bad"}, "No hub answers."),
    buttons: h("button", {type: "button", "data-first": true, onclick: () => close()}, "Close"),
  }), {kind: "wide"});
}

async function remove(api, params, each, done) {
  const letters = h("input", {type: "checkbox"});
  const said = await confirm(`Remove ${each.name}?`, {
    say: "It is in no configuration. What the store keeps for it is deleted for good.", danger: true, typed: each.name, action: "Remove",
    fields: each.dead_letters ? [h("label", null, letters, `its ${count(each.dead_letters)} dead letters, too`)] : [],
    act: () => api.delete(path("upstreams", each.name), {dead_letters: letters.checked ? "true" : ""}),
  });
  if (!said) return;
  done(`${each.name} is removed`);
  params.go("#/upstreams");
}

// -- one of them --------------------------------------------------------------------------------------------------------

function one(root, api, params, name) {
  params.title(name);
  const place = h("div"), rows = scrolling("Oldest undelivered"), more = h("span", {class: "faint"});
  const filter = h("input", {type: "search", placeholder: "Only of this charger", "aria-label": "Only of this charger", "data-search": true, value: params.query.charger ?? ""});
  replace(root,
    h("div", {class: "head"}, h("h1", null, h("a", {href: "#/upstreams"}, "Upstreams"), " / ", name)),
    h("div", {class: "stack"}, place,
      panel("Oldest undelivered", rows, [more, h("span", {class: "search"}, filter, h("kbd", {"aria-hidden": "true"}, "/"))])));
  let shown = null, drawn = "";
  const live = poll(root, SECONDS, async () => {
    const [each, queue] = await Promise.all([
      api.get(path("upstreams", name)),
      api.get(path("journal", name, "waiting"), {count: OLDEST, charger: filter.value.trim()}).catch((error) => {
        if (error.status === 404) return {waiting: [], next: ""};
        throw error;
      }),
    ]);
    if (shown === null) {
      shown = card(api, params, live, each, false);
      replace(place, shown.node);
    }
    shown.show(each);
    const key = JSON.stringify([queue.waiting.map((one) => [one.id, one.read, one.parked]), filter.value]);
    if (key !== drawn) {
      drawn = key;
      const at = [...rows.querySelectorAll("tbody tr")].indexOf(document.activeElement);
      replace(rows, waitingTable(queue.waiting));
      if (at >= 0) rows.querySelectorAll("tbody tr")[at]?.focus();
    } else {
      rows.querySelectorAll("[data-at]").forEach((node) => text(node, ago(node.dataset.at).replace(/ ago$/, "")));
    }
    text(more, queue.next ? `the first ${count(queue.waiting.length)}` : `${count(queue.waiting.length)}`);
  });
  filter.addEventListener("input", () => { params.setQuery({charger: filter.value.trim()}); live.now(); });
  return live.stop;
}

function waitingTable(waiting) {
  if (!waiting.length) return empty("Nothing waits", "It has everything that was said.");
  const body = h("tbody", null, waiting.map((each, at) => h("tr", {tabindex: at ? -1 : 0, "data-id": each.id},
    h("td", {class: `num ${ageClass(each.seconds)}`, "data-at": each.received_at, title: moment(each.received_at)}, duration(each.seconds)),
    h("td", null, h("a", {href: `#/charger/${encodeURIComponent(each.charger)}`}, each.charger)),
    h("td", null, h("strong", null, each.action)), h("td", null, versionBadge(each.version)),
    h("td", null, each.parked ? badge("parked", "warn") : each.read ? badge("with a hub") : badge("in the stream")),
    h("td", {class: "mono soft reason"}, JSON.stringify(each.payload)))));
  rowKeys(body, (row) => {
    const each = waiting.find((one) => one.id === row.dataset.id);
    dialog(`${each.action} of ${each.charger}`, (close) => ({
      body: [h("p", {class: "soft"}, `Received ${moment(each.received_at)}, journal entry ${each.id} of partition ${each.partition}. Secrets and tokens are hidden.`), payload(each.payload)],
      buttons: h("button", {type: "button", "data-first": true, onclick: () => close()}, "Close"),
    }), {kind: "wide"}).then(() => row.focus());
  });
  return h("table", null,
    h("thead", null, h("tr", null, h("th", {class: "num", scope: "col"}, "Age"), ["Charger", "Message", "Version", "State", "Payload"].map((name) => h("th", {scope: "col"}, name)))), body);
}
