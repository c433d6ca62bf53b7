import {h, replace} from "../dom.js";
import {count, version} from "../format.js";
import {badge, empty, versionBadge} from "../parts.js";
import {payload} from "../payload.js";

export const title = "Try a frame";

const SIDES = {charger: "charger", csms: "CSMS"};
const TIME = "2026-11-23T03:00:00Z";
const OLD_BOOT = {chargePointVendor: "Yard", chargePointModel: "Mast 50", firmwareVersion: "1.4.2", imsi: "262019876543210"};
const RECEIPT = {connectorId: 1, errorCode: "GroundFailure", status: "Faulted", info: "left socket", vendorErrorCode: "E-17", timestamp: TIME};
const EXAMPLES = {
  charger: {
    "1": [
      ["BootNotification", OLD_BOOT], ["StatusNotification", RECEIPT], ["Authorize", {idTag: "04A1B2C3D4"}],
      ["StartTransaction", {connectorId: 1, idTag: "04A1B2C3D4", meterStart: 10400, reservationId: 7, timestamp: TIME}],
      ["MeterValues", {connectorId: 1, meterValue: [{timestamp: TIME, sampledValue: [{value: "10900", unit: "Wh"}, {value: "41", measurand: "Temperature", unit: "Celsius"}]}]}],
      ["Heartbeat", {}],
    ],
    "2": [
      ["BootNotification", {reason: "PowerUp", chargingStation: {vendorName: "Swift", model: "Post 150", modem: {iccid: "8949", imsi: "26201"}}}],
      ["StatusNotification", {timestamp: TIME, connectorStatus: "Occupied", evseId: 1, connectorId: 1}],
      ["Authorize", {idToken: {idToken: "04A1B2C3D4", type: "ISO14443", additionalInfo: [{additionalIdToken: "DE-8AA-1234567", type: "eMAID"}]}}],
      ["TransactionEvent", {eventType: "Started", timestamp: TIME, triggerReason: "Authorized", seqNo: 0, transactionInfo: {transactionId: "t-1", chargingState: "Charging"}, evse: {id: 1, connectorId: 1}, idToken: {idToken: "04A1B2C3D4", type: "ISO14443"}}],
      ["Heartbeat", {}],
    ],
  },
  csms: {
    "1": [
      ["RemoteStartTransaction", {connectorId: 1, idTag: "04A1B2C3D4"}], ["Reset", {type: "Soft"}], ["UnlockConnector", {connectorId: 1}],
      ["ChangeConfiguration", {key: "HeartbeatInterval", value: "300"}], ["TriggerMessage", {requestedMessage: "MeterValues", connectorId: 1}],
    ],
    "2": [
      ["RequestStartTransaction", {remoteStartId: 1, evseId: 1, idToken: {idToken: "04A1B2C3D4", type: "ISO14443"}, groupIdToken: {idToken: "FLEET-7", type: "Central"}}],
      ["Reset", {type: "OnIdle"}], ["UnlockConnector", {evseId: 1, connectorId: 1}],
      ["SetVariables", {setVariableData: [{component: {name: "OCPPCommCtrlr"}, variable: {name: "HeartbeatInterval"}, attributeValue: "300"}]}],
      ["SetDisplayMessage", {message: {id: 1, priority: "NormalCycle", message: {format: "UTF8", content: "Welcome"}}}],
    ],
  },
};
const major = (name) => (name === "ocpp2.0.1" ? "2" : "1");

