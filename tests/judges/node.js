// What the judges share: the node under test, a person's token, and a plain request.
// JUDGE_URL is the node's address (http://127.0.0.1:8080), JUDGE_TOKEN a token of it.

export const url = process.env.JUDGE_URL;
export const token = process.env.JUDGE_TOKEN;
if (!url || !token) {
  console.error("set JUDGE_URL and JUDGE_TOKEN");
  process.exit(2);
}
export const headers = { authorization: `Bearer ${token}` };

/** One GraphQL request; fails where the answer has errors. */
export async function ask(query, variables = {}) {
  const answer = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Sends a message that starts a conversation. */
export async function send(text) {
  const query = `mutation ($text: String!) {
    sendMessage(input: { text: $text }) { message { id } conversation { id } cursor errors { code } }
  }`;
  return (await ask(query, { text })).sendMessage;
}

export const follow = `subscription ($id: ID!, $after: Cursor) {
  conversationUpdates(conversationId: $id, after: $after) {
    __typename cursor
    ... on MessageSent { text }
    ... on ChunkProduced { index delta messageId }
    ... on MessageCompleted { text messageId }
  }
}`;

/** Reads an async iterable of results until the turn has ended. */
export async function untilTurnEnds(results) {
  const updates = [];
  for await (const { data, errors } of results) {
    if (errors) throw new Error(JSON.stringify(errors));
    updates.push(data.conversationUpdates);
    if (data.conversationUpdates.__typename === "TurnCompleted") return updates;
  }
  throw new Error("the stream ended before the turn did");
}

/** The answer's text is that of its chunks, which count from 0. */
export function check(name, updates) {
  const chunks = updates.filter((update) => update.__typename === "ChunkProduced");
  const end = updates.find((update) => update.__typename === "MessageCompleted");
  assert(chunks.length > 3, `${name}: only ${chunks.length} chunks`);
  assert(chunks.every((chunk, place) => chunk.index === place), `${name}: chunks are not in order`);
  assert(end.text === chunks.map((chunk) => chunk.delta).join(""), `${name}: the text is not that of the chunks`);
  console.log(`${name}: ${updates.length} updates, ${chunks.length} chunks`);
}

export function assert(holds, message) {
  if (!holds) {
    console.error(message);
    process.exit(1);
  }
}
