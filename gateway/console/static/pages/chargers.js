import {h, text} from "../dom.js";
import {count, version, versionClass} from "../format.js";
import {grid, Pages} from "../grid.js";
import {poll} from "../live.js";

export const title = "Chargers";

const MANY = 2000;
const COSTLY_SECONDS = 25;
const STATES = [["", "Connected or not"], ["connected", "Connected"], ["absent", "Absent"], ["blocked", "Blocked"]];
const VERSIONS = ["ocpp1.5", "ocpp1.6", "ocpp2.0.1"];
const TROUBLED = new Set(["Faulted", "Unavailable"]);

export function render(root, api, {query, setQuery, go}) {
  const wanted = {q: "", state: "", version: "", upstream: "", group: "", sort: "", ...query};
  const search = h("input", {type: "search", "data-search": true, placeholder: "Identity, vendor, model, firmware, serial", "aria-label": "Search chargers", value: wanted.q, spellcheck: "false", autocomplete: "off"});
  const state = choice("State", STATES, wanted.state);
  const versions = choice("Version", [["", "Every version"], ...VERSIONS.map((name) => [name, version(name)])], wanted.version);
  const upstreams = choice("CSMS", [["", "Every CSMS"], ...(wanted.upstream ? [[wanted.upstream, wanted.upstream]] : [])], wanted.upstream);
  const figure = h("span", {class: "soft", role: "status"});
  const nothing = h("div", {class: "empty", hidden: true});
  let pages = null;

  const table = grid({
    label: "Chargers",
    columns: COLUMNS,
    open: (line) => go(`#/charger/${encodeURIComponent(line.id)}`),
    sorted(key) {
      const now = wanted.sort || "id";
      wanted.sort = now === key ? `-${key}` : key === "id" ? "" : key;
      ask();
    },
  });
  root.append(
    h("div", {class: "head"},
      h("h1", null, "Chargers"), figure, h("span", {class: "grow"}),
      h("span", {class: "search"}, search, h("kbd", {"aria-hidden": "true"}, "/")), state, versions, upstreams),
    h("section", {class: "panel fill"}, table.node, nothing),
  );

  function ask() {
    setQuery(wanted);
    table.order(wanted.sort || "id");
    pages = new Pages(async (cursor, limit) => {
      const {chargers, total, connected, next} = await api.get("chargers", {...wanted, cursor, limit});
      say(total, connected);
      return {rows: chargers, total, next};
    }, () => table.draw());
    table.use(pages);
  }

  function say(total, connected) {
    text(figure, `${count(total)} ${total === 1 ? "charger" : "chargers"}, ${count(connected)} connected`);
    nothing.hidden = total > 0;
    const narrowed = wanted.q || wanted.state || wanted.version || wanted.upstream || wanted.group;
    text(nothing, narrowed ? "No charger fits. Take a filter away." : "No charger has ever connected, and none is registered.");
  }

  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { wanted.q = search.value.trim(); ask(); }, 200);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); table.node.focus(); }
  });
  for (const [field, name] of [[state, "state"], [versions, "version"], [upstreams, "upstream"]]) {
    field.addEventListener("change", () => { wanted[name] = field.value; ask(); });
  }
  api.get("names", {kind: "upstreams"}).then(({names}) => {
    for (const name of names) if (name !== wanted.upstream) upstreams.append(h("option", {value: name}, name));
  }).catch(() => { /* the list says so itself */ });

  ask();
  // A search, or an order, needs what is known of every charger: of many that is not asked for all the time.
  let at = 0;
  const live = poll(root, 5, async () => {
    const costly = pages.total > MANY && (wanted.q || wanted.version || wanted.upstream || wanted.sort);
    if (costly && Date.now() - at < COSTLY_SECONDS * 1000) return;
    at = Date.now();
    await pages.refresh(...table.seen());
  });
  return () => { clearTimeout(typing); live.stop(); table.end(); };
}

function choice(name, options, chosen) {
  return h("select", {"aria-label": name}, options.map(([value, said]) => h("option", {value, selected: value === chosen}, said)));
}

// -- columns: each makes its part of a row once, and shows other rows in it ----------------------------------------------

const plain = (said) => ({
  make: () => h("span"),
  show: (node, line) => text(node, said(line)),
});

const COLUMNS = [
  {
    name: "Identity", sort: "id", class: "c-id",
    make: () => h("a", {tabindex: -1, href: "#/"}),
    show(node, line) { text(node, line.id); node.setAttribute("href", `#/charger/${encodeURIComponent(line.id)}`); },
  },
  {
    name: "State", sort: "state", class: "c-state",
    make: () => h("span", {class: "live"}, h("span", {class: "dot"}), h("span")),
    show(node, line) {
      const blocked = line.registration?.blocked;
      node.firstChild.className = `dot ${blocked ? "bad" : line.connected ? "good" : ""}`;
      text(node.lastChild, blocked ? "blocked" : line.connected ? "connected" : "absent");
    },
  },
  {
    name: "Version", sort: "version", class: "c-version",
    make: () => h("span"),
    show(node, line) { node.className = line.version ? `badge ${versionClass(line.version)}` : ""; text(node, version(line.version)); },
  },
  {name: "Vendor and model", sort: "model", class: "c-model", ...plain((line) => [line.vendor, line.model].filter(Boolean).join(" · "))},
  {name: "Firmware", sort: "firmware", class: "c-firmware", ...plain((line) => line.firmware)},
  {
    name: "CSMSs", sort: "upstream", class: "c-csms",
    make: () => h("span", null, h("span"), h("span", {class: "faint"})),
    show(node, line) { text(node.firstChild, line.primary || "no route"); text(node.lastChild, line.mirrors.map((each) => ` + ${each}`).join("")); },
  },
  {
    name: "Connectors", class: "c-connectors",
    make: () => h("span"),
    show(node, line) {
      const figures = {};
      for (const [place, {status}] of Object.entries(line.connectors)) if (place !== "0" && status) figures[status] = (figures[status] ?? 0) + 1;
      text(node, Object.entries(figures).map(([status, n]) => (n > 1 ? `${n} ${status}` : status)).join(", "));
      node.className = Object.keys(figures).some((status) => TROUBLED.has(status)) ? "bad" : "";
    },
  },
  {name: "Transactions", sort: "transactions", class: "c-transactions num", ...plain((line) => (line.transactions.length ? count(line.transactions.length) : ""))},
];
