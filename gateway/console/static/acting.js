// What an operator may do to a charger. Only what the token's scope permits is offered; each is asked for first.

import {h, replace, text} from "./dom.js";
import {ms, version} from "./format.js";
import {path} from "./api.js";
import {confirm, dialog, toast} from "./parts.js";
import {payload} from "./payload.js";

const USUAL = {
  "1": ["Reset", "TriggerMessage", "GetConfiguration", "ChangeConfiguration", "ChangeAvailability", "UnlockConnector", "RemoteStartTransaction", "RemoteStopTransaction", "ClearCache", "GetDiagnostics", "GetLocalListVersion", "GetCompositeSchedule", "ClearChargingProfile", "DataTransfer", "UpdateFirmware"],
  "2": ["Reset", "TriggerMessage", "GetVariables", "SetVariables", "ChangeAvailability", "UnlockConnector", "RequestStartTransaction", "RequestStopTransaction", "ClearCache", "GetLog", "GetBaseReport", "GetTransactionStatus", "GetLocalListVersion", "GetCompositeSchedule", "ClearChargingProfile", "DataTransfer", "UpdateFirmware"],
};
const EXAMPLES = {
  Reset1: {type: "Soft"}, Reset2: {type: "OnIdle"}, TriggerMessage1: {requestedMessage: "Heartbeat"}, TriggerMessage2: {requestedMessage: "Heartbeat"},
  GetConfiguration1: {}, ChangeConfiguration1: {key: "", value: ""}, UnlockConnector1: {connectorId: 1}, UnlockConnector2: {evseId: 1, connectorId: 1},
  ChangeAvailability1: {connectorId: 0, type: "Operative"}, ChangeAvailability2: {operationalStatus: "Operative"},
  GetVariables2: {getVariableData: [{component: {name: "OCPPCommCtrlr"}, variable: {name: "HeartbeatInterval"}}]},
  GetBaseReport2: {requestId: 1, reportBase: "SummaryInventory"},
};

// Buttons for a charger. `detail()` gives what is known of it now; `changed()` is called after something was done.
export function actions(api, charger, detail, changed) {
  const call = h("button", {type: "button", class: "primary", onclick: () => send(api, detail())}, "Send a call…");
  const kick = h("button", {type: "button", onclick: () => disconnect(api, charger, changed)}, "Disconnect…");
  const block = h("button", {type: "button", onclick: () => bar(api, detail(), changed)}, "Block…");
  const forget = h("button", {type: "button", onclick: () => drop(api, charger, changed)}, "Forget…");
  const node = h("span", {class: "row actions"});
  return {
    node,
    show(now) {
      const offered = [];
      if (api.may("operate") && now.connected) offered.push(call, kick);
      if (api.may("admin") && now.registration !== null) offered.push(block);
      if (api.may("admin") && !now.connected) offered.push(forget);
      text(block, now.registration?.blocked ? "Unblock…" : "Block…");
      if (offered.length !== node.children.length || offered.some((each, at) => node.children[at] !== each)) replace(node, offered);
    },
  };
}

async function disconnect(api, charger, changed) {
  const gentle = h("input", {type: "checkbox", checked: true});
  const done = await confirm(`Disconnect ${charger}?`, {
    say: "Its connection is closed. A charger normally comes back within seconds to minutes; what it says meanwhile it tells then.",
    fields: h("label", null, gentle, "Wait until no exchange is open, 10 s at the most"),
    action: "Disconnect", danger: true,
    act: () => api.post(path("chargers", charger, "kick"), {gentle: gentle.checked}),
  });
  if (done !== null) { toast(`${charger} is being disconnected`); changed(); }
}

async function bar(api, now, changed) {
  const blocked = now.registration?.blocked;
  const done = await confirm(blocked ? `Let ${now.id} in again?` : `Block ${now.id}?`, {
    say: blocked ? "It may connect again." : "It is disconnected, and let in no more until it is unblocked. Cars cannot be charged there where the charger wants its CSMS for that.",
    action: blocked ? "Unblock" : "Block", danger: !blocked, typed: blocked ? "" : now.id,
    act: () => api.post(path("chargers", now.id, blocked ? "unblock" : "block")),
  });
  if (done !== null) { toast(`${now.id} is ${blocked ? "let in again" : "blocked"}`); changed(); }
}

