// Elements from data. Text becomes text nodes, never markup: nothing that a charger says can become an element or a script.

const SAFE_HREF = /^(#|\/(?!\/)|icon\.svg$)/;
const BOOLEAN = new Set(["checked", "disabled", "hidden", "open", "required", "selected", "multiple", "autofocus", "readonly"]);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") {
      if (!name.startsWith("on")) throw new TypeError(`${name} takes no function`);
      node.addEventListener(name.slice(2), value);
    } else if (name.startsWith("on") || name === "style") {
      throw new TypeError(`${name}: not from text`);
    } else if (name === "href" || name === "src") {
      if (!SAFE_HREF.test(value)) throw new TypeError(`${name}: ${value} leads elsewhere`);
      node.setAttribute(name, value);
    } else if (name === "value" && "value" in node) {
      node.value = value;
    } else if (BOOLEAN.has(name)) {
      node[name === "readonly" ? "readOnly" : name] = Boolean(value);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  add(node, children);
  return node;
}

// h("td", {class: "num", onclick: f}, "text", h("b", null, 3), [more], null)
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// The same for drawings.
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

export function replace(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

// Sets the text only when it is another one: what did not change is not painted, nor read out, again.
export function text(node, value) {
  const said = String(value);
  if (node.textContent !== said) node.textContent = said;
}
