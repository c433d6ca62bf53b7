// What is asked for again and again. When it fails the page says so, and since when what it shows is old; nothing is shown as
// live that is not.

import {h} from "./dom.js";
import {duration} from "./format.js";

// Calls work() now and every `seconds`, one at a time, not while the tab is hidden. Says trouble in a banner at the top of `root`.
// Gives {stop, now}: stop() ends it; now() does not wait.
export function poll(root, seconds, work) {
  let timer = 0, stopped = false, busy = false, again = false, good = 0, banner = null, failures = 0;

  async function turn() {
    clearTimeout(timer);
    if (busy) { again = true; return; }
    busy = true;
    try {
      await work();
      good = Date.now();
      failures = 0;
      banner?.remove();
      banner = null;
    } catch (error) {
      failures += 1;
      if (!stopped) say(error);
    }
    busy = false;
    if (stopped) return;
    if (again) { again = false; return turn(); }
    timer = setTimeout(next, Math.min(seconds * 2 ** Math.min(failures, 4), Math.max(15, seconds)) * 1000);
  }

  function next() { if (!document.hidden) turn(); }

  function say(error) {
    const old = good ? ` What is shown is ${duration((Date.now() - good) / 1000)} old.` : "";
    const said = `${error.message}.${old} Trying again.`;
    if (banner === null) {
      banner = h("p", {class: "banner bad", role: "alert"});
      root.prepend(banner);
    }
    banner.textContent = said[0].toUpperCase() + said.slice(1);
    if (error.status === undefined) console.error(error);
  }

  const shown = () => { if (!document.hidden && !busy) turn(); };
  document.addEventListener("visibilitychange", shown);
  turn();
  return {
    stop() { stopped = true; clearTimeout(timer); document.removeEventListener("visibilitychange", shown); },
    now: turn,
  };
}
