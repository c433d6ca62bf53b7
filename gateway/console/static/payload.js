// A payload as indented JSON, with the fields that a translation lost marked.

import {h} from "./dom.js";

// `lost`: dotted paths, without array indices, as the API names them.
export function payload(value, lost = []) {
  const marks = new Map(lost.map((each) => [each.field.replaceAll("[]", ""), each.kind]));
  return h("pre", {class: "payload", tabindex: 0}, lines(value, "", "", marks));
}

function lines(value, indent, path, marks) {
  const inside = `${indent}  `;
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    return ["[\n", value.flatMap((each, at) => [inside, lines(each, inside, path, marks), at < value.length - 1 ? ",\n" : "\n"]), indent, "]"];
  }
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value);
    if (!names.length) return "{}";
    return ["{\n", names.flatMap((name, at) => {
      const here = path ? `${path}.${name}` : name;
      const kind = marks.get(here);
      const said = [h("span", {class: "name"}, JSON.stringify(name)), ": ", lines(value[name], inside, here, marks)];
      return [inside, kind === undefined ? said : h("mark", {title: kind}, said), at < names.length - 1 ? ",\n" : "\n"];
    }), indent, "}"];
  }
  return h("span", {class: typeof value === "string" ? "text" : "plain"}, JSON.stringify(value));
}
