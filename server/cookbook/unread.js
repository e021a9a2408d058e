// Prints what is unread, from every app, and marks it as read. With Node 18 or newer.
//
// ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... node unread.js

"use strict";

const { ADDRESS, NAME, PASSWORD } = process.env;

async function call(verb, path, token, sent) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(ADDRESS + path, { method: verb, headers, body: sent && JSON.stringify(sent) });
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

async function read(chat, userId, token) {
  const messages = `/chat/${chat.id}/messages?limit=100`;
  const names = Object.fromEntries(chat.users.map((user) => [user.id, user.displayName]));
  const byOthers = (said) => said.filter((message) => message.userId !== userId);
  const show = (said) => byOthers(said).forEach(({ userId, text }) => console.log(`${names[userId] ?? chat.name}: ${text}`));
  // From the last message of the list upwards, until there are as many as the list has counted.
  const found = [chat.lastMessage];
  while (byOthers(found).length < chat.totalUnreadMessages) {
    const page = await call("GET", `${messages}&before=${found.at(-1).id}`, token);
    if (page.length === 0) break;
    found.push(...page);
  }
  console.log(`# ${chat.name} (${chat.app})`);
  show(byOthers(found).slice(0, chat.totalUnreadMessages).reverse());
  // This call marks all, also what came after the list was made: so that is shown as well.
  await call("POST", `/chat/${chat.id}/read`, token);
  for (let last = chat.lastMessage, page; last; last = page.at(-1)) {
    page = await call("GET", `${messages}&order=asc&after=${last.id}`, token);
    show(page);
  }
}

async function main() {
  const { accessToken: token, userId } = await call("POST", "/auth/token", "", { username: NAME, password: PASSWORD });
  try {
    for (const chat of await call("GET", "/chat?limit=100", token)) {
      if (chat.totalUnreadMessages > 0) await read(chat, userId, token);
    }
    console.log(`${(await call("GET", "/chat/unread", token)).totalUnreadMessages} messages are still unread.`);
  } finally {
    await call("DELETE", "/auth/token", token);
  }
}

main();
