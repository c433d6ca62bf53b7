// An OCPP proxy made of the ocpp-rpc package: each CALL of a charger is made again towards the CSMS, and the other way round.
//
//   node rpc_proxy.js UPSTREAM_URL
//
// Prints {"port": n}; ends when standard input does. Without strict mode: nothing is validated.
"use strict";

const { RPCClient, RPCServer } = require("ocpp-rpc");

const [upstream] = process.argv.slice(2);
const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: false, pingIntervalMs: 0 });
server.auth((accept) => accept());
server.on("client", async (charger) => {
  const csms = new RPCClient({ endpoint: upstream, identity: charger.identity, protocols: ["ocpp1.6"], strictMode: false, pingIntervalMs: 0 });
  const connected = csms.connect();
  charger.handle(async ({ method, params }) => {
    await connected;
    return csms.call(method, params);
  });
  csms.handle(({ method, params }) => charger.call(method, params));
  charger.on("close", () => csms.close({ force: true }));
  await connected;
});

(async () => {
  const http = await server.listen(0, "127.0.0.1");
  process.stdin.on("end", () => process.exit(0)).resume();
  console.log(JSON.stringify({ port: http.address().port }));
})();
