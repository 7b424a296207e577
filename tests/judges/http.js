// graphql-http's own audit of GraphQL over HTTP: every one of its audits has to be "ok".
import { auditServer } from "graphql-http";
import { assert, headers, url } from "./node.js";

const fetchFn = (address, options = {}) => {
  const merged = new Headers(options.headers);
  for (const [name, value] of Object.entries(headers)) merged.set(name, value);
  return fetch(address, { ...options, headers: merged });
};
const results = await auditServer({ url: `${url}/graphql`, fetchFn });
const failed = results.filter((result) => result.status !== "ok");
for (const { id, name, status, reason } of failed) console.error(`${id} ${status}: ${name}: ${reason}`);
console.log(`graphql-http: ${results.length - failed.length} of ${results.length} audits are ok`);
assert(failed.length === 0 && results.length >= 61, "the audit found something");
