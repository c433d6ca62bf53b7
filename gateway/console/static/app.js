// The frame: pages, the way to them, keys, who is there.
//
// A page is pages/<name>.js with
//   export const title = "Name";
//   export function render(root, api, params) { ...; return dispose; }
// `root` is empty and its own; `dispose()` ends what it began (timers, streams). `params`:
//   rest      decoded parts of the address behind the name: "#/charger/CP1" -> ["CP1"]
//   query     {name: text} of "?name=text"
//   setQuery  (changes) puts them into the address without going anywhere; "" takes one out
//   go        (hash) goes to "#/..."
//   title     (text) names the page, where its own title is not enough
// An element with data-search is what the key / goes to.

import {Api} from "./api.js";
import {h, replace, text} from "./dom.js";
import {login} from "./login.js";
import {dialog, toast} from "./parts.js";

const PAGES = [
  {name: "fleet", label: "Fleet", key: "f"},
  {name: "chargers", label: "Chargers", key: "c"},
  {name: "charger", under: "chargers"},
  {name: "upstreams", label: "Upstreams", key: "u"},
  {name: "letters", label: "Dead letters", key: "d"},
  {name: "shadow", label: "Shadow", key: "s"},
  {name: "matrix", label: "Translation", key: "m"},
  {name: "translate", label: "Try a frame", key: "x"},
];

const api = new Api();
const main = document.getElementById("main");
const nav = document.getElementById("nav");
let dispose = null; // of the page that is shown
let turn = 0; // counts pages, so that a late one does not show over a newer one
let known = null; // {name, rest} of the page that is shown

// -- the way to pages ---------------------------------------------------------------------------------------------------

function address() {
  const [way, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = way.split("/").filter(Boolean).map(decoded);
  return {name: name ?? PAGES[0].name, rest, query: Object.fromEntries(new URLSearchParams(search))};
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function setQuery(changes) {
  const {query} = address();
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries({...query, ...changes})) if (value !== "" && value !== null) search.set(name, value);
  const way = location.hash.split("?")[0] || `#/${PAGES[0].name}`;
  history.replaceState(null, "", search.size ? `${way}?${search}` : way);
}

function go(hash) { location.hash = hash; }

async function show() {
  const {name, rest, query} = address();
  const mine = ++turn;
  dispose?.();
  dispose = null;
  const page = PAGES.find((each) => each.name === name);
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.name === (page?.under ?? page?.name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (page === undefined) {
    titled("No such page");
    replace(main, h("h1", null, "No such page"), h("p", {class: "soft"}, "The address leads to nothing. ", h("a", {href: "#/"}, "To the fleet")));
    return;
  }
  const root = h("div", {class: `page page-${name}`});
  try {
    const module = await import(`./pages/${name}.js`);
    if (mine !== turn) return;
    titled(module.title);
    replace(main, root);
    scrollTo(0, 0);
    const moved = known !== null && (known.name !== name || known.rest.join("/") !== rest.join("/"));
    known = {name, rest};
    const end = await module.render(root, api, {rest, query, setQuery, go, title: titled});
    if (mine !== turn) end?.();
    else dispose = end ?? null;
    if (moved && !main.contains(document.activeElement)) main.focus({preventScroll: true});
  } catch (error) {
    if (mine !== turn) return;
    console.error(error);
    replace(root, h("p", {class: "banner bad", role: "alert"}, `This page cannot be shown: ${error.message}`));
    replace(main, root);
  }
}

function titled(said) { document.title = `${said} · ocpp-gateway`; }

// -- keys ---------------------------------------------------------------------------------------------------------------

let afterG = 0;

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
  const typing = event.target.closest?.("input, textarea, select") ?? null;
  if (typing !== null) {
    if (event.key === "Escape") typing.blur();
    return;
  }
  if (event.key === "g") { afterG = Date.now(); return; }
  if (Date.now() - afterG < 1500) {
    afterG = 0;
    const page = PAGES.find((each) => each.key === event.key);
    if (page !== undefined) { event.preventDefault(); go(`#/${page.name}`); }
    return;
  }
  if (event.key === "/") {
    const field = main.querySelector("[data-search]");
    if (field !== null) { event.preventDefault(); field.focus(); field.select?.(); }
  } else if (event.key === "?") {
    keys();
  } else if (event.key === "t") {
    theme();
  }
}

function keys() {
  const line = (pressed, what) => h("tr", null, h("td", null, pressed.flatMap((each) => [h("kbd", null, each), " "])), h("td", null, what));
  dialog("Keys", (close) => ({
    body: h("table", {class: "keys"}, h("tbody", null,
      PAGES.filter((page) => page.key).map((page) => line(["g", page.key], page.label)),
      line(["/"], "Search, or filter"),
      line(["↑", "↓", "j", "k"], "Row by row"),
      line(["Enter"], "Open the row"),
      line(["x"], "Choose the row (dead letters)"),
      line(["Space"], "Pause or go on (a charger's frames)"),
      line(["t"], "Dark or light"),
      line(["Esc"], "Leave a field, close a dialog"),
      line(["?"], "These keys"),
    )),
    buttons: h("button", {type: "button", "data-first": true, onclick: () => close()}, "Close"),
  }));
}

// -- bar ----------------------------------------------------------------------------------------------------------------

const THEME = "ocpp-gateway.theme";

function theme() {
  const root = document.documentElement;
  const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem(THEME, root.dataset.theme); } catch { /* only for now, then */ }
}

