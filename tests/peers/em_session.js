// A session for em-ocpp-chargepoint-simulator: charges 1500 Wh by itself, then waits for commands, among them a remote start
// and stop; a Reset ends it.
// CSMS_URL is the URL including the identity. The simulator answers only the commands that have a handler here.
const stamp = () => new Date().toISOString();
const status = (connectorId, value) =>
  cp.sendStatusNotification({ connectorId, errorCode: "NoError", status: value, timestamp: stamp() });
const reading = (transactionId, value) =>
  cp.meterValues({
    connectorId: 1,
    transactionId,
    meterValue: [{ timestamp: stamp(), sampledValue: [{ value: String(value), unit: "Wh" }] }],
  });

const cp = await connect(process.env.CSMS_URL);
let remote;
cp.answerGetConfiguration((request) =>
  cp.sendResponse(request.uniqueId, {
    configurationKey: [
      { key: "HeartbeatInterval", readonly: false, value: "60" },
      { key: "NumberOfConnectors", readonly: true, value: "1" },
    ],
  })
);
cp.answerChangeConfiguration((request) => cp.sendResponse(request.uniqueId, { status: "RebootRequired" }));
cp.answerDataTransfer((request) => cp.sendResponse(request.uniqueId, { status: "Accepted" }));
cp.answerTriggerMessage("StatusNotification", async (request) => {
  cp.sendResponse(request.uniqueId, { status: "Accepted" });
  await status(1, "Available");
});
cp.answerRemoteStartTransaction(async (request) => {
  cp.sendResponse(request.uniqueId, { status: "Accepted" });
  await status(1, "Preparing");
  remote = await cp.startTransaction({
    connectorId: 1,
    idTag: request.payload.idTag,
    meterStart: 3000,
    timestamp: stamp(),
  });
  await reading(remote.transactionId, 3200);
});
cp.answerRemoteStopTransaction(async (request) => {
  cp.sendResponse(request.uniqueId, { status: "Accepted" });
  await cp.stopTransaction({
    transactionId: request.payload.transactionId,
    meterStop: 3250,
    timestamp: stamp(),
    reason: "Remote",
  });
  await status(1, "Available");
});
for (const command of ["ChangeAvailability", "ClearChargingProfile"]) {
  cp[`answer${command}`]((request) => cp.sendResponse(request.uniqueId, { status: "Accepted" }));
}
cp.answerGetDiagnostics((request) => cp.sendResponse(request.uniqueId, { fileName: "diagnostics.txt" }));
cp.answerUpdateFirmware((request) => cp.sendResponse(request.uniqueId, {}));
cp.answerTriggerMessage("Heartbeat", async (request) => {
  cp.sendResponse(request.uniqueId, { status: "Accepted" });
  await cp.sendHeartbeat();
});
cp.answerReset((request) => {
  cp.sendResponse(request.uniqueId, { status: "Accepted" });
  setTimeout(() => {
    cp.close();
    process.exit(0);
  }, 100); // the answer has left by then
});

await cp.sendBootnotification({
  chargePointVendor: "vendor",
  chargePointModel: "1",
  chargePointSerialNumber: "EM-1",
  firmwareVersion: "1.0",
});
await cp.sendHeartbeat();
await status(0, "Available");
await status(1, "Available");
await cp.sendAuthorize({ idTag: "DEADBEEF" });
await status(1, "Preparing");
const local = await cp.startTransaction({ connectorId: 1, idTag: "DEADBEEF", meterStart: 1000, timestamp: stamp() });
await status(1, "Charging");
await reading(local.transactionId, 1700);
await cp.stopTransaction({ transactionId: local.transactionId, meterStop: 2500, timestamp: stamp(), idTag: "DEADBEEF" });
await status(1, "Finishing");
await status(1, "Available");
