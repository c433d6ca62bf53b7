import {actions} from "../acting.js";
import {path} from "../api.js";
import {h, replace} from "../dom.js";
import {ago, bytes, count, moment} from "../format.js";
import {poll} from "../live.js";
import {badge, empty, facts, panel, scrolling, versionBadge} from "../parts.js";
import {timeline} from "../timeline.js";

export const title = "Charger";

const BAD = new Set(["Faulted", "Unavailable"]);
const BUSY = new Set(["Charging", "Occupied", "Preparing", "Finishing", "SuspendedEV", "SuspendedEVSE"]);

export function render(root, api, {rest, title: titled}) {
  const charger = rest[0] ?? "";
  titled(charger);
  let now = null;
  let processes = [];

  const state = h("span", {class: "row"});
  const what = h("span", {class: "soft"});
  const identity = h("div", {class: "body"});
  const csms = scrolling("At its CSMSs");
  const transactions = scrolling("Transactions");
  const frames = timeline(api, path("chargers", charger, "frames"));
  const acts = actions(api, charger, () => now, () => live.now());
  replace(root,
    h("div", {class: "head"},
      h("a", {class: "back", href: "#/chargers", "aria-label": "To the chargers"}, "Chargers"), h("span", {class: "faint", "aria-hidden": "true"}, "/"),
      h("h1", {class: "mono"}, charger), state, what, h("span", {class: "grow"}), acts.node),
    h("div", {class: "stack"},
      h("div", {class: "charger-top"}, panel("Connection", identity), h("div", {class: "stack"}, panel("At its CSMSs", csms), panel("Transactions", transactions))),
      frames.node));

  const live = poll(root, 3, async () => {
    const [found, all] = await Promise.all([api.get(path("chargers", charger)), api.get("processes").catch(() => ({processes}))]);
    now = found;
    processes = all.processes;
    titled(now.id);
    const blocked = now.registration?.blocked;
    replace(state, badge([h("span", {class: `dot ${now.connected ? "good" : ""}`}), now.connected ? "connected" : "absent"], now.connected ? "good" : ""),
      blocked && badge("blocked", "bad"), versionBadge(now.version));
    replace(what, [now.vendor, now.model, now.firmware].filter(Boolean).join(" · "));
    replace(identity, about(now, processes));
    replace(csms, atCsms(now));
    replace(transactions, running(now));
    acts.show(now);
    frames.columns(now.version, columns(now));
  });
  return () => { live.stop(); frames.stop(); };
}

// The primary first.
function columns(now) {
  const known = Object.entries(now.upstreams).map(([name, each]) => ({name, version: each.version, role: each.role, connected: each.state === "connected", idle: each.state === "idle"}));
  return known.sort((one, other) => (other.role === "primary") - (one.role === "primary"));
}

function about(now, processes) {
  const home = processes.find((each) => each.edge === now.edge);
  const {open, source, waiting} = now.command;
  const {registration} = now;
  return [
    facts([
      ["Connected", now.connected && now.opened_at ? h("span", {title: moment(now.opened_at)}, ago(now.opened_at)) : null],
      ["Absent", !now.connected && now.absent_since ? `${ago(now.absent_since)}, since ${moment(now.absent_since)}` : null],
      ["Home", now.connected ? h("span", {class: "mono"}, home ? home.name : now.edge) : null],
      ["Session at", now.hub ? h("span", {class: "mono"}, now.hub) : "no hub: nothing happens to it"],
      ["Epoch", now.connected ? h("span", {class: "mono"}, now.epoch) : null],
      ["Command", open ? `${source || "an operator"} waits for an answer${waiting ? `, ${count(waiting)} behind` : ""}` : waiting ? `${count(waiting)} wait` : now.hub ? "none under way" : null],
      ["Security profile", now.security_profile ? `${now.security_profile}, the highest so far` : null],
      ["Registered", registration === null ? "no" : [registration.group && `group ${registration.group}`, registration.route && `route ${registration.route}`, registration.serial && `serial ${registration.serial}`, registration.quirks && `quirks ${registration.quirks}`, registration.strict && "strict"].filter(Boolean).join(", ") || "yes"],
      ["Not heard", now.silent.length ? h("span", {class: "bad"}, now.silent.join(", ")) : null],
    ]),
    h("h3", {class: "sub"}, "Connectors"),
    connectors(now.connectors),
  ];
}

