import {bars, lines} from "../chart.js";
import {h, replace, text} from "../dom.js";
import {count, duration, rate, version, versionClass} from "../format.js";
import {poll} from "../live.js";
import {badge, empty, panel, rowKeys, scrolling, stateBadge, versionBadge} from "../parts.js";

export const title = "Fleet";

const SECONDS = 2;
const KEPT = 150; // figures of five minutes
const STATUS = {Faulted: "bad", Charging: "good", Available: "", Unavailable: "warn"};

export function render(root, api, params) {
  const stats = {
    connected: stat("Chargers connected"),
    transactions: stat("Transactions running"),
    messages: stat("Messages"),
    risk: stat("Billing messages at risk"),
    lost: stat("Lost in translation"),
    letters: stat("Dead letters"),
  };
  const chart = lines("Messages a second over the last five minutes");
  const versions = h("div", {class: "body"});
  const connectors = h("div", {class: "body"});
  const losses = scrolling("Losses");
  const upstreams = scrolling("CSMSs");
  const processes = scrolling("Processes");
  replace(root,
    h("div", {class: "head"}, h("h1", null, "Fleet")),
    h("dl", {class: "stats"}, Object.values(stats).map((each) => each.node)),
    h("div", {class: "stack"},
      panel("CSMSs", upstreams),
      h("div", {class: "columns"},
        panel("Messages a second", h("div", {class: "body"}, chart.node), legend()),
        panel("Connected by version", versions),
        panel("Connectors", connectors)),
      panel("What translations lose most", losses, h("span", {class: "faint"}, "since the processes began")),
      panel("Processes", processes)),
  );

  let before = null;
  const seen = {charger: [], csms: []};

  const figures = poll(root, SECONDS, async () => {
    const fleet = await api.get("fleet");
    const now = Date.parse(fleet.at);
    const since = before === null || now <= before.at ? null : {seconds: (now - before.at) / 1000, fleet: before.fleet};
    showFigures(stats, fleet, since);
    if (since !== null) {
      for (const side of ["charger", "csms"]) {
        seen[side].push(perSecond(since, fleet, (each) => (each.messages[`${side} in`] ?? 0) + (each.messages[`${side} out`] ?? 0)));
        if (seen[side].length > KEPT) seen[side].shift();
      }
      chart.draw([{class: "of-csms", values: seen.csms}, {class: "of-charger", values: seen.charger}], Math.min(KEPT, Math.max(30, seen.csms.length)));
    }
    replace(versions, byVersion(fleet.connected));
    replace(connectors, byStatus(fleet.connectors));
    replace(losses, lossTable(fleet.losses));
    before = {at: now, fleet};
  });
  const rest = poll(root, 5, async () => {
    const [csms, all] = await Promise.all([api.get("upstreams"), api.get("processes")]);
    showHeld(stats, csms.upstreams);
    const at = upstreams.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    replace(upstreams, upstreamTable(csms, params));
    if (at !== null) upstreams.querySelector(`[data-name="${CSS.escape(at)}"]`)?.focus();
    replace(processes, processTable(all));
  });
  return () => { figures.stop(); rest.stop(); };
}

function stat(name) {
  const value = h("dd"), under = h("dd", {class: "under"});
  const node = h("div", {class: "stat"}, h("dt", null, name), value, under);
  return {
    node,
    show(figure, unit, below, kind = "") {
      text(value, figure);
      if (unit) value.append(h("small", null, unit));
      text(under, below);
      node.className = `stat ${kind}`;
    },
  };
}

const sum = (figures) => Object.values(figures).reduce((all, each) => all + each, 0);

// Of a figure that grows; null when it went back, as a process began anew.
function perSecond(since, fleet, figure) {
  const grown = figure(fleet) - figure(since.fleet);
  return grown < 0 ? null : grown / since.seconds;
}

function showFigures(stats, fleet, since) {
  const per = (figure) => (since === null ? null : perSecond(since, fleet, figure));
  const silent = fleet.silent.length;
  const connected = sum(fleet.connected);
  stats.connected.show(count(connected), "", silent ? `without ${fleet.silent.join(", ")}` : kinds(fleet.connected), silent ? "warn" : "");
  stats.transactions.show(count(sum(fleet.transactions)), "", kinds(fleet.transactions));
  const failed = per((each) => sum(each.calls) - (each.calls.ok ?? 0) - (each.calls.call_error ?? 0));
  stats.messages.show(rate(per((each) => sum(each.messages))), "/s", failed ? `${rate(failed)}/s without an answer` : "both sides, in and out", failed ? "warn" : "");
  const dropped = sum(fleet.dropped);
  stats.lost.show(rate(per((each) => each.lost_fields)), "fields/s", dropped ? `${count(dropped)} messages dropped` : `${count(fleet.lost_fields)} in all`, dropped ? "bad" : "");
}