function restoreTheme() {
  try {
    const kept = localStorage.getItem(THEME);
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch { /* as the system has it */ }
}

function bar() {
  const dot = h("span", {class: "dot"});
  const state = h("span", null, "connecting");
  const who = h("span", {class: "who"});
  api.onTrouble = (error) => {
    const lost = error !== null && (error.status === 0 || error.status >= 500);
    dot.className = `dot ${lost ? "bad" : "good"}`;
    text(state, lost ? (error.status === 0 ? "no answer" : "trouble") : "live");
  };
  replace(document.getElementById("bar"),
    h("a", {class: "brand", href: "#/"}, h("img", {src: "icon.svg", alt: ""}), "ocpp-gateway"),
    h("span", {class: "grow"}),
    h("span", {class: "live"}, dot, state),
    who,
    h("button", {type: "button", class: "plain", onclick: theme, title: "Dark or light (t)"}, "Theme"),
    h("button", {type: "button", class: "plain", onclick: keys, title: "Keys (?)"}, "Keys ", h("kbd", null, "?")),
  );
  return () => replace(who,
    h("span", {title: `${api.who.process}, release ${api.who.version}`}, `${api.who.name} · ${api.who.scope}`),
    api.token && h("button", {type: "button", class: "plain", onclick: () => { api.forget(); location.reload(); }}, "Sign out"),
  );
}

function links() {
  replace(nav, h("ul", null, PAGES.filter((page) => page.key).map((page) =>
    h("li", null, h("a", {href: `#/${page.name}`, "data-name": page.name}, page.label, h("kbd", {"aria-hidden": "true"}, `g ${page.key}`))))));
}

// -- begin --------------------------------------------------------------------------------------------------------------

async function begin() {
  restoreTheme();
  links();
  const named = bar();
  api.askToken = (why) => login(api, why).then((who) => { named(); return who; });
  addEventListener("keydown", key);
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  addEventListener("unhandledrejection", (event) => {
    if (event.reason?.name !== "AbortError") toast(event.reason?.message ?? "Something went wrong", "bad");
  });
  try {
    await api.start();
    named();
  } catch (error) {
    titled("No access");
    replace(main,
      h("h1", null, "The console cannot ask the gateway"),
      h("p", {class: "banner bad", role: "alert"}, error.message),
      h("button", {type: "button", onclick: () => location.reload()}, "Try again"));
    return;
  }
  addEventListener("hashchange", show);
  await show();
}

begin();
