import {path} from "../api.js";
import {h, replace, text} from "../dom.js";
import {count, version} from "../format.js";
import {badge, empty, panel, rowKeys, scrolling, versionBadge} from "../parts.js";

export const title = "Translation";

const FATES = {
  clean: ["translated whole", "good"],
  lossy: ["with losses", "warn"],
  local: ["answered here", "v16"],
  refused: ["refused", "bad"],
  made: ["by the gateway", "v15"],
};
const KINDS = ["dropped", "defaulted", "folded", "shortened", "synthesised"];
const SENDERS = {charger: "Charger", csms: "CSMS", gateway: "Gateway"};

// What becomes of every message and member between two versions: what a migration would lose, before it does.
export async function render(root, api, params) {
  const {versions, matrix} = await api.get("translate");
  const state = {
    charger: known(versions, params.query.charger, "ocpp1.6"), csms: known(versions, params.query.csms, "ocpp2.0.1"),
    from: params.query.from ?? "", fate: params.query.fate ?? "", word: params.query.q ?? "", all: false, open: new Set(), atlas: null,
  };
  const legend = h("dl", {class: "facts meanings"});
  const ways = h("div", {class: "ways"}), tiles = h("dl", {class: "stats"}), steps = h("div", {class: "stack"}), trouble = h("div");
  const field = h("input", {type: "search", placeholder: "Message, member or note", "aria-label": "Filter", "data-search": true, value: state.word});
  const fates = h("span", {class: "row", role: "group", "aria-label": "Fate"}), senders = h("span", {class: "row", role: "group", "aria-label": "Begun by"});
  const whole = h("input", {type: "checkbox", onchange: () => { state.all = whole.checked; draw(); }});
  replace(root,
    h("div", {class: "head"}, h("h1", null, title), h("span", {class: "soft"}, "What becomes of every message, and what may be lost of it")),
    h("div", {class: "choice"}, ways, legend), trouble, tiles,
    h("div", {class: "filters"}, h("span", {class: "search"}, field, h("kbd", {"aria-hidden": "true"}, "/")), senders, fates, h("label", null, whole, "all members")),
    steps);

  let turn = 0, stopped = false;
  async function load() {
    const mine = ++turn;
    drawWays();
    replace(trouble);
    try {
      const atlas = await api.get(path("translate", state.charger, state.csms));
      if (mine !== turn || stopped) return;
      state.atlas = atlas;
      state.open.clear();
      draw();
    } catch (error) {
      if (mine !== turn || stopped) return;
      replace(trouble, h("p", {class: "banner bad", role: "alert"}, error.message));
    }
  }

  // Rows are what chargers speak, columns what CSMSs speak.
  function drawWays() {
    const focused = document.activeElement?.dataset.way;
    replace(ways, h("table", {class: "joins"},
      h("caption", {class: "hidden"}, "Which versions to look at"),
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "charger \\ CSMS"), versions.map((csms) => h("th", {scope: "col"}, versionBadge(csms))))),
      h("tbody", null, versions.map((charger) => h("tr", null, h("th", {scope: "row"}, versionBadge(charger)), versions.map((csms) => {
        const said = matrix[charger][csms];
        return h("td", null, h("button", {
          type: "button", class: `way ${said === "same" ? "same" : ""}`, disabled: said === "no", "data-way": `${charger} ${csms}`,
          "aria-pressed": String(charger === state.charger && csms === state.csms), "aria-label": `Charger ${version(charger)}, CSMS ${version(csms)}: ${said}`,
          onclick: () => { Object.assign(state, {charger, csms}); params.setQuery({charger, csms}); load(); },
        }, said));
      }))))));
    if (focused) ways.querySelector(`[data-way="${CSS.escape(focused)}"]`)?.focus();
  }

  function draw() {
    const {atlas} = state;
    const everything = atlas.steps.flatMap((step) => step.messages);
    const own = everything.filter((each) => each.version);
    drawTiles(own);
    replace(legend, KINDS.map((kind) => [h("dt", null, badge(kind, "warn")), h("dd", {class: "soft"}, atlas.kinds[kind])]));
    chips(senders, state.from, [["", "From all"], ...Object.entries(SENDERS)], (value) => { state.from = value; params.setQuery({from: value}); draw(); });
    chips(fates, state.fate, [["", "Any fate"], ...Object.entries(FATES).filter(([name]) => name !== "made").map(([name, [label]]) => [name, label])], (value) => { state.fate = value; params.setQuery({fate: value}); draw(); });
    if (!atlas.steps.length) {
      replace(steps, h("div", {class: "panel"}, empty("Nothing is translated", `A ${version(atlas.charger)} charger and a ${version(atlas.csms)} CSMS hear each other byte by byte. Only transaction ids of 1.x are exchanged, where a charger has several CSMSs.`)));
      return;
    }
    replace(steps, atlas.steps.map((step, at) => table(step, at, atlas)));
  }

  function drawTiles(own) {
    const by = (fate) => own.filter((each) => fateOf(each) === fate).length;
    const losing = own.flatMap((each) => each.members).filter((each) => each.losses.length);
    const tile = (label, value, under, kind = "") => h("div", {class: `stat ${kind}`}, h("dt", null, label), h("dd", null, value), h("dd", {class: "under"}, under));
    tiles.hidden = !own.length;
    replace(tiles,
      tile("Messages", count(own.length), `${count(own.flatMap((each) => each.members).length)} members`),
      tile("Translated whole", count(by("clean")), "nothing is lost"),
      tile("With losses", count(by("lossy")), `${count(losing.length)} members may lose`),
      tile("Answered here", count(by("local")), "by the gateway itself"),
      tile("Refused", count(by("refused")), "with a CALLERROR"));
  }

  function table(step, at, atlas) {
    const word = state.word.toLowerCase();
    const fits = (each) => !word || [each.action, each.why, each.sends.join(" "), ...each.members.flatMap((one) => [one.path, one.becomes, one.note])].some((said) => said.toLowerCase().includes(word));
    const rows = step.messages.filter((each) => (each.fate || each.members.length) && (state.from === "" || each.source === state.from) && (state.fate === "" || fateOf(each) === state.fate) && fits(each));
    const body = h("tbody", null);
    rows.forEach((each, index) => {
      const key = keyOf(at, each);
      body.append(line(each, key, index));
      if (state.open.has(key)) body.append(inside(each));
    });
    rowKeys(body, toggle);
    const heading = `${step.charger} charger, ${step.csms} CSMS`;
    return panel(atlas.steps.length > 1 ? `Step ${at + 1}: ${heading}` : heading,
      rows.length
        ? scrolling("Messages", h("table", {class: "fates"}, h("thead", null, h("tr", null, 
          ["Message", "From", "Fate", "Becomes"].map((name) => h("th", {scope: "col"}, name)),
          KINDS.map((kind) => h("th", {class: "num", scope: "col", title: atlas.kinds[kind]}, kind)), h("th", {scope: "col"}, "When, why"))), body))
        : empty("None fits"),
      h("span", {class: "faint"}, `${count(rows.length)} messages`));
  }

  function toggle(row) {
    const key = row.dataset.key, at = Number(key.split(" ")[0]);
    if (!state.open.delete(key)) state.open.add(key);
    const open = state.open.has(key);
    row.querySelector("[aria-expanded]").setAttribute("aria-expanded", String(open));
    if (open) row.after(inside(state.atlas.steps[at].messages.find((each) => keyOf(at, each) === key)));
    else row.nextElementSibling.remove();
    row.focus();
  }

  function line(each, key, index) {
    const [label, kind] = FATES[fateOf(each)];
    return h("tr", {tabindex: index ? -1 : 0, "data-key": key},
      h("td", {class: "nowrap"}, h("button", {type: "button", class: "turn", tabindex: -1, "aria-expanded": String(state.open.has(key)), "aria-label": "Members", onclick: (event) => toggle(event.target.closest("tr"))}), h("strong", null, each.action === "*" ? "any message" : each.action || "the CSMS is back")),
      h("td", {class: "nowrap soft"}, SENDERS[each.source]),
      h("td", {class: "nowrap"}, badge(label, kind), each.code && h("code", {class: "soft code"}, each.code)),
      h("td", {class: "sends"}, sends(each)),
      losses(each.members),
      h("td", {class: "soft why"}, each.why));
  }

  function inside(each) {
    const word = state.word.toLowerCase();
    const hit = (one) => word && [one.path, one.becomes, one.note].some((said) => said.toLowerCase().includes(word));
    const shown = each.members.filter((one) => state.all || one.losses.length || hit(one));
    const quiet = each.members.length - shown.length;
    return h("tr", {class: "inside"}, h("td", {colspan: 10},
      shown.length
        ? h("table", {class: "members"}, h("thead", null, h("tr", null, ["Member", "Becomes", "May be", "How"].map((name) => h("th", {scope: "col"}, name)))),
          h("tbody", null, shown.map((one) => h("tr", null,
            h("td", null, one.part === "request" || one.part === "message" ? null : h("span", {class: "faint"}, `answer to ${one.part}: `), code(one.path)),
            h("td", null, one.part === "message" ? h("span", {class: "soft"}, "the gateway's own") : one.becomes === "used" ? h("span", {class: "soft"}, "used by the gateway") : one.becomes ? code(one.becomes) : h("span", {class: "bad"}, "nowhere")),
            h("td", null, h("span", {class: "row"}, one.losses.map((kind) => badge(kind, "warn")))),
            h("td", {class: "soft"}, one.note)))))
        : h("p", {class: "soft"}, "Nothing may be lost."),
      quiet ? h("p", {class: "faint"}, `${count(quiet)} more members pass without loss.`) : null));
  }

  field.addEventListener("input", () => {
    state.word = field.value.trim();
    params.setQuery({q: state.word});
    if (state.atlas) draw();
  });
  await load();
  return () => { stopped = true; };
}