function connectors(known) {
  const all = Object.entries(known);
  if (!all.length) return h("p", {class: "faint"}, "It has said nothing of them yet.");
  return h("ul", {class: "connectors"}, all.map(([place, {status, error}]) => h("li", null,
    h("span", {class: "faint"}, place === "0" ? "station" : place),
    badge(status || "?", BAD.has(status) ? "bad" : BUSY.has(status) ? "good" : ""),
    error && error !== "NoError" ? h("span", {class: "bad"}, error) : null)));
}

function atCsms(now) {
  const all = columns(now);
  if (!all.length) return empty("No hub has its session", now.primary ? `Its route: ${[now.primary, ...now.mirrors].join(", ")}.` : "No route fits it.");
  return h("table", null,
    h("thead", null, h("tr", null, ["CSMS", "Socket", "Being told"].map((name) => h("th", {scope: "col"}, name)),
      ["Waiting", "Parked"].map((name) => h("th", {class: "num", scope: "col"}, name)), h("th", {scope: "col"}, "Trouble"))),
    h("tbody", null, all.map(({name}) => {
      const each = now.upstreams[name];
      const told = each.told[0];
      return h("tr", null,
        h("td", {class: "nowrap"}, h("strong", null, name), " ", versionBadge(each.version), " ", h("span", {class: "faint"}, each.role, each.may_command ? "" : ", hears only"), each.leaving ? [" ", badge("leaving", "warn")] : null),
        h("td", {class: "nowrap"}, socket(each)),
        h("td", {class: "nowrap"}, told ? [told.action, " ", h("span", {class: told.failures ? "warn" : "faint"}, told.failures ? `${count(told.failures)} failed` : ago(told.received_at))] : h("span", {class: "faint"}, "nothing")),
        h("td", {class: `num ${each.backlog ? "warn" : ""}`}, count(each.backlog)),
        h("td", {class: `num ${each.parked_bytes ? "warn" : ""}`}, each.parked_bytes ? bytes(each.parked_bytes) : "–"),
        h("td", {class: "reason soft", title: each.last_error}, each.refuses ? h("span", {class: "bad"}, "refuses the charger until it boots") : each.state === "connected" ? "" : each.last_error));
    })));
}

function socket(each) {
  if (each.state === "connected") return badge([h("span", {class: "dot good"}), "open"], "good");
  const since = each.down_since ? `, ${ago(each.down_since).replace(" ago", "")}` : "";
  return badge([h("span", {class: `dot ${each.state === "idle" ? "" : "bad"}`}), each.state + since], each.state === "idle" ? "" : "bad");
}

// The same transaction by all its names.
function running(now) {
  if (!now.transactions.length) return empty("No transaction is running");
  const all = columns(now);
  return h("table", {class: "ids"},
    h("thead", null, h("tr", null, h("th", {scope: "col"}, "Charger's id"), all.map(({name, version}) => h("th", {scope: "col"}, name, " ", versionBadge(version))), h("th", {scope: "col"}, "Id by"))),
    h("tbody", null, now.transactions.map((each) => h("tr", null,
      h("td", {class: "mono", title: each.id}, each.id),
      all.map(({name}) => idAt(now.upstreams[name].transactions, each.id)),
      h("td", null, each.minted ? "the gateway" : each.by || "the charger")))));
}

function idAt(known, id) {
  if (known === null) return h("td", {class: "mono soft", title: `${id}: the charger's own id passes as it is`}, id);
  const found = known.find((each) => String(each.charger) === String(id));
  if (found === undefined) return h("td", {class: "faint"}, "not told yet");
  if (found.upstream === null) return h("td", null, badge("no answer yet", "warn"));
  return h("td", {class: "mono", title: found.upstream}, String(found.upstream), found.state === "starting" ? [" ", badge("starting", "warn")] : null);
}
