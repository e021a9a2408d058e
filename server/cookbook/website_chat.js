// Asks a member for a chat, says something, and waits for the answer. With Node 18 or newer.
//
// ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... node website_chat.js USER_ID "Still for sale?"
//
// A page has EventSource for what listen() does: new EventSource(`/chat/events?access_token=${token}`).

"use strict";

const { ADDRESS, NAME, PASSWORD } = process.env;
const [other, text] = process.argv.slice(2);

async function post(path, sent, headers = {}) {
  const body = JSON.stringify(sent);
  const answer = await fetch(ADDRESS + path, { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

async function* listen(headers) {
  const answer = await fetch(`${ADDRESS}/chat/events`, { headers });
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

async function main() {
  const { accessToken, userId } = await post("/auth/token", { username: NAME, password: PASSWORD });
  const headers = { Authorization: `Bearer ${accessToken}` };
  // Who listens before he speaks misses no answer: the first event tells how things stand.
  const events = listen(headers);
  await events.next();
  const chat = await post("/chat", { userId: Number(other) }, headers);
  const said = await post(`/chat/${chat.id}/messages`, { text }, headers);
  console.log(`${userId}: ${said.text}`);
  for await (const { event, data } of events) {
    if (event === "message" && data.chatId === chat.id && data.message.userId !== userId) {
      console.log(`${data.message.userId}: ${data.message.text}`);
      process.exit();
    }
  }
}

main();
