// Says something in a conversation once, however often it has to be sent. With Node 18 or newer, or in a browser.
//
// ADDRESS=http://127.0.0.1:8000 TOKEN=... node send_once.js CONVERSATION "On my way."

"use strict";

async function sendOnce(url, token, text) {
  const headers = {
    "Content-Type": "application/json",
    Authorization: `Bearer ${token}`,
    "Idempotency-Key": crypto.randomUUID(),
  };
  for (const pause of [200, 1000, 5000, 20000]) {
    let answer, reason;
    try {
      answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ text }) });
      const body = await answer.json();
      if (answer.ok) return body;
      reason = body.detail;
    } catch (error) {
      reason = error;
    }
    if (answer?.status >= 400 && answer.status < 500 && answer.status !== 429) throw new Error(reason);
    // No answer, half of one, or a server that cannot write for a moment: the same again, under the same key.
    console.log(`Once more, after: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new Error("The server does not answer.");
}

const [conversation, text] = process.argv.slice(2);
const { ADDRESS, TOKEN } = process.env;
sendOnce(`${ADDRESS}/chat/${conversation}/messages`, TOKEN, text).then(
  (message) => console.log(`It is message ${message.id}.`),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
