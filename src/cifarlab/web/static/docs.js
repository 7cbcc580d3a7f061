// The OpenAPI description as a page: FastAPI's own would load its scripts from another host.

import { byId, make } from "./dom.js";

const description = await (await fetch("/api/openapi.json")).json();
const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);
byId("operations").replaceChildren(...operations.map(card));

function card({ path, method, operation }) {
  const parameters = operation.parameters ?? [];
  return make("section", { class: "card operation" },
    make("h2", {}, make("span", { class: "method" }, method), " ", make("code", {}, path)),
    make("p", {}, operation.summary),
    operation.requestBody ? make("p", { class: "note" }, operation.requestBody.description) : null,
    parameters.length ? table(["Parameter", "Type", "Meaning"], parameters.map(parameterRow)) : null,
    ...answer(operation),
    make("pre", { tabindex: "0", "aria-label": "Example" }, example(path, method)),
  );
}

function parameterRow(parameter) {
  const meaning = [parameter.description, parameter.required ? "needed" : byDefault(parameter.schema)].filter(Boolean).join("; ");
  return [make("code", {}, parameter.name), `${typeOf(parameter.schema)} (${parameter.in})`, meaning];
}

function byDefault(schema) {
  return schema.default === undefined || schema.default === null ? "" : `otherwise ${schema.default}`;
}

function answer(operation) {
  const schema = resolved(operation.responses["200"].content["application/json"].schema);
  const rows = Object.entries(schema.properties ?? {}).map(([field, value]) => [make("code", {}, field), typeOf(value)]);
  return [make("details", {}, make("summary", {}, `Answer: ${schema.description ?? ""}`), table(["Field", "Type"], rows))];
}

function resolved(schema) {
  return schema.$ref ? description.components.schemas[schema.$ref.split("/").at(-1)] : schema;
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeOf).join(", ")}]`;
  if (schema.type === "array") return `${typeOf(schema.items)}[]`;
  if (schema.enum) return schema.enum.map((each) => `"${each}"`).join(" or ");
  if (schema.additionalProperties) return `object of ${typeOf(schema.additionalProperties)}`;
  return schema.type ?? "any";
}

function table(heads, rows) {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heads[0] },
    make("table", {},
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((value) => make("td", {}, value))))),
    ));
}

function example(path, method) {
  const address = `${location.origin}${path.replace("{name}", "RUN")}`;
  return method === "POST" ? `curl -F picture=@photo.jpg ${address}` : `curl ${address}`;
}
