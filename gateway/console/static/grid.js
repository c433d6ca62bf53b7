// A table of many thousand rows that has only those in the document that can be seen. The rows come page by page from the
// server, in its order: a page is asked for when somebody looks at it.

import {h} from "./dom.js";

export const ROW = 37; // pixels; pages.css says the same
const AROUND = 8; // rows above and below what is seen
const PAGE = 500;

// The rows of a question, in pages that follow each other: `ask(cursor, limit)` gives {rows, total, next}.
export class Pages {
  constructor(ask, changed) {
    this._ask = ask;
    this._changed = changed;
    this._pages = []; // {cursor, rows, next}
    this._loading = null;
    this._needed = -1;
    this.total = null; // not known yet
    this.error = null;
    this.ended = false;
  }

  at(index) { return this._pages[Math.floor(index / PAGE)]?.rows[index % PAGE]; }

  // Somebody looks at these: what is missing is asked for, page after page as each one has the way to the next.
  want(last) {
    this._needed = Math.max(0, last);
    this._loading ??= this._load().finally(() => { this._loading = null; });
  }

  async _load() {
    while (!this.ended && this.error === null) {
      const known = this._pages.at(-1);
      if (known !== undefined && (this._pages.length * PAGE > this._needed || !known.next)) return;
      const cursor = known?.next ?? "";
      await this._page(this._pages.length, cursor);
    }
  }

  async _page(number, cursor) {
    try {
      const {rows, total, next} = await this._ask(cursor, PAGE);
      if (this.ended) return;
      const old = this._pages[number];
      this._pages[number] = {cursor, rows, next};
      if (old !== undefined && old.next !== next) this._pages.length = number + 1; // those behind begin elsewhere now
      this.total = total;
      this.error = null;
    } catch (error) {
      if (this.ended) return;
      this.error = error;
    }
    this._changed();
  }

  // Asks again for the pages from row `first` to row `last`.
  async refresh(first, last) {
    await this._loading;
    this.error = null;
    if (!this._pages.length) { this.want(last); await this._loading; }
    else {
      const until = Math.min(Math.floor(last / PAGE), this._pages.length - 1);
      for (let number = Math.floor(first / PAGE); number <= until && number < this._pages.length; number += 1) {
        await this._page(number, this._pages[number].cursor);
      }
      this.want(last);
    }
    if (this.error !== null) throw this.error;
  }
}

// columns: [{name, sort, class, make: () => node, show: (node, row) => void}]. `open(row)`: Enter and a click. `sorted(key)`: a heading
// was pressed. Gives {node, use(pages), draw, order(sort), seen() -> [first, last], end}.
export function grid({label, columns, open, sorted}) {
  const heads = columns.map((column) => h("div", {role: "columnheader", class: `cell ${column.class ?? ""}`},
    column.sort ? h("button", {type: "button", onclick: () => sorted(column.sort)}, column.name) : column.name));
  const head = h("div", {role: "row", class: "grid-head", "aria-rowindex": 1}, heads);
  const inner = h("div", {role: "rowgroup", class: "grid-rows"});
  const scroller = h("div", {class: "grid-scroll"}, h("div", {role: "rowgroup", class: "grid-top"}, head), inner);
  const node = h("div", {class: "grid", role: "grid", "aria-label": label, tabindex: 0, "aria-busy": "true"}, scroller);
  const slots = [];
  let pages = null, active = 0, first = 0, waiting = 0;

  function slot() {
    const cells = columns.map((column) => column.make());
    const row = h("div", {role: "row", class: "grid-row"}, cells.map((cell, at) => h("div", {role: "gridcell", class: `cell ${columns[at].class ?? ""}`}, cell)));
    row.addEventListener("click", (event) => {
      const {index} = slots.find((each) => each.row === row);
      activate(index);
      const line = pages.at(index);
      if (line !== undefined && event.target.closest("a, button") === null) open(line);
    });
    inner.append(row);
    return {row, cells, index: -1, line: null};
  }

  function draw() {
    waiting = 0;
    if (pages === null) return;
    const total = pages.total ?? 0;
    const view = scroller.clientHeight - head.offsetHeight;
    const most = Math.ceil(view / ROW) + 2 * AROUND;
    while (slots.length < most) slots.push(slot());
    inner.style.height = `${total * ROW}px`;
    node.setAttribute("aria-rowcount", pages.total === null ? -1 : total + 1);
    node.setAttribute("aria-busy", String(pages.total === null));
    first = Math.max(0, Math.min(Math.floor(scroller.scrollTop / ROW) - AROUND, total - slots.length));
    for (let index = first; index < first + slots.length; index += 1) {
      const each = slots[index % slots.length];
      if (index >= total) { each.row.hidden = true; each.index = -1; each.line = null; continue; }
      const line = pages.at(index) ?? undefined;
      if (each.index !== index) {
        each.row.hidden = false;
        each.row.style.transform = `translateY(${index * ROW}px)`;
        each.row.id = `row-${index}`;
        each.row.setAttribute("aria-rowindex", index + 2);
        each.index = index;
      }
      if (each.line !== line) {
        each.row.classList.toggle("waiting", line === undefined);
        if (line !== undefined) columns.forEach((column, at) => column.show(each.cells[at], line));
        each.line = line;
      }
      each.row.classList.toggle("active", index === active);
    }
    if (total) node.setAttribute("aria-activedescendant", `row-${active}`);
    else node.removeAttribute("aria-activedescendant");
    pages.want(Math.min(first + slots.length, Math.max(total, 1)) - 1);
  }

  const later = () => { if (!waiting) waiting = requestAnimationFrame(draw); };

  function activate(index) {
    const last = (pages?.total ?? 0) - 1;
    active = Math.max(0, Math.min(index, last));
    const top = active * ROW, view = scroller.clientHeight - head.offsetHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + view) scroller.scrollTop = top + ROW - view;
    later();
  }

  node.addEventListener("keydown", (event) => {
    if (event.target !== node || event.ctrlKey || event.metaKey || event.altKey) return;
    const view = Math.max(1, Math.floor((scroller.clientHeight - head.offsetHeight) / ROW) - 1);
    const last = (pages?.total ?? 1) - 1;
    const to = {ArrowDown: active + 1, j: active + 1, ArrowUp: active - 1, k: active - 1, PageDown: active + view, PageUp: active - view, Home: 0, End: last}[event.key];
    if (to !== undefined) {
      event.preventDefault();
      activate(to);
    } else if (event.key === "Enter") {
      const line = pages?.at(active);
      if (line !== undefined) { event.preventDefault(); open(line); }
    }
  });
  scroller.addEventListener("scroll", later, {passive: true});
  const sized = new ResizeObserver(later);
  sized.observe(scroller);

  return {
    node,
    draw: later,
    use(fresh) {
      if (pages !== null) pages.ended = true;
      pages = fresh;
      active = 0;
      scroller.scrollTop = 0;
      for (const each of slots) { each.line = null; each.index = -1; }
      pages.want(0);
      later();
    },
    order(sort) {
      columns.forEach((column, at) => {
        if (!column.sort) return;
        const way = sort === column.sort ? "ascending" : sort === `-${column.sort}` ? "descending" : "none";
        heads[at].setAttribute("aria-sort", way);
      });
    },
    seen() {
      const view = Math.ceil((scroller.clientHeight - head.offsetHeight) / ROW);
      const top = Math.floor(scroller.scrollTop / ROW);
      return [top, top + view];
    },
    end() { sized.disconnect(); cancelAnimationFrame(waiting); if (pages !== null) pages.ended = true; },
  };
}
