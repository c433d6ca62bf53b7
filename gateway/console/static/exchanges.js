// Frames of a live stream put together: a CALL, what became of it on the other legs, and the answers. No document here.

export const MOST = 400; // exchanges that are kept

// What a payload is about, in a few words: where, which transaction, what it says.
const WORDS = [
  ["connector", (p) => p.connectorId ?? (p.evse ? [p.evse.id, p.evse.connectorId].filter((n) => n !== undefined).join("/") : p.evseId)],
  ["", (p) => p.eventType],
  ["", (p) => p.status ?? p.connectorStatus],
  ["", (p) => (p.errorCode && p.errorCode !== "NoError" ? p.errorCode : undefined)],
  ["tx", (p) => p.transactionId ?? p.transactionInfo?.transactionId],
  ["seq", (p) => p.seqNo],
  ["", (p) => p.transactionInfo?.chargingState],
  ["meter", (p) => p.meterStart ?? p.meterStop],
  ["", (p) => p.idTag ?? p.idToken?.idToken],
  ["", (p) => p.key ?? p.requestedMessage ?? p.type],
  ["", (p) => (p.chargePointModel ?? p.chargingStation?.model)],
];

export function brief(payload) {
  if (payload === null || typeof payload !== "object") return "";
  return WORDS.map(([name, find]) => [name, find(payload)])
    .filter(([, found]) => found !== undefined && found !== null && typeof found !== "object")
    .map(([name, found]) => (name ? `${name} ${found}` : String(found))).slice(0, 5).join(" · ");
}

export function payloadOf(frame) {
  if (!Array.isArray(frame.frame)) return frame.frame;
  return frame.kind === "call" ? frame.frame[3] : frame.kind === "result" ? frame.frame[2] : {code: frame.frame[2], description: frame.frame[3], details: frame.frame[4]};
}

// -> [text, class] of an answer.
export function outcome(answer) {
  if (answer.kind === "error") return [Array.isArray(answer.frame) ? answer.frame[2] : "error", "bad"];
  const payload = payloadOf(answer) ?? {};
  const said = payload.status ?? payload.idTagInfo?.status ?? payload.idTokenInfo?.status;
  if (typeof said !== "string") return ["ok", "good"];
  return [said, /^(Accepted|Concurrent|Unlocked|Scheduled)/.test(said) ? "good" : "warn"];
}

// One CALL on one leg, and its answer.
class Hop {
  constructor(frame) {
    this.leg = frame.leg;
    this.upstream = frame.upstream;
    this.version = frame.version;
    this.id = frame.id;
    this.call = frame.kind === "call" ? frame : null;
    this.answer = frame.kind === "call" ? null : frame;
    this.losses = [...frame.losses];
  }

  get action() { return this.call?.action || this.answer?.action || ""; }
  get toPeer() { return (this.call?.direction ?? "") === "out" || (this.call === null && this.answer.direction === "in"); }
}

export class Exchange {
  constructor(key, frame) {
    this.key = key;
    this.at = frame.at;
    this.fromCharger = frame.leg === "charger" ? (frame.kind === "call") === (frame.direction === "in") : false;
    this.hops = [];
    this.changed = true;
  }

  take(frame) {
    this.changed = true;
    const open = frame.kind !== "call" && this.hops.find((hop) => hop.answer === null && hop.leg === frame.leg && hop.upstream === frame.upstream && (hop.id === frame.id || !frame.id));
    if (open) {
      open.answer = frame;
      open.losses.push(...frame.losses);
    } else {
      this.hops.push(new Hop(frame));
    }
  }

  get losses() { return this.hops.reduce((all, hop) => all + hop.losses.length, 0); }
  get failed() { return this.hops.some((hop) => hop.answer?.kind === "error"); }
  on(leg, upstream) { return this.hops.filter((hop) => hop.leg === leg && hop.upstream === upstream); }
  matches(word) { return !word || this.hops.some((hop) => hop.action.toLowerCase().includes(word) || JSON.stringify(hop.call?.frame ?? "").toLowerCase().includes(word)); }

  // Milliseconds from when the first frame came until this one left: the gateway's own part of a hop.
  after(frame) { return Math.max(0, Date.parse(frame.at) - Date.parse(this.at)); }
}

// What a stream has said: exchanges, states and gaps, the newest last.
export class Told {
  constructor() {
    this.items = []; // Exchange | {key, at, state} | {key, at, gap}
    this.frames = 0;
    this.losses = 0;
    this.missing = 0;
    this._count = 0;
    this._open = new Map();
  }

  frame(frame) {
    this.frames += 1;
    this.losses += frame.losses.length;
    const known = frame.exchange || `${frame.leg} ${frame.upstream} ${frame.id}`;
    let exchange = this._open.get(known);
    if (exchange === undefined) {
      exchange = new Exchange(this._key(), frame);
      this._open.set(known, exchange);
      exchange.known = known;
      this._put(exchange);
    }
    exchange.take(frame);
  }

  // The same again (a CSMS that is dialled in vain) takes the place of what was said before.
  state(said) {
    const same = this.items.findLast((item) => item.state !== undefined && item.state.leg === said.leg && item.state.upstream === said.upstream);
    const again = same !== undefined && same.state.note === said.note;
    if (again) this.items.splice(this.items.indexOf(same), 1);
    this._put({key: this._key(), at: said.at, state: said, times: again ? same.times + 1 : 1, since: again ? same.since : said.at});
  }

  gap(said) {
    this.missing += said.lost ?? 0;
    this._put({key: this._key(), at: new Date().toISOString(), gap: said});
  }

  clear() { this.items = []; this._open.clear(); }

  _key() { return `x${this._count++}`; }

  _put(item) {
    this.items.push(item);
    while (this.items.length > MOST) {
      const gone = this.items.shift();
      if (gone.known !== undefined) this._open.delete(gone.known);
    }
  }
}
