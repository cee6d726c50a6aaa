// What both scripts share: PDUs as JSON, and commands as lines of JSON.
//
// In: lines on standard input. Out: lines on standard output. Octets are {"hex": "..."} in
// commands and plain hexadecimal in what is told. The process ends with its standard input, so
// nothing stays behind when the test is killed.
"use strict";

const readline = require("node:readline");

function tell(event) {
  process.stdout.write(JSON.stringify(event) + "\n");
}

// A parsed PDU as it is: every field the library made of it, octets as hexadecimal.
function shown(pdu) {
  const fields = JSON.parse(JSON.stringify(pdu), (key, value) =>
    value !== null && value.type === "Buffer" ? Buffer.from(value.data).toString("hex") : value,
  );
  delete fields.command_length;
  return fields;
}

function octets(value) {
  if (Array.isArray(value)) return value.map(octets);
  if (value === null || typeof value !== "object") return value;
  if ("hex" in value) return Buffer.from(value.hex, "hex");
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, octets(field)]));
}

// Calls `take` with each command; whatever it throws ends the process, and the test with it.
function commands(take) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => take(octets(JSON.parse(line))));
  lines.on("close", () => process.exit(0));
}

module.exports = { commands, shown, tell };