// What the store and the hubs still hold for the CSMSs: the same figures as on their own page.
function showHeld(stats, upstreams) {
  const risk = upstreams.filter((each) => each.billing);
  const oldest = Math.max(0, ...risk.map((each) => each.billing_seconds));
  stats.risk.show(count(risk.reduce((all, each) => all + each.billing, 0)), "",
    risk.length ? `${risk.map((each) => each.name).join(", ")}; ${duration(oldest)} old` : "every CSMS has all that is billed",
    oldest > 60 ? "bad" : risk.length ? "warn" : "");
  const letters = upstreams.filter((each) => each.dead_letters);
  stats.letters.show(count(letters.reduce((all, each) => all + each.dead_letters, 0)), "", letters.length ? `of ${letters.map((each) => each.name).join(", ")}` : "none is kept", letters.length ? "warn" : "");
}

const kinds = (figures) => Object.entries(figures).filter(([, n]) => n).map(([name, n]) => `${count(n)}\u00a0×\u00a0${version(name)}`).join(", ") || "none";

function legend() {
  return h("span", {class: "legend"}, h("i", {class: "of-charger"}), "chargers", h("i", {class: "of-csms"}), "CSMSs");
}

function byVersion(connected) {
  const all = sum(connected);
  if (!all) return empty("No charger is connected");
  return bars(Object.entries(connected).filter(([, n]) => n).map(([name, n]) =>
    ({name: versionBadge(name), value: n, said: `${count(n)} · ${Math.round((n / all) * 100)} %`, class: versionClass(name)})));
}

function byStatus(connectors) {
  const known = Object.entries(connectors).filter(([, n]) => n).sort(([, a], [, b]) => b - a);
  if (!known.length) return empty("No connector has a status");
  return bars(known.map(([name, n]) => ({name, value: n, said: count(n), class: STATUS[name] ?? "soft"})));
}

function lossTable(losses) {
  if (!losses.length) return empty("Nothing was lost", "No translation has dropped, cut or invented a field yet.");
  return h("table", null,
    h("thead", null, h("tr", null, ["Message", "Field", "From", "To"].map((name) => h("th", {scope: "col"}, name)), h("th", {class: "num", scope: "col"}, "Times"))),
    h("tbody", null, losses.slice(0, 12).map((each) => h("tr", null,
      h("td", null, each.action), h("td", {class: "mono warn"}, each.field), h("td", null, versionBadge(each.source)), h("td", null, versionBadge(each.target)),
      h("td", {class: "num"}, count(each.count))))));
}

function upstreamTable({upstreams, silent}, params) {
  if (!upstreams.length) return empty("No CSMS is configured");
  const body = h("tbody", null, upstreams.map((each, at) => h("tr", {tabindex: at ? -1 : 0, "data-name": each.name},
    h("td", null, h("strong", null, each.name), each.shadow && [" ", badge("shadow")]),
    h("td", null, stateBadge(each)),
    h("td", null, versionBadge(each.version)),
    h("td", {class: "num"}, `${count(each.sessions.connected)} / ${count(sum(each.sessions))}`),
    h("td", {class: `num ${each.oldest_seconds > 60 ? "bad" : each.oldest_seconds > 5 ? "warn" : ""}`}, each.oldest_seconds ? duration(each.oldest_seconds) : "–"),
    h("td", {class: "num"}, count(each.pending)),
    h("td", {class: `num ${each.dead_letters ? "warn" : ""}`}, count(each.dead_letters)),
    h("td", {class: "soft reason"}, each.errors[0]?.reason ?? ""))));
  rowKeys(body, (row) => params.go(`#/upstreams/${encodeURIComponent(row.dataset.name)}`));
  return [
    silent.length ? h("p", {class: "banner"}, `Not heard: ${silent.join(", ")}. Their sockets are missing here.`) : null,
    h("table", null, h("thead", null, h("tr", null,
      ["Name", "State", "Version"].map((name) => h("th", {scope: "col"}, name)),
      ["Sockets open", "Oldest waiting", "Unacknowledged", "Dead letters"].map((name) => h("th", {class: "num", scope: "col"}, name)),
      h("th", {scope: "col"}, "Most frequent trouble"))), body),
  ];
}

function processTable({processes, silent}) {
  return h("table", null,
    h("thead", null, h("tr", null,
      ["Process", "Roles", "State"].map((name) => h("th", {scope: "col"}, name)),
      ["Chargers", "Partitions"].map((name) => h("th", {class: "num", scope: "col"}, name)), ["Since", "Release"].map((name) => h("th", {scope: "col"}, name)))),
    h("tbody", null,
      processes.map((each) => h("tr", null,
        h("td", {class: "mono"}, each.name), h("td", null, each.roles.join(", ")),
        h("td", null, each.draining ? badge("draining", "warn") : each.unready.length ? badge(each.unready.join(", "), "bad") : badge("ready", "good")),
        h("td", {class: "num"}, count(each.chargers)), h("td", {class: "num"}, count(each.partitions.length)),
        h("td", {class: "soft"}, duration((Date.now() - Date.parse(each.started_at)) / 1000)), h("td", {class: "soft"}, each.version))),
      silent.map((name) => h("tr", null, h("td", {class: "mono"}, name), h("td", {colspan: 6}, badge("does not answer", "bad"))))));
}
