// Shows the installation's own OpenAPI document. Every text of it is put in as text, never
// as markup; what is folded is made when it is opened.
"use strict";

const ADDRESS = "/api/v1/openapi.json";
const BOUNDS = {
  format: "", pattern: "pattern ", const: "always ", default: "default ",
  minimum: "from ", maximum: "to ", minLength: "min. length ", maxLength: "max. length ",
  minItems: "at least ", maxItems: "at most ", maxProperties: "at most ",
};

let described;

function make(name, text, ...children) {
  const element = document.createElement(name);
  if (text) {
    element.textContent = text;
  }
  element.append(...children);
  return element;
}

function note(text) {
  const element = make("span", ` ${text}`);
  element.className = "note";
  return element;
}

// Backquotes are all the markup that descriptions use.
function prose(text, name = "p") {
  const parts = text.split(/`+([^`]+)`+/);
  return make(name, "", ...parts.map((part, at) => (at % 2 ? make("code", part) : part)));
}

function resolve(value) {
  let found = value;
  while (found?.$ref) {
    found = found.$ref.split("/").slice(1).reduce((place, step) => place[step], described);
  }
  return found ?? {};
}

function nameOf(schema) {
  if (schema.$ref) {
    return schema.$ref.split("/").pop();
  }
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) {
    return choices.map(nameOf).join(schema.allOf ? " and " : " or ");
  }
  if (schema.enum) {
    return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  }
  if (schema.type === "array") {
    return `list of ${nameOf(schema.items ?? {})}`;
  }
  if (schema.patternProperties || typeof schema.additionalProperties === "object") {
    const values = schema.patternProperties ?? { any: schema.additionalProperties };
    return `map to ${Object.values(values).map(nameOf).join(" or ")}`;
  }
  return [schema.type ?? "anything"].flat().join(" or ");
}

function boundsOf(schema) {
  const plain = [schema, ...(schema.anyOf ?? [])];
  return plain
    .flatMap((one) => Object.entries(BOUNDS)
      .filter(([key]) => one[key] !== undefined && one[key] !== null)
      .map(([key, words]) => words + (typeof one[key] === "string" ? one[key] : JSON.stringify(one[key]))))
    .join(", ");
}

// The schemas below one that have fields of their own to show.
function structured(schema) {
  if (schema.$ref) {
    return structured(resolve(schema)).map((one) => ({ name: nameOf(schema), ...one }));
  }
  const below = [schema.anyOf, schema.oneOf, schema.allOf].flatMap((some) => some ?? []);
  if (schema.items) {
    below.push(schema.items);
  }
  if (typeof schema.additionalProperties === "object") {
    below.push(schema.additionalProperties);
  }
  below.push(...Object.values(schema.patternProperties ?? {}));
  const found = below.flatMap(structured);
  return schema.properties ? [{ name: schema.title ?? "fields", schema }, ...found] : found;
}

function fold(summary, fill) {
  const element = make("details", "", summary);
  element.addEventListener("toggle", () => {
    if (element.open && element.childElementCount === 1) {
      fill(element);
    }
  });
  return element;
}

function fieldRow(name, schema, isRequired, description) {
  const row = make("li", "", make("code", name), note(nameOf(schema)));
  const bounds = boundsOf(schema);
  row.append(note([isRequired ? "required" : "", bounds].filter(Boolean).join(", ")));
  const told = description ?? schema.description;
  if (told) {
    row.append(prose(told));
  }
  row.append(...shapes(schema));
  return row;
}

function shapes(schema) {
  return structured(schema).map((one) => fold(make("summary", one.name), (element) => {
    if (one.schema.description) {
      element.append(prose(one.schema.description));
    }
    const required = one.schema.required ?? [];
    const fields = Object.entries(one.schema.properties);
    element.append(list(fields.map(([name, field]) => fieldRow(name, field, required.includes(name)))));
  }));
}

function list(rows) {
  const element = make("ul", "", ...rows);
  element.className = "fields";
  return element;
}

function contentRows(content) {
  return Object.entries(content ?? {}).map(([kind, { schema = {} }]) =>
    make("li", "", make("code", kind), note(nameOf(schema)), ...shapes(schema)));
}

function fillOperation(element, operation) {
  if (operation.description) {
    element.append(prose(operation.description));
  }
  const access = operation.security.map((one) =>
    (one.personal ? `a personal token for ${one.personal.join(", ")}` : one.bearer ? "an access token" : "nothing"));
  element.append(make("p", `Needs ${access.join(" or ") || "no token"}.`));
  if (operation.parameters) {
    element.append(make("h3", "Parameters"), list(operation.parameters.map((one) =>
      fieldRow(`${one.name} (${one.in})`, one.schema, one.required, one.description))));
  }
  if (operation.requestBody) {
    element.append(make("h3", "Body"), list(contentRows(operation.requestBody.content)));
  }
  element.append(make("h3", "Answers"), list(Object.entries(operation.responses).map(([status, one]) => {
    const response = resolve(one);
    const row = make("li", "", make("code", status), " ", prose(response.description, "span"));
    const rows = contentRows(response.content);
    return rows.length ? (row.append(list(rows)), row) : row;
  })));
}

function operationElement(method, path, operation) {
  const summary = make("summary", "", make("b", method), make("code", path), note(operation.summary));
  if (operation.deprecated) {
    summary.append(note("(deprecated)"));
  }
  const element = fold(summary, (opened) => fillOperation(opened, operation));
  element.id = operation.operationId;
  element.classList.toggle("deprecated", operation.deprecated === true);
  element.dataset.text = [method, path, operation.operationId, operation.summary, operation.description]
    .join(" ").toLowerCase();
  return element;
}

function showAll() {
  document.getElementById("page-about").replaceWith(prose(described.info.description));
  document.title = `API ${described.info.version} · Parley`;
  const sections = new Map(described.tags.map(({ name, description }) =>
    [name, make("section", "", make("h2", name), prose(description))]));
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      sections.get(operation.tags[0]).append(operationElement(method.toUpperCase(), path, operation));
    }
  }
  document.getElementById("page-tags").append(...sections.values());
}

function filter() {
  const wanted = document.getElementById("page-wanted").value.trim().toLowerCase();
  let count = 0;
  for (const section of document.querySelectorAll("#page-tags > section")) {
    const operations = [...section.querySelectorAll(":scope > details")];
    for (const operation of operations) {
      operation.hidden = !operation.dataset.text.includes(wanted);
    }
    const shown = operations.filter((operation) => !operation.hidden).length;
    section.hidden = shown === 0;
    count += shown;
  }
  document.getElementById("page-count").textContent = `${count} operations`;
}

function openNamed() {
  const element = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (element instanceof HTMLDetailsElement) {
    element.open = true;
    element.scrollIntoView();
  }
}

async function load() {
  try {
    const response = await fetch(ADDRESS, { credentials: "omit" });
    if (!response.ok) {
      throw new Error(String(response.status));
    }
    described = await response.json();
  } catch {
    document.getElementById("page-about").textContent =
      "The description could not be fetched. Try again shortly.";
    return;
  }
  showAll();
  filter();
  openNamed();
  document.getElementById("page-wanted").addEventListener("input", filter);
  window.addEventListener("hashchange", openNamed);
}

load();
