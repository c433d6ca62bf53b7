// Live frames of one charger: what it said in its version, and beside that what each CSMS heard in its own.

import {h, replace, text} from "./dom.js";
import {brief, Exchange, outcome, payloadOf, Told} from "./exchanges.js";
import {clock, count, ms, version} from "./format.js";
import {badge, scrolling, versionBadge} from "./parts.js";
import {payload} from "./payload.js";

const AGAIN_SECONDS = 2;
const WAITING_MOST = 5000; // events that wait while it is paused
const PICTURES_PER_SECOND = 5;

// Gives {node, columns(upstreams), stop}.
export function timeline(api, path) {
  const told = new Told();
  const rows = new Map(); // key -> row
  const open = new Set(); // keys of rows that show their payloads
  let upstreams = [], hidden = new Set(), chargerVersion = "", paused = false, waiting = [], left = 0, word = "", beats = true, lossy = false, drawing = 0, stopped = false;

  const dot = h("span", {class: "dot"}), state = h("span", null, "connecting");
  const figures = h("span", {class: "faint figures"});
  const filter = h("input", {type: "search", "data-search": true, placeholder: "Filter", "aria-label": "Filter by action or text", spellcheck: "false", autocomplete: "off"});
  const pause = h("button", {type: "button", "aria-pressed": "false", title: "Space"}, "Pause");
  const chips = h("span", {class: "row", role: "group", "aria-label": "Shown CSMSs"});
  const head = h("div", {class: "t-head t-row", role: "row"});
  const list = h("div", {class: "t-rows", role: "rowgroup"});
  const nothing = h("div", {class: "empty"}, h("strong", null, "Nothing has been said since this page was opened"), h("span", null, "Frames appear here as they pass. Heartbeats come at the latest after the charger's interval."));
  const node = h("section", {class: "panel timeline", "aria-label": "Live frames"},
    h("header", null,
      h("h2", null, "Live frames"), h("span", {class: "live"}, dot, state), pause,
      h("button", {type: "button", class: "plain", onclick: clear}, "Clear"), figures, chips,
      h("label", null, h("input", {type: "checkbox", checked: true, onchange: (event) => { beats = event.target.checked; narrow(); }}), "Heartbeats"),
      h("label", null, h("input", {type: "checkbox", onchange: (event) => { lossy = event.target.checked; narrow(); }}), "Only losses"),
      h("span", {class: "search"}, filter, h("kbd", {"aria-hidden": "true"}, "/"))),
    scrolling("Exchanges", h("div", {class: "t-table", role: "table", "aria-label": "Exchanges, the newest first"}, h("div", {role: "rowgroup"}, head), list)),
    nothing);

  // -- the stream ---------------------------------------------------------------------------------------------------------

  const aborting = new AbortController();

  async function listen() {
    let before = false;
    while (!stopped) {
      try {
        await api.stream(path, {}, (name, data) => {
          if (name === "begin") {
            say("good", "live");
            if (before) heard("gap", {lost: null, process: "", why: "the stream broke off and began again"});
            before = true;
            for (const each of data.silent) heard("gap", {lost: null, process: each, why: "this process does not answer"});
          } else {
            heard(name, data);
          }
        }, aborting.signal);
        if (!stopped) say("warn", "the stream ended; asking again");
      } catch (error) {
        if (stopped) return;
        say("bad", error.message);
      }
      if (!stopped) await new Promise((resolve) => setTimeout(resolve, AGAIN_SECONDS * 1000));
    }
  }

  function say(kind, said) {
    dot.className = `dot ${paused && kind === "good" ? "warn" : kind}`;
    text(state, paused && kind === "good" ? "paused" : said);
  }

  function heard(name, data) {
    if (!paused) {
      take(name, data);
      later();
    } else if (waiting.length < WAITING_MOST) {
      waiting.push([name, data]);
      later();
    } else {
      left += 1;
    }
  }

  function take(name, data) {
    if (name === "frame") told.frame(data);
    else if (name === "state") told.state(data);
    else if (name === "gap") told.gap(data);
  }

  function setPaused(now) {
    paused = now;
    pause.setAttribute("aria-pressed", String(now));
    text(pause, now ? "Go on" : "Pause");
    if (!now) {
      for (const [name, data] of waiting) take(name, data);
      if (left) told.gap({lost: left, process: "", why: "paused for too long"});
      waiting = [];
      left = 0;
    }
    say("good", "live");
    later();
  }

  function clear() {
    told.clear();
    rows.clear();
    open.clear();
    list.replaceChildren();
    later();
  }

  // -- drawing --------------------------------------------------------------------------------------------------------------

  function later() { if (!drawing) drawing = setTimeout(draw, 1000 / PICTURES_PER_SECOND); }

  function draw() {
    drawing = 0;
    const here = new Set();
    for (const item of told.items) {
      here.add(item.key);
      let row = rows.get(item.key);
      if (row === undefined) {
        row = item instanceof Exchange ? exchangeRow(item) : noteRow(item);
        rows.set(item.key, row);
        list.prepend(row);
      }
      if (item.changed) {
        item.changed = false;
        fill(row, item);
      }
      row.hidden = !fits(item);
    }
    for (const [key, row] of rows) if (!here.has(key)) { row.remove(); rows.delete(key); open.delete(key); }
    nothing.hidden = told.items.length > 0;
    const parts = [`${count(told.frames)} frames`];
    if (told.losses) parts.push(`${count(told.losses)} losses`);
    if (told.missing) parts.push(`${count(told.missing)} missing`);
    if (paused) parts.push(`${count(waiting.length + left)} waiting`);
    text(figures, parts.join(" · "));
  }

  function narrow() { word = filter.value.trim().toLowerCase(); later(); }

  function fits(item) {
    if (!(item instanceof Exchange)) return true;
    if (!beats && item.hops[0]?.action === "Heartbeat") return false;
    return (!lossy || item.losses > 0) && item.matches(word);
  }

  function exchangeRow(item) {
    const row = h("div", {class: "t-row", role: "row", tabindex: -1, "data-key": item.key});
    row.addEventListener("click", (event) => { if (event.target.closest(".t-payloads, a, button") === null && !String(getSelection())) toggle(item, row); });
    return row;
  }

  function toggle(item, row) {
    if (open.has(item.key)) open.delete(item.key);
    else open.add(item.key);
    fill(row, item);
    if (rows.get(item.key) === row) row.querySelector(".t-open")?.focus({preventScroll: true});
  }

  function shown() { return upstreams.filter((each) => !hidden.has(each.name)); }

  function fill(row, item) {
    if (!(item instanceof Exchange)) return;
    const wide = open.has(item.key);
    row.className = `t-row ${item.failed ? "failed" : ""} ${item.losses ? "lossy" : ""} ${wide ? "wide" : ""}`;
    const button = h("button", {type: "button", class: "t-open plain", "aria-expanded": String(wide), "aria-label": `Payloads of ${item.hops[0]?.action || "this exchange"}`, onclick: () => toggle(item, row)}, wide ? "▾" : "▸");
    const kept = row.querySelector(".t-open") === document.activeElement;
    replace(row,
      h("div", {class: "t-cell t-time mono", role: "cell"}, button, clock(item.at)),
      cell(item, item.on("charger", ""), "charger"),
      shown().map((each) => cell(item, item.on("csms", each.name), each.name)));
    if (kept) row.querySelector(".t-open").focus({preventScroll: true});
    if (wide) row.append(payloads(item));
  }

  function cell(item, hops, name) {
    return h("div", {class: "t-cell", role: "cell", "data-leg": name}, hops.map((hop) => line(item, hop)));
  }

  function line(item, hop) {
    const answered = hop.answer && hop.call ? outcome(hop.answer) : null;
    const first = hop === item.hops[0];
    const frame = hop.call ?? hop.answer;
    // From where its CALL came: → to the right is towards the CSMSs.
    const right = hop.leg === "charger" ? frame.direction === "in" : frame.direction === "out";
    const way = (hop.call ? right : !right) ? "→" : "←";
    const spent = latency(item, hop, first);
    return h("div", {class: "t-hop"},
      h("div", {class: "t-said"},
        h("span", {class: "t-way", role: "img", "aria-label": way === "→" ? "from the charger" : "to the charger"}, way),
        h("strong", {title: hop.action}, hop.action || (hop.call ? "?" : "answer"))),
      h("div", {class: "t-end"},
        answered ? h("span", {class: answered[1]}, answered[0]) : hop.call ? h("span", {class: "faint"}, "no answer yet") : null,
        spent && h("span", {class: "t-ms faint"}, spent)),
      h("div", {class: "t-brief soft mono", title: brief(payloadOf(frame))}, brief(payloadOf(frame))),
      frame.note || hop.answer?.note ? h("div", {class: "warn"}, frame.note || hop.answer.note) : null,
      hop.losses.length ? h("div", {class: "t-lost"}, hop.losses.slice(0, 4).map((each) => h("span", {class: "badge warn mono", title: `${each.kind}: ${each.field}`}, `${each.kind} ${each.field}`)),
        hop.losses.length > 4 ? badge(`and ${hop.losses.length - 4} more`, "warn") : null) : null);
  }

  function latency(item, hop, first) {
    const parts = [];
    if (!first && hop.call) parts.push(`after ${ms(item.after(hop.call))}`);
    if (hop.answer && hop.answer.ms !== null) parts.push(`in ${ms(hop.answer.ms)}`);
    return parts.join(", ");
  }

  function payloads(item) {
    const all = item.hops.flatMap((hop) => hop.losses); // a member that only the charger's version has is named in its spelling
    const column = (hops, name, spoken) => h("div", {class: "t-payload"}, hops.length
      ? hops.map((hop) => [
        hop.call && part(`${name} · ${hop.action}`, hop.version, hop.call, all),
        hop.answer && part(`${name} · answer`, hop.version, hop.answer, all),
        hop.losses.length ? h("ul", {class: "t-losses"}, hop.losses.map((each) => h("li", null, badge(each.kind, "warn"), " ", h("code", null, each.field)))) : null])
      : h("p", {class: "faint"}, `${name} (${version(spoken)}) has not heard of this.`));
    return h("div", {class: "t-payloads", role: "cell"},
      column(item.on("charger", ""), "Charger", chargerVersion),
      shown().map((each) => column(item.on("csms", each.name), each.name, each.version)));
  }

  function part(name, spoken, frame, losses) {
    return h("div", null, h("h3", null, name, " ", versionBadge(spoken), " ", h("span", {class: "faint nowrap"}, `${frame.size} B`)), payload(payloadOf(frame), losses));
  }

  function noteRow(item) {
    const {gap, state: said} = item;
    const what = gap
      ? [badge("gap", "bad"), ` ${gap.lost === null ? "Frames may be" : `${count(gap.lost)} ${gap.lost === 1 ? "frame is" : "frames are"}`} missing here: ${gap.why}${gap.process ? ` (${gap.process})` : ""}`]
      : [said.leg === "charger" ? "Charger " : `${said.upstream} `, said.note, " ", versionBadge(said.version), item.times > 1 ? h("span", {class: "faint"}, ` ${count(item.times)} times since ${clock(item.since)}`) : null];
    return h("div", {class: `t-row t-note ${gap ? "t-gap" : ""}`, role: "row"},
      h("div", {class: "t-cell t-time mono", role: "cell"}, clock(item.at)), h("div", {class: "t-cell", role: "cell"}, what));
  }

  function redraw() {
    const visible = shown();
    // A CSMS that hears nothing now needs little room.
    const widths = ["minmax(200px, 1.1fr)", ...visible.map((each) => (each.connected ? "minmax(200px, 1fr)" : "118px"))];
    const table = list.parentElement;
    table.style.setProperty("--columns", widths.join(" "));
    table.style.minWidth = `${122 + widths.reduce((all, each) => all + (each === "118px" ? 118 : 200), 0)}px`;
    replace(head,
      h("div", {role: "columnheader", class: "t-cell"}, "UTC"),
      h("div", {role: "columnheader", class: "t-cell"}, "Charger ", versionBadge(chargerVersion)),
      visible.map((each) => h("div", {role: "columnheader", class: "t-cell"}, each.name, " ", versionBadge(each.version), each.role === "primary" ? [" ", badge("primary")] : null, each.connected ? null : h("div", {class: "bad"}, each.idle ? "no socket" : "not connected"))));
    replace(chips, upstreams.length > 1 && upstreams.map((each) => h("button", {
      type: "button", class: "chip", "aria-pressed": String(!hidden.has(each.name)),
      onclick() { if (!hidden.delete(each.name)) hidden.add(each.name); redraw(); },
    }, each.name)));
    for (const item of told.items) if (rows.has(item.key)) fill(rows.get(item.key), item);
  }

  // -- keys -----------------------------------------------------------------------------------------------------------------

  filter.addEventListener("input", narrow);
  pause.addEventListener("click", () => setPaused(!paused));
  function key(event) {
    if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
    if (event.target.closest?.("input, textarea, select, button, a, summary") ?? null) return;
    event.preventDefault();
    setPaused(!paused);
  }
  addEventListener("keydown", key);
  list.addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, j: 1, ArrowUp: -1, k: -1}[event.key];
    if (step === undefined || !event.target.classList.contains("t-open")) return;
    const buttons = [...list.querySelectorAll(".t-row:not([hidden]) .t-open")];
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, buttons.indexOf(event.target) + step))]?.focus();
  });

  redraw();
  listen();
  return {
    node,
    // The columns: [{name, version, role}].
    columns(version, now) {
      if (version === chargerVersion && JSON.stringify(now) === JSON.stringify(upstreams)) return;
      chargerVersion = version;
      upstreams = now;
      redraw();
    },
    stop() { stopped = true; aborting.abort(); clearTimeout(drawing); removeEventListener("keydown", key); },
  };
}
