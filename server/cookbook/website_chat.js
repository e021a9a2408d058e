// Asks a member for a chat, says something, and waits for the answer. With Node 18 or newer.
//
// ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... node website_chat.js USER_ID "Still for sale?"
//
// A page has EventSource for what listen() does: new EventSource(`/chat/events?access_token=${token}`).

"use strict";

const { ADDRESS, NAME, PASSWORD } = process.env;
const [other, text] = process.argv.slice(2);

async function ask(verb, path, sent, headers = {}) {
  const body = JSON.stringify(sent);
  const answer = await fetch(ADDRESS + path, { method: verb, headers: { ...headers, "Content-Type": "application/json" }, body });
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

async function* listen(headers, signal) {
  const answer = await fetch(`${ADDRESS}/chat/events`, { headers, signal });
  let waiting = "";
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (waiting + chunk).split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.data) yield { event: fields.event, data: JSON.parse(fields.data) };
    }
  }
}

async function talk(userId, headers, signal) {
  // Who listens before he speaks misses no answer: the first event tells how things stand.
  const events = listen(headers, signal);
  await events.next();
  const chat = await ask("POST", "/chat", { userId: Number(other) }, headers);
  const said = await ask("POST", `/chat/${chat.id}/messages`, { text }, headers);
  console.log(`${userId}: ${said.text}`);
  for await (const { event, data } of events) {
    if (event === "message" && data.chatId === chat.id && data.message.userId !== userId) {
      return console.log(`${data.message.userId}: ${data.message.text}`);
    }
  }
}

async function main() {
  const { accessToken, userId } = await ask("POST", "/auth/token", { username: NAME, password: PASSWORD });
  const headers = { Authorization: `Bearer ${accessToken}` };
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  // A token is good until it is given back, also where the talk ended in a refusal or with Ctrl+C.
  await talk(userId, headers, stop.signal).finally(() => ask("DELETE", "/auth/token", undefined, headers));
}

main().then(process.exit, (error) => {
  console.error(error.message);
  process.exit(1);
});