// A conversation, frame by frame, without any charger or CSMS: what the gateway would make of it.
export async function render(root, api, params) {
  const {versions, matrix} = await api.get("translate");
  const asked = (name, otherwise) => (versions.includes(params.query[name]) ? params.query[name] : otherwise);
  const state = {charger: asked("charger", "ocpp1.6"), csms: asked("csms", "ocpp2.0.1"), from: "charger", steps: [], left: [], number: 1, asking: false};
  const pick = (name, label) => h("label", null, label, h("select", {"data-name": name, onchange: (event) => {
    state[name] = event.target.value;
    params.setQuery({[name]: state[name]});
    begin();
  }}, versions.map((each) => h("option", {value: each, selected: each === state[name]}, version(each)))));
  const said = h("div", {class: "conversation"});
  const editor = h("textarea", {rows: 9, spellcheck: "false", "aria-label": "Frame", "data-search": true});
  const trouble = h("p", {class: "banner bad", role: "alert", hidden: true});
  const sides = h("span", {class: "row", role: "group", "aria-label": "Who says it"});
  const examples = h("span", {class: "row examples", role: "group", "aria-label": "Examples"});
  const send = h("button", {type: "button", class: "primary", onclick: tell}, "Translate ", h("kbd", null, "Ctrl ⏎"));
  replace(root,
    h("div", {class: "head"}, h("h1", null, title), h("span", {class: "soft"}, "What the gateway would make of it. No charger and no CSMS is involved."), h("span", {class: "grow"}),
      pick("charger", "Charger"), pick("csms", "CSMS"), h("button", {type: "button", onclick: begin}, "Begin anew")),
    h("div", {class: "split playground"},
      said,
      h("div", {class: "side"}, h("section", {class: "panel", "aria-label": "Next frame"}, h("header", null, h("h2", null, "Next frame"), h("span", {class: "grow"}), sides),
        h("div", {class: "body editor"}, examples, editor, trouble, h("div", {class: "row"}, h("span", {class: "faint grow"}, "As on the wire: [2, id, action, payload] asks, [3, id, payload] answers."), send))))));
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); tell(); }
  });

  function begin() {
    Object.assign(state, {steps: [], left: [], number: 1, from: "charger"});
    trouble.hidden = true;
    draw();
    example(0);
  }

  function side(name) {
    state.from = name;
    drawSides();
  }

  function drawSides() {
    const focused = document.activeElement?.dataset.side;
    replace(sides, Object.entries(SIDES).map(([name, label]) => h("button", {
      type: "button", class: "chip", "data-side": name, "aria-pressed": String(state.from === name), onclick: () => { side(name); example(0); },
    }, `from the ${label}`)));
    if (focused) sides.querySelector(`[data-side="${focused}"]`)?.focus();
    replace(examples, EXAMPLES[state.from][major(state[state.from])].map(([action], index) =>
      h("button", {type: "button", class: "plain", onclick: () => { example(index); editor.focus(); }}, action)));
  }

  function example(index) {
    const [action, payload] = EXAMPLES[state.from][major(state[state.from])][index];
    editor.value = written([2, String(state.number), action, payload]);
  }

  // An answer for the peer that a frame left for.
  function reply(one) {
    side(one.to);
    editor.value = written([3, one.frame[1], plain(one.frame[2], state[one.to])]);
    editor.focus();
    editor.scrollIntoView({block: "nearest"});
  }

  async function tell() {
    if (state.asking) return;
    let frame;
    try {
      frame = JSON.parse(editor.value);
      if (!Array.isArray(frame)) throw new TypeError("a frame is a list");
    } catch (error) {
      return refuse(error.message);
    }
    trouble.hidden = true;
    const steps = [...state.steps, {from: state.from, frame, at: new Date().toISOString()}];
    state.asking = true;
    try {
      const {steps: left} = await api.post("translate", {charger: state.charger, csms: state.csms, steps, options: {registered: true}});
      Object.assign(state, {steps, left, number: state.number + 1});
      draw();
      const asked = left.at(-1).find((one) => one.frame[0] === 2);
      if (asked) reply(asked);
      else { side("charger"); example(Math.min(state.number - 1, EXAMPLES.charger[major(state.charger)].length - 1)); }
      const last = said.lastElementChild;
      if (last?.scrollIntoView) last.scrollIntoView({block: "nearest"});
    } catch (error) {
      refuse(error.message);
    } finally {
      state.asking = false;
    }
  }

  function refuse(why) {
    trouble.hidden = false;
    replace(trouble, why.replace(/^steps\[\d+\]: /, ""));
  }

  function draw() {
    drawSides();
    replace(said, heads(state), state.steps.length
      ? state.steps.map((step, index) => h("section", {class: "exchange", "aria-label": `Step ${index + 1}`}, come(step, state.left[index]), state.left[index].map((one) => leave(one, reply)),
        state.left[index].length ? null : h("p", {class: "faint nothing"}, "Nothing leaves because of it.")))
      : h("div", {class: "panel"}, empty("No frame yet", matrix[state.charger][state.csms] === "no" ? "These versions cannot be joined." : "Choose an example, or write a frame, and translate it.")));
  }

  begin();
  return () => {};
}

const heads = (state) => h("div", {class: "lanes"}, h("span", null, "Charger ", versionBadge(state.charger)), h("span", {class: "soft"}, "gateway"), h("span", null, versionBadge(state.csms), " CSMS"));

const KIND = {2: "CALL", 3: "CALLRESULT", 4: "CALLERROR"};

function frameCard(side, arrow, frame, lost, more) {
  const [kind, id, action] = frame;
  const said = kind === 2 ? frame[3] : kind === 3 ? frame[2] : {code: frame[2], description: frame[3]};
  return h("article", {class: `frame at-${side}`},
    h("header", null, h("span", {class: "arrow", "aria-hidden": "true"}, arrow), h("strong", null, kind === 2 ? action : KIND[kind] ?? "?"), h("code", {class: "faint"}, String(id)), h("span", {class: "grow"}), more),
    payload(said, lost));
}

function come(step, left) {
  const lost = left.flatMap((one) => one.losses);
  return frameCard(step.from, step.from === "charger" ? "→" : "←", step.frame, lost, badge(`from the ${SIDES[step.from]}`));
}

function leave(one, reply) {
  const node = frameCard(one.to, one.to === "csms" ? "→" : "←", one.frame, [], [
    one.frame[0] === 2 && h("button", {type: "button", class: "plain", onclick: () => reply(one)}, "Answer it"), badge(`to the ${SIDES[one.to]}`, "good"),
  ]);
  if (one.losses.length) {
    node.append(h("ul", {class: "lost"}, h("li", {class: "soft"}, `${count(one.losses.length)} lost:`), one.losses.map((each) => h("li", null, badge(each.kind, "warn"), " ", h("code", null, each.field)))));
  }
  return node;
}

const written = (frame) => JSON.stringify(frame, null, 1).replace(/\n\s*/g, (space) => (space.length > 3 ? space : " ")).replace(/\[ /, "[").replace(/ \]$/, "]");

// What a peer that agrees says.
function plain(action, name) {
  const old = major(name) === "1";
  switch (action) {
    case "BootNotification": return {status: "Accepted", currentTime: TIME, interval: 300};
    case "Heartbeat": return {currentTime: TIME};
    case "Authorize": return old ? {idTagInfo: {status: "Accepted"}} : {idTokenInfo: {status: "Accepted", language1: "de"}};
    case "StartTransaction": return {transactionId: 41, idTagInfo: {status: "Accepted"}};
    case "TransactionEvent": return {idTokenInfo: {status: "Accepted"}, totalCost: 0};
    case "UnlockConnector": return {status: "Unlocked"};
    case "SetVariables": return {setVariableResult: [{attributeStatus: "Accepted", component: {name: "OCPPCommCtrlr"}, variable: {name: "HeartbeatInterval"}}]};
    default: return ["StatusNotification", "MeterValues", "StopTransaction", "NotifyEvent", "NotifyReport"].includes(action) ? {} : {status: "Accepted"};
  }
}
