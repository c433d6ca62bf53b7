// Small drawings: lines over time, and bars of shares. For eyes only: the figures stand beside them as text.

import {h, replace, svg} from "./dom.js";

const WIDTH = 600, HEIGHT = 120;

// Lines of the last values: lines([{class, values}]) gives {node, draw}. Values may be null where nothing is known.
export function lines(label) {
  const drawing = svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "lines", role: "img", "aria-label": label});
  const top = h("span", {class: "top faint"});
  const node = h("div", {class: "chart"}, drawing, top);
  function draw(series, most) {
    const peak = Math.max(1e-9, ...series.flatMap((each) => each.values.map((value) => value ?? 0)));
    const highest = nice(peak);
    top.textContent = `${highest}/s`;
    const marks = [0.25, 0.5, 0.75].map((part) => svg("line", {class: "mark", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part}));
    const paths = series.map(({class: kind, values}) => {
      const first = most - values.length;
      let way = "", pen = "M";
      values.forEach((value, at) => {
        if (value === null) { pen = "M"; return; }
        const x = ((first + at) / (most - 1)) * WIDTH, y = HEIGHT - 2 - (value / highest) * (HEIGHT - 6);
        way += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
        pen = "L";
      });
      return svg("path", {class: kind, d: way, fill: "none", "vector-effect": "non-scaling-stroke"});
    });
    replace(drawing, marks, paths);
  }
  return {node, draw};
}

function nice(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * size).find((each) => each >= value);
}

// Rows with a bar each: bars([{name, value, said, class}]).
export function bars(rows) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  return h("ul", {class: "bars"}, rows.map((row) => {
    const bar = svg("svg", {class: `bar ${row.class ?? ""}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true"},
      svg("rect", {class: "rail", width: 100, height: 8}),
      svg("rect", {class: "fill", width: Math.max(row.value ? 1 : 0, (row.value / most) * 100), height: 8}));
    return h("li", null, h("span", {class: "name"}, row.name), bar, h("span", {class: "num"}, row.said));
  }));
}
