// Figures about one thing: a sparkline, a bar of shares, a ring for a score. For eyes only: the figures stand beside them as text.

import {h, replace, svg} from "./dom.js";
import {duration} from "./format.js";

// How bad an age in seconds is, and how it is said: what is younger than a second is on its way.
export const ageClass = (seconds) => (seconds > 60 ? "bad" : seconds > 5 ? "warn" : "");
export const age = (seconds) => (seconds < 1 ? "none" : duration(seconds));

// The last values of one figure: spark(label) gives {node, add(value)}. `least`: what is drawn full height at the least, so that
// next to nothing does not look like much.
export function spark(label, least = 1e-9, most = 100) {
  const W = 160, H = 28;
  const drawing = svg("svg", {class: "spark", viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": label});
  const values = [];
  return {
    node: drawing,
    add(value) {
      values.push(value);
      if (values.length > most) values.shift();
      if (values.length < 2) return;
      // Few values take as much room as twelve: a line that begins is seen, and does not look like a long one.
      const peak = Math.max(least, ...values), step = W / Math.max(11, values.length - 1), left = W - (values.length - 1) * step;
      const points = values.map((each, at) => `${(left + at * step).toFixed(1)} ${(H - 2 - (each / peak) * (H - 4)).toFixed(1)}`);
      replace(drawing,
        svg("path", {class: "area", d: `M${left.toFixed(1)} ${H}L${points.join("L")}L${W} ${H}Z`}),
        svg("path", {class: "line", d: `M${points.join("L")}`, fill: "none", "vector-effect": "non-scaling-stroke"}));
    },
  };
}

// Shares of a whole: stacked([{name, value, class}]), with what each is beside it.
export function stacked(parts, none = "") {
  const all = parts.reduce((sum, each) => sum + each.value, 0);
  if (!all) return h("span", {class: "faint"}, none);
  let at = 0;
  const bar = svg("svg", {class: "stacked", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true"}, parts.map((each) => {
    const width = (each.value / all) * 100, x = at;
    at += width;
    return width ? svg("rect", {class: each.class ?? "", x, width, height: 8}) : null;
  }));
  return [bar, h("ul", {class: "shares"}, parts.filter((each) => each.value).map((each) =>
    h("li", null, h("i", {class: each.class ?? ""}), `${each.value} ${each.name}`)))];
}

// A score of 0 to 100 as a ring; null where there is none.
export function ring(score, kind, size = 96) {
  const r = 42, round = 2 * Math.PI * r;
  return svg("svg", {class: `ring ${kind}`, viewBox: "0 0 100 100", width: size, height: size, role: "img", "aria-label": score === null ? "no score yet" : `score ${score} of 100`},
    svg("circle", {class: "rail", cx: 50, cy: 50, r, fill: "none"}),
    score === null ? null : svg("circle", {
      class: "way", cx: 50, cy: 50, r, fill: "none", "stroke-dasharray": `${(score / 100) * round} ${round}`, transform: "rotate(-90 50 50)",
    }),
    svg("text", {x: 50, y: 52, "text-anchor": "middle", "dominant-baseline": "middle"}, score === null ? "–" : score));
}