async function drop(api, charger, changed) {
  const done = await confirm(`Forget ${charger}?`, {
    say: "Deletes for good what is kept of it: the ids of its transactions at each CSMS, its boot and statuses, what is parked for it, and the answers to messages that it may repeat. What a CSMS has not been told of it yet is lost.",
    action: "Forget", danger: true, typed: charger,
    act: () => api.post(path("chargers", charger, "forget")),
  });
  if (done !== null) { toast(`${charger} is forgotten`); changed(); }
}

// A CALL: checked first, by the gateway, without sending it; only what was found good, or is sent on purpose, can be sent.
function send(api, now) {
  const names = Object.entries(now.upstreams);
  const as = h("select", {"aria-label": "As whom"}, h("option", {value: ""}, `directly, in the charger's version (${version(now.version)})`),
    names.map(([name, each]) => h("option", {value: name}, `as ${name}, in its version (${version(each.version)}): translated`)));
  const actions = h("datalist", {id: "call-actions"});
  const action = h("input", {list: "call-actions", spellcheck: "false", autocomplete: "off", "data-first": true, placeholder: "TriggerMessage"});
  const body = h("textarea", {rows: 7, spellcheck: "false", value: "{}"});
  const said = h("div", {class: "call-said", role: "status"});
  let good = "";

  const spoken = () => version(as.value ? now.upstreams[as.value].version : now.version)[0];
  const list = () => replace(actions, (USUAL[spoken()] ?? []).map((name) => h("option", {value: name})));
  const wanted = () => ({action: action.value.trim(), payload: JSON.parse(body.value || "{}"), upstream: as.value});
  const signature = () => JSON.stringify([action.value.trim(), body.value, as.value]);
  list();

  return dialog(`Send a call to ${now.id}`, (close) => {
    const check = h("button", {type: "button", class: "primary"}, "Check");
    const go = h("button", {type: "button", class: "danger", disabled: true}, `Send to ${now.id}`);
    const fresh = () => { go.disabled = good !== signature() || good === ""; };
    as.addEventListener("change", () => { list(); fresh(); });
    body.addEventListener("input", fresh);
    action.addEventListener("input", () => {
      const example = EXAMPLES[action.value.trim() + spoken()];
      if (example !== undefined && /^\s*(\{\s*\})?\s*$/.test(body.value)) body.value = JSON.stringify(example, null, 2);
      fresh();
    });
    async function run(dry) {
      check.disabled = go.disabled = true;
      replace(said, h("p", {class: "soft"}, dry ? "Checking…" : "Sent. Waiting for the charger's answer…"));
      const asked = signature();
      try {
        const answer = await api.post(path("chargers", now.id, "call"), {...wanted(), dry_run: dry});
        if (dry && answer.errors.length) replace(said, answer.errors.map((each) => h("p", {class: "bad"}, each)));
        else if (dry) { good = asked; replace(said, h("p", {class: "good"}, `As OCPP ${version(answer.version)} wants it. Nothing was sent.`)); }
        else if (answer.error) replace(said, h("p", {class: "bad"}, `${answer.error.code} ${answer.error.description} · ${ms(answer.ms)}`));
        else replace(said, h("p", {class: "good"}, `Answered after ${ms(answer.ms)}`), payload(answer.payload));
      } catch (error) {
        replace(said, h("p", {class: "bad"}, error instanceof SyntaxError ? `The payload is no JSON: ${error.message}` : error.message));
      }
      check.disabled = false;
      fresh();
    }
    check.addEventListener("click", () => run(true));
    go.addEventListener("click", () => run(false));
    return {
      body: [
        h("label", {class: "field"}, "As", as),
        h("label", {class: "field"}, "Action", action), actions,
        h("label", {class: "field"}, "Payload", body),
        said,
      ],
      buttons: [h("button", {type: "button", onclick: () => close()}, "Close"), check, go],
    };
  }, {kind: "wide"});
}
