// The graphql-sse client follows an answer and resumes in the middle of it.
import { createClient } from "graphql-sse";
import { assert, check, follow, headers, send, untilTurnEnds, url } from "./node.js";

const client = createClient({ url: `${url}/graphql`, headers });
const sent = await send("graphql-sse");
const id = sent.conversation.id;
const updates = await untilTurnEnds(client.iterate({ query: follow, variables: { id, after: "0" } }));
check("graphql-sse", updates);
const half = Math.floor(updates.length / 2);
const after = updates[half].cursor;
const rest = await untilTurnEnds(client.iterate({ query: follow, variables: { id, after } }));
assert(JSON.stringify(rest) === JSON.stringify(updates.slice(half + 1)), "graphql-sse: resumed with something else");
console.log("graphql-sse: resumed");
process.exit(0);
