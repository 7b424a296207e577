// The graphql-ws client follows an answer, resumes in the middle of it, and asks over the socket.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { assert, check, follow, headers, send, untilTurnEnds, url } from "./node.js";

const client = createClient({
  url: `${url.replace("http", "ws")}/graphql/ws`,
  webSocketImpl: WebSocket,
  connectionParams: headers,
});
const sent = await send("graphql-ws");
const id = sent.conversation.id;
const updates = await untilTurnEnds(client.iterate({ query: follow, variables: { id, after: "0" } }));
check("graphql-ws", updates);
const half = Math.floor(updates.length / 2);
const after = updates[half].cursor;
const rest = await untilTurnEnds(client.iterate({ query: follow, variables: { id, after } }));
assert(JSON.stringify(rest) === JSON.stringify(updates.slice(half + 1)), "graphql-ws: resumed with something else");
for await (const { data } of client.iterate({ query: "{ viewer { id tenant } }" })) {
  assert(data.viewer.id.length > 0, "graphql-ws: no viewer");
}
await client.dispose();

// A false token closes the socket with 4403, and the client says so.
const stranger = createClient({
  url: `${url.replace("http", "ws")}/graphql/ws`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: "Bearer false" },
  retryAttempts: 0,
});
const code = await new Promise((resolve) => {
  stranger.subscribe({ query: "{ viewer { id } }" }, { next() {}, complete() {}, error: (event) => resolve(event.code) });
});
assert(code === 4403, `graphql-ws: a false token closed with ${code}`);
console.log("graphql-ws: resumed, asked, and was refused with a false token");
process.exit(0);