const keyOf = (at, each) => `${at} ${each.source} ${each.action} ${each.fate}`;

// A path that may break at its dots.
const code = (said) => h("code", null, said.split(".").map((part, at) => (at ? [".", h("wbr"), part] : part)));

function fateOf(each) {
  if (!each.version) return "made";
  if (each.fate !== "translated") return each.fate;
  return each.members.some((one) => one.losses.length) ? "lossy" : "clean";
}

function known(versions, asked, otherwise) {
  return versions.includes(asked) ? asked : versions.includes(otherwise) ? otherwise : versions[0];
}

function losses(members) {
  return KINDS.map((kind) => {
    const n = members.filter((one) => one.losses.includes(kind)).length;
    return h("td", {class: `num ${n ? "warn" : "faint"}`}, n || "·");
  });
}

function sends(each) {
  if (!each.sends.length) return h("span", {class: "faint"}, "nothing");
  const [first, ...rest] = [...each.sends].sort((a, b) => (b === each.action) - (a === each.action));
  if (rest.length < 3) return [first, ...rest].join(", ");
  return h("span", {title: each.sends.join(", ")}, `${first} and ${rest.length} more`);
}

function chips(place, chosen, choices, choose) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.value : null;
  replace(place, choices.map(([value, label]) => h("button", {type: "button", class: "chip", "data-value": value, "aria-pressed": String(value === chosen), onclick: () => choose(value)}, label)));
  if (focused !== null) place.querySelector(`[data-value="${CSS.escape(focused)}"]`)?.focus();
}
