"""`/docs`: the OpenAPI document as one page, for people.

In: nothing. Out: a self-contained page (no other origin is asked for anything) that renders
`/openapi.json` in the browser, with a curl command to copy for each operation.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http.call import Answer, Call

PAGE: Final = r"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Aldis API</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid;
  grid-template-columns: 17rem minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem;
  box-sizing: border-box; border-right: 1px solid var(--line); font-size: .85rem; }
nav a { display: block; text-decoration: none; color: inherit; padding: .1rem 0; }
nav a:hover, nav a:focus { text-decoration: underline; }
main { padding: 1rem 2rem 6rem; max-width: 60rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow: auto; position: relative; margin: .5rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre button { position: absolute; top: .4rem; right: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0;
  border-bottom: 1px solid var(--line); }
.method { display: inline-block; min-width: 4.2em; font-weight: 700; }
.soft { opacity: .7; }
:target { background: #ff02; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; } }
</style>
<nav aria-label="Operations"><p>Loading…</p></nav>
<main><p>Loading <a href="openapi.json">openapi.json</a>…</p></main>
<script>
"use strict";
const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
};
// Back-ticks and ** of the descriptions; textContent keeps everything else harmless.
const prose = (text) => {
  const box = make("div");
  for (const paragraph of (text || "").split(/\n\n+/)) {
    const p = make("p");
    for (const piece of paragraph.split(/(`[^`]*`|\*\*[^*]*\*\*)/)) {
      if (piece.startsWith("`")) p.append(make("code", { textContent: piece.slice(1, -1) }));
      else if (piece.startsWith("**")) p.append(make("b", { textContent: piece.slice(2, -2) }));
      else p.append(piece);
    }
    box.append(p);
  }
  return box;
};
let api;
const resolve = (schema) =>
  schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((at, step) => at[step], api)
    : schema || {};
const typeOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const either = schema.anyOf || schema.oneOf;
  if (either) return either.map(typeOf).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items) || "anything"}`;
  if (schema.type === "object" && schema.additionalProperties)
    return `object of ${typeOf(schema.additionalProperties)}`;
  return schema.format || schema.type || "anything";
};
const limits = (schema) => {
  const all = [schema, ...(schema.anyOf || [])];
  const names = { minimum: "≥ ", maximum: "≤ ", maxLength: "length ≤ ", maxItems: "entries ≤ ",
    maxProperties: "entries ≤ ", minItems: "entries ≥ " };
  const found = all.flatMap((one) => Object.entries(names)
    .filter(([key]) => key in one).map(([key, sign]) => sign + one[key]));
  if (schema.default !== undefined && schema.default !== null)
    found.push(`default ${JSON.stringify(schema.default)}`);
  return found.join(", ");
};
const describe = (schema) =>
  schema.description || (schema.anyOf || []).map((one) => one.description).find(Boolean) || "";
const example = (given, depth = 0) => {
  const schema = resolve(given);
  if (schema.examples) return schema.examples[0];
  if (schema.default !== undefined && schema.default !== null && !schema.items)
    return schema.default;
  if (schema.enum) return schema.enum[0];
  const either = schema.anyOf || schema.oneOf;
  if (either) return example(either.find((one) => one.type !== "null"), depth);
  if (schema.type === "object" || schema.properties) {
    if (depth > 4) return {};
    return Object.fromEntries(Object.entries(schema.properties || {})
      .filter(([name]) => (schema.required || []).includes(name) || name === "from"
        || name === "recipients")
      .map(([name, value]) => [name, example(value, depth + 1)]));
  }
  if (schema.type === "array") return depth > 4 || !schema.items ? [] :
    [example(schema.items, depth + 1)];
  if (schema.format === "date-time") return "2026-11-23T11:30:00+03:00";
  if (schema.type === "integer" || schema.type === "number") return schema.minimum || 1;
  if (schema.type === "boolean") return true;
  return "…";
};
const fields = (given, seen = []) => {
  const schema = resolve(given);
  const rows = Object.entries(schema.properties || {});
  if (!rows.length) return "";
  const body = make("tbody");
  const nested = new Map();
  for (const [name, value] of rows) {
    const note = [describe(value), limits(value)].filter(Boolean).join(" — ");
    body.append(make("tr", {},
      make("td", {}, make("code", { textContent: name }),
        (schema.required || []).includes(name) ? " *" : ""),
      make("td", { textContent: typeOf(value) }), make("td", { textContent: note })));
    for (const match of JSON.stringify(value).matchAll(/#\/components\/schemas\/(\w+)/g))
      nested.set(match[1], match[0]);
  }
  const box = make("div", {}, make("table", {}, body));
  for (const [name, ref] of nested) {
    if (seen.includes(name)) continue;
    box.append(make("details", {}, make("summary", { textContent: name }),
      fields({ $ref: ref }, [...seen, name])));
  }
  return box;
};
const copyable = (text) => {
  const button = make("button", { type: "button", textContent: "Copy" });
  button.onclick = async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(button.parentNode); }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  return make("pre", {}, make("code", { textContent: text }), button);
};
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const curl = (method, path, operation) => {
  const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}` +
    quoted(location.origin + path.replace("{id}", "ID"))];
  if (operation.security) lines.push(`-H "Authorization: Bearer $ALDIS_KEY"`);
  const content = Object.entries(operation.requestBody?.content || {})[0];
  if (content) {
    lines.push(`-H 'Content-Type: ${content[0]}'`);
    if ((operation.parameters || []).some((one) => one.name === "Idempotency-Key"))
      lines.push(`-H "Idempotency-Key: $(uuidgen)"`);
    lines.push(content[0] === "application/json"
      ? `-d ${quoted(JSON.stringify(example(content[1].schema)))}`
      : "--data-binary @recipients.ndjson");
  }
  return lines.join(" \\\n  ");
};
const show = (method, path, operation) => {
  const section = make("section", { id: operation.operationId },
    make("h3", {}, make("span", { className: "method", textContent: method }), " ",
      make("code", { textContent: path })),
    make("p", { textContent: operation.summary + (operation["x-scope"]
      ? ` (scope ${operation["x-scope"]})` : "") }),
    prose(operation.description), copyable(curl(method, path, operation)));
  const parameters = make("tbody");
  for (const one of operation.parameters || [])
    parameters.append(make("tr", {},
      make("td", {}, make("code", { textContent: one.name }), one.required ? " *" : ""),
      make("td", { textContent: `${one.in}, ${typeOf(one.schema)}` }),
      make("td", { textContent: [one.description, limits(one.schema)].filter(Boolean)
        .join(" — ") })));
  if (parameters.children.length)
    section.append(make("h4", { textContent: "Parameters" }), make("table", {}, parameters));
  for (const [media, content] of Object.entries(operation.requestBody?.content || {}))
    section.append(make("h4", { textContent: `Body: ${media}` }), fields(content.schema));
  const answers = make("tbody");
  for (const [status, given] of Object.entries(operation.responses)) {
    const response = resolve(given);
    const cell = make("td", { className: status >= 400 ? "soft" : "",
      textContent: response.description });
    for (const [media, content] of Object.entries(response.content || {}))
      if (status < 400)
        cell.append(make("details", {},
          make("summary", { textContent: `${media}: ${typeOf(content.schema)}` }),
          fields(content.schema)));
    answers.append(make("tr", {}, make("td", { textContent: status }), cell));
  }
  section.append(make("h4", { textContent: "Answers" }), make("table", {}, answers));
  return section;
};
const problems = () => {
  const body = make("tbody");
  for (const one of api["x-problems"])
    body.append(make("tr", { id: `problem-${one.code}` },
      make("td", {}, make("code", { textContent: one.code })),
      make("td", { textContent: one.status }), make("td", { textContent: one.title })));
  return make("section", { id: "problems" }, make("h2", { textContent: "Problem codes" }),
    make("table", {}, body));
};
(async () => {
  const main = document.querySelector("main"), nav = document.querySelector("nav");
  try {
    api = await (await fetch("openapi.json")).json();
  } catch (error) {
    main.textContent = `openapi.json could not be loaded: ${error.message}`;
    return;
  }
  main.replaceChildren(make("h1", { textContent: `${api.info.title} ${api.info.version}` }),
    prose(api.info.description));
  nav.replaceChildren();
  for (const { name } of api.tags) {
    nav.append(make("b", { textContent: name }));
    main.append(make("h2", { textContent: name }));
    for (const [path, operations] of Object.entries(api.paths))
      for (const [verb, operation] of Object.entries(operations)) {
        if (!operation.tags.includes(name)) continue;
        const method = verb.toUpperCase();
        main.append(show(method, path, operation));
        nav.append(make("a", { href: `#${operation.operationId}`, title: `${method} ${path}`,
          textContent: operation.summary }));
      }
  }
  main.append(problems());
  nav.append(make("a", { href: "#problems", textContent: "Problem codes" }));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
})();
</script>
</html>
"""

_BODY: Final = PAGE.encode()


async def get(call: Call) -> Answer:
    """The page. It may load from its own origin only, whatever a description might hold."""
    return Answer(
        200,
        _BODY,
        "text/html; charset=utf-8",
        (
            (
                "Content-Security-Policy",
                "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; "
                "script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
    )
