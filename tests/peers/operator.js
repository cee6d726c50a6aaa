// Operators made of npm's smpp, one on each port: what they parsed, and what they may be told to do.
//
// In: the operators as JSON in the first argument; commands on standard input.
//   {name, password, receipts: "text" | "both" | "tlv" | "none", tls: {key, cert}}
//   {"operator": name, "answer": [status, ...]}      for the next submit_sm
//   {"operator": name, "send": "deliver_sm", "fields": {...}}
// Out: {"event": "listening", ports}, {"event": "pdu", ...} for every PDU that came, {"event":
// "closed"} for every connection that is gone.
"use strict";

const fs = require("node:fs");
const smpp = require("smpp");
const { commands, shown, tell } = require("./wire");

const FAILING = /13$/; // recipients whose number ends so are not reached
const RECEIVES = ["bind_receiver", "bind_transceiver"];

class Operator {
  constructor(settings) {
    this.settings = settings;
    this.answers = [];
    this.sessions = [];
    this.messages = 0;
    const { tls } = settings;
    const options = tls
      ? { key: fs.readFileSync(tls.key), cert: fs.readFileSync(tls.cert) }
      : {};
    this.server = smpp.createServer(options, (session) => this.meet(session));
  }

  meet(session) {
    session.on("pdu", (pdu) => {
      tell({ event: "pdu", operator: this.settings.name, kind: session.kind, ...shown(pdu) });
      this.take(session, pdu);
    });
    session.on("error", (error) => tell({ event: "error", text: String(error) }));
    session.on("close", () => {
      this.sessions = this.sessions.filter((other) => other !== session);
      tell({ event: "closed", operator: this.settings.name, kind: session.kind });
    });
  }

  take(session, pdu) {
    if (pdu.command.startsWith("bind_") && !pdu.isResponse()) {
      if (pdu.password !== this.settings.password) {
        session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
        session.close();
        return;
      }
      session.kind = pdu.command;
      this.sessions.push(session);
      session.send(pdu.response({ system_id: "npm", sc_interface_version: 0x34 }));
    } else if (pdu.command === "submit_sm") {
      const status = this.answers.shift() || 0;
      if (status) {
        session.send(pdu.response({ command_status: status }));
        return;
      }
      const id = `${this.settings.name}-${++this.messages}`;
      session.send(pdu.response({ message_id: id }));
      if (pdu.registered_delivery & 1) this.receipt(pdu, id);
    } else if (pdu.command === "enquire_link") {
      session.send(pdu.response());
    } else if (pdu.command === "unbind") {
      session.send(pdu.response());
      session.close();
    } else if (pdu.command === "unbind_resp") {
      session.close();
    }
  }

  receipt(pdu, id) {
    const mode = this.settings.receipts;
    if (mode === "none") return;
    const failed = FAILING.test(pdu.destination_addr);
    const fields = {
      esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
      source_addr_ton: 1,
      source_addr_npi: 1,
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
    };
    if (mode !== "tlv") {
      const date = new Date().toISOString().replace(/\D/g, "").slice(2, 12);
      fields.short_message =
        `id:${id} sub:001 dlvrd:${failed ? "000" : "001"} submit date:${date} done date:${date} ` +
        `stat:${failed ? "UNDELIV" : "DELIVRD"} err:${failed ? "027" : "000"} text:`;
    }
    if (mode !== "text") {
      fields.receipted_message_id = id;
      fields.message_state = failed
        ? smpp.MESSAGE_STATE.UNDELIVERABLE
        : smpp.MESSAGE_STATE.DELIVERED;
      if (failed) fields.network_error_code = Buffer.from([3, 0, 27]);
    }
    this.receiver.deliver_sm(fields);
  }

  get receiver() {
    return this.sessions.find((session) => RECEIVES.includes(session.kind));
  }

  obey(command) {
    if (command.answer) this.answers.push(...command.answer);
    if (command.send) this.receiver[command.send](command.fields || {});
  }
}

const operators = new Map();
for (const settings of JSON.parse(process.argv[2])) {
  operators.set(settings.name, new Operator(settings));
}
const ports = {};
let waiting = operators.size;
for (const [name, operator] of operators) {
  operator.server.listen(0, "127.0.0.1", () => {
    ports[name] = operator.server.address().port;
    waiting -= 1;
    if (!waiting) tell({ event: "listening", ports });
  });
}
commands((command) => operators.get(command.operator).obey(command));
