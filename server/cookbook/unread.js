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

async function main() {
  const { accessToken: token, userId } = await call("POST", "/auth/token", "", { username: NAME, password: PASSWORD });
  for (const chat of await call("GET", "/chat?limit=100", token)) {
    if (chat.totalUnreadMessages > 0) {
      console.log(`# ${chat.name} (${chat.app})`);
      const newest = await call("GET", `/chat/${chat.id}/messages?limit=100`, token);
      const unread = newest.filter((message) => message.userId !== userId).slice(0, chat.totalUnreadMessages);
      const names = Object.fromEntries(chat.users.map((user) => [user.id, user.displayName]));
      for (const message of unread.reverse()) {
        console.log(`${names[message.userId] ?? chat.name}: ${message.text}`);
      }
      await call("POST", `/chat/${chat.id}/read`, token);
    }
  }
  const { totalUnreadMessages } = await call("GET", "/chat/unread", token);
  console.log(`${totalUnreadMessages} messages are still unread.`);
  await call("DELETE", "/auth/token", token);
}

main();
