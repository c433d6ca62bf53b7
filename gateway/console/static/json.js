// JSON as people read it: indented, coloured by kind. Text nodes only.

import {h} from "./dom.js";

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

// A <pre> with the value. `mark(name)`: whether the member of this name is to stand out.
export function json(value, {mark = null, indent = 2} = {}) {
  const said = JSON.stringify(value, null, indent) ?? "";
  const parts = [];
  let at = 0;
  for (const found of said.matchAll(TOKEN)) {
    if (found.index > at) parts.push(said.slice(at, found.index));
    const [all, text, colon, number, word] = found;
    if (text !== undefined && colon !== undefined) {
      parts.push(h("span", {class: mark?.(JSON.parse(text)) ? "key marked" : "key"}, text), colon);
    } else {
      parts.push(h("span", {class: text !== undefined ? "text" : number !== undefined ? "number" : word === "null" ? "null" : "word"}, all));
    }
    at = found.index + all.length;
  }
  parts.push(said.slice(at));
  return h("pre", {class: "json", tabindex: 0}, parts);
}
