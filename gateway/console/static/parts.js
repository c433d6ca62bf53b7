// Pieces that several pages use.

import {h, replace} from "./dom.js";
import {version, versionClass} from "./format.js";

export const badge = (said, kind = "") => h("span", {class: `badge ${kind}`}, said);
export const versionBadge = (name) => (name ? h("span", {class: `badge ${versionClass(name)}`, title: name}, version(name)) : null);

// An upstream's state as a badge.
export function stateBadge(upstream) {
  if (upstream.orphan) return badge("not configured", "warn");
  if (upstream.paused_at) return badge("paused", "warn");
  if (upstream.state === "up") return badge([h("span", {class: "dot good"}), "up"], "good");
  if (upstream.state === "down") return badge([h("span", {class: "dot bad"}), "down"], "bad");
  return badge("not needed now");
}

// A box with a heading. `aside`: what stands at the right of it.
export function panel(title, body, aside = null) {
  return h("section", {class: "panel", "aria-label": title}, h("header", null, h("h2", null, title), h("span", {class: "grow"}), aside), body);
}

// A box whose content may be larger than itself; then keys reach it, too.
export function scrolling(label, ...content) {
  const node = h("div", {class: "scroll"}, ...content);
  const look = () => {
    const wide = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight;
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", label]]) {
      if (wide) node.setAttribute(name, value);
      else node.removeAttribute(name);
    }
  };
  new ResizeObserver(look).observe(node);
  new MutationObserver(look).observe(node, {childList: true, subtree: true, characterData: true});
  return node;
}

export const empty = (title, more = "") => h("div", {class: "empty"}, h("strong", null, title), more && h("span", null, more));

export const facts = (pairs) =>
  h("dl", {class: "facts"}, pairs.filter(([, value]) => value !== null && value !== "").map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));

// A message that goes by itself.
export function toast(said, kind = "") {
  const node = h("div", {class: `toast ${kind}`}, said);
  document.getElementById("said").append(node);
  setTimeout(() => node.remove(), kind === "bad" ? 12000 : 5000);
}

// A modal dialog. `make(close)` gives {body, buttons}; close(value) ends it. Gives a promise of the value; Escape gives null.
export function dialog(title, make, {kind = "", locked = false} = {}) {
  return new Promise((resolve) => {
    const node = h("dialog", {class: kind, "aria-labelledby": "dialog-title"});
    let answer = null;
    const close = (value = null) => { answer = value; node.close(); };
    const {body, buttons} = make(close);
    node.append(
      h("header", null, h("h2", {id: "dialog-title"}, title)),
      h("div", {class: "body"}, body),
      h("footer", null, buttons),
    );
    node.addEventListener("cancel", (event) => { if (locked) event.preventDefault(); });
    node.addEventListener("close", () => { node.remove(); resolve(answer); });
    document.body.append(node);
    node.showModal();
    node.querySelector("[data-first]")?.focus();
  });
}

// Asks before something is done that others feel. `act` does it, with the dialog still open so that a refusal is read where it was
// asked for. Gives what `act` gave, or null. `typed`: a word to be typed first, for what cannot be undone.
export function confirm(title, {say, action, danger = false, typed = "", fields = [], act}) {
  return dialog(title, (close) => {
    const trouble = h("p", {class: "banner bad", role: "alert", hidden: true});
    const word = typed ? h("input", {"aria-label": `Type ${typed} to confirm`, placeholder: typed, autocomplete: "off"}) : null;
    const go = h("button", {type: "button", class: danger ? "danger" : "primary", disabled: Boolean(typed)}, action);
    const cancel = h("button", {type: "button", onclick: () => close(null), "data-first": true}, "Cancel");
    word?.addEventListener("input", () => { go.disabled = word.value !== typed; });
    go.addEventListener("click", async () => {
      go.disabled = true;
      try {
        close(await act());
      } catch (error) {
        trouble.hidden = false;
        replace(trouble, error.message);
        go.disabled = false;
      }
    });
    const ask = word && h("label", {class: "field"}, h("span", null, "Type ", h("code", null, typed), " to confirm"), word);
    return {body: [h("p", null, say), fields, ask, trouble], buttons: [cancel, go]};
  });
}

// Arrow keys, j, k, Home, End and Enter over the rows of a <tbody>; `open(row)` is called for Enter and a click.
export function rowKeys(tbody, open) {
  const rows = () => [...tbody.children].filter((row) => row.hasAttribute("tabindex"));
  const set = (row) => { for (const each of rows()) each.tabIndex = each === row ? 0 : -1; row.focus(); };
  tbody.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (row === null || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = rows(), at = all.indexOf(row);
    const to = {ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: all.length - 1}[event.key];
    if (to !== undefined) {
      event.preventDefault();
      set(all[Math.max(0, Math.min(all.length - 1, to))]);
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      open(row);
    }
  });
  if (open) {
    tbody.addEventListener("click", (event) => {
      const row = event.target.closest("tr[tabindex]");
      if (row !== null && event.target.closest("a, button, input") === null) open(row);
    });
  }
}
