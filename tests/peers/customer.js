// A customer made of npm's smpp: binds, sends what it is told to, answers what it is asked.
//
// In: {port, host, ca, enquire} as JSON in the first argument; commands on standard input.
//   {"send": "submit_sm", "fields": {...}}   any request; fields.sequence_number may be given
//   {"silent": true}                         deliver_sm is left without an answer from now on
//   {"refuse": status}                       the next deliver_sm is answered with it
//   {"close": true}                          end the connection
// Out: {"event": "connected"}, {"event": "pdu", ...} for every PDU that came, {"event": "closed"}.
"use strict";

const fs = require("node:fs");
const smpp = require("smpp");
const { commands, shown, tell } = require("./wire");

const { port, ca, enquire } = JSON.parse(process.argv[2]);
const session = smpp.connect({
  host: "127.0.0.1",
  port,
  tls: Boolean(ca),
  ca: ca ? fs.readFileSync(ca) : undefined,
  servername: ca ? "smpp.example" : undefined,
  auto_enquire_link_period: enquire,
});
let silent = false;
let refuse = 0;

session.on(ca ? "secureConnect" : "connect", () => tell({ event: "connected" }));
session.on("error", (error) => tell({ event: "error", text: String(error) }));
session.on("close", () => tell({ event: "closed" }));
session.on("pdu", (pdu) => {
  tell({ event: "pdu", ...shown(pdu) });
  if (pdu.command === "deliver_sm") {
    if (!silent) session.send(pdu.response({ command_status: refuse }));
    refuse = 0;
  } else if (pdu.command === "enquire_link") {
    session.send(pdu.response());
  } else if (pdu.command === "unbind") {
    session.send(pdu.response());
    session.close();
  }
});

commands((command) => {
  if ("silent" in command) silent = command.silent;
  if ("refuse" in command) refuse = command.refuse;
  if (command.send) session[command.send](command.fields || {});
  if (command.close) session.close();
});
