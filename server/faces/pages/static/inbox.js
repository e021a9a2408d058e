"use strict";

// Keeps a page of the inbox as it would be if it were opened now; without it the page is as it was when it was opened.
const title = document.title;
let wanted = false;
let busy = false;

function replace(now, next) {
  // Whoever goes from link to link by the keyboard stays where he is.
  const focused = now.contains(document.activeElement) && document.activeElement.getAttribute("href");
  now.replaceWith(next);
  if (focused) next.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

async function refresh() {
  // What is not looked at is not read yet.
  if (!wanted || busy || document.hidden) return;
  wanted = false;
  busy = true;
  try {
    const answer = await fetch(location.href);
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = document.querySelector("[data-live]");
      const next = fresh.querySelector("[data-live]");
      if (next && now.innerHTML !== next.innerHTML) replace(now, document.adoptNode(next));
    }
  } finally {
    busy = false;
    refresh();
  }
}

function happened() {
  wanted = true;
  refresh();
}

const events = new EventSource("/inbox/events");
for (const kind of ["message", "request", "accepted", "declined", "read"]) {
  events.addEventListener(kind, happened);
}
// The first thing that is told is how things stand now: something may have come since the page was made.
events.addEventListener("totals", happened, { once: true });
events.addEventListener("totals", (event) => {
  const { totalUnreadMessages, totalPendingRequest } = JSON.parse(event.data);
  const waiting = totalUnreadMessages + totalPendingRequest;
  document.title = waiting ? `(${waiting}) ${title}` : title;
});
document.addEventListener("visibilitychange", refresh);
addEventListener("pagehide", () => events.close());
