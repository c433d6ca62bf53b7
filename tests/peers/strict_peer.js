// A strict OCPP peer of the ocpp-rpc package: it checks every frame against its own copies of the schemas.
//
//   node strict_peer.js csms PORT PROTOCOL              a CSMS on ws://127.0.0.1:PORT/<id>
//   node strict_peer.js charger URL IDENTITY PROTOCOL   a charger; URL gets the identity appended
//
// One JSON object a line. In: {"id": n, "method": "...", "params": {...}} sends a CALL.
// Out: {"ready": true}, {"answered": n, "result"|"error": ...}, {"heard": "<action>", "params": {...}},
// {"violation": "..."} for every frame of the other side that breaks a schema or the RPC rules.
"use strict";

const readline = require("readline");
const { RPCClient, RPCServer, createRPCError } = require("ocpp-rpc");

const now = () => new Date().toISOString();
const accepted = () => ({ status: "Accepted" });
const empty = () => ({});
const configuration = { HeartbeatInterval: "300", NumberOfConnectors: "1" };

const ANSWERS = {
  "csms ocpp1.6": {
    BootNotification: () => ({ status: "Accepted", currentTime: now(), interval: 300 }),
    Heartbeat: () => ({ currentTime: now() }),
    Authorize: () => ({ idTagInfo: { status: "Accepted" } }),
    StartTransaction: () => ({ idTagInfo: { status: "Accepted" }, transactionId: 71 }),
    StopTransaction: empty,
    MeterValues: empty,
    StatusNotification: empty,
    DataTransfer: accepted,
  },
  "csms ocpp2.0.1": {
    BootNotification: () => ({ status: "Accepted", currentTime: now(), interval: 300 }),
    Heartbeat: () => ({ currentTime: now() }),
    Authorize: () => ({ idTokenInfo: { status: "Accepted" } }),
    TransactionEvent: (params) => (params.idToken ? { idTokenInfo: { status: "Accepted" } } : {}),
    MeterValues: empty,
    StatusNotification: empty,
    NotifyEvent: empty,
    NotifyReport: empty,
    DataTransfer: accepted,
    SecurityEventNotification: empty,
    FirmwareStatusNotification: empty,
    LogStatusNotification: empty,
  },
  "charger ocpp1.6": {
    GetConfiguration: ({ key }) => {
      const keys = key && key.length ? key : Object.keys(configuration);
      const known = keys.filter((name) => name in configuration);
      const answer = { configurationKey: known.map((name) => ({ key: name, readonly: false, value: configuration[name] })) };
      const unknownKey = keys.filter((name) => !(name in configuration));
      return unknownKey.length ? { ...answer, unknownKey } : answer;
    },
    ChangeConfiguration: ({ key, value }) => {
      if (!(key in configuration)) return { status: "NotSupported" };
      configuration[key] = value;
      return { status: "Accepted" };
    },
    UnlockConnector: () => ({ status: "Unlocked" }),
    RemoteStartTransaction: accepted,
    RemoteStopTransaction: accepted,
    ChangeAvailability: accepted,
    TriggerMessage: accepted,
    ClearCache: accepted,
    DataTransfer: accepted,
    Reset: accepted,
  },
  "charger ocpp2.0.1": {
    GetVariables: ({ getVariableData }) => ({
      getVariableResult: getVariableData.map(({ component, variable }) => ({
        attributeStatus: "Accepted",
        attributeValue: "300",
        component,
        variable,
      })),
    }),
    SetVariables: ({ setVariableData }) => ({
      setVariableResult: setVariableData.map(({ component, variable }) => ({
        attributeStatus: "Accepted",
        component,
        variable,
      })),
    }),
    UnlockConnector: () => ({ status: "Unlocked" }),
    GetBaseReport: accepted,
    RequestStartTransaction: accepted,
    RequestStopTransaction: accepted,
    ChangeAvailability: accepted,
    TriggerMessage: accepted,
    ClearCache: accepted,
    DataTransfer: accepted,
    Reset: accepted,
  },
};

const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");
let peer = null;

function attach(client, role, protocol) {
  const answers = ANSWERS[`${role} ${protocol}`];
  peer = client;
  client.handle(({ method, params }) => {
    say({ heard: method, params });
    if (!answers[method]) throw createRPCError("NotImplemented");
    return answers[method](params);
  });
  client.on("strictValidationFailure", ({ method, outbound, isCall, error }) => {
    const who = outbound ? "our own" : "the other side's";
    say({ violation: `${who} ${method} ${isCall ? "call" : "answer"}: ${error.message} ${JSON.stringify(error.details || {})}` });
  });
  client.on("badMessage", ({ buffer, error }) => say({ violation: `bad message ${buffer}: ${error.message}` }));
}

async function call({ id, method, params }) {
  try {
    say({ answered: id, result: await peer.call(method, params || {}, { callTimeoutMs: 30000 }) });
  } catch (error) {
    say({ answered: id, error: `${error.rpcErrorCode || error.name}: ${error.message}` });
  }
}

async function main([role, ...rest]) {
  if (role === "csms") {
    const [port, protocol] = rest;
    const server = new RPCServer({ protocols: [protocol], strictMode: true, respondWithDetailedErrors: true });
    server.on("client", (client) => attach(client, role, protocol));
    await server.listen(Number(port), "127.0.0.1");
  } else {
    const [endpoint, identity, protocol] = rest;
    const client = new RPCClient({ endpoint, identity, protocols: [protocol], strictMode: true, reconnect: false });
    attach(client, role, protocol);
    await client.connect();
  }
  say({ ready: true });
  readline.createInterface({ input: process.stdin }).on("line", (line) => call(JSON.parse(line)));
  process.stdin.on("end", () => process.exit(0));
}

main(process.argv.slice(2)).catch((error) => {
  say({ failed: String(error) });
  process.exit(1);
});
