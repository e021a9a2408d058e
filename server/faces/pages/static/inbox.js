"use strict";

// Keeps a page of the inbox as it would be if it were opened now; without it the page is as it was when it was opened.
const KINDS = ["message", "request", "accepted", "declined", "read"];
const SOON = 3000;
const title = document.title;
let events = null;
let wanted = false;
let busy = false;
let patience = SOON;
let newest = Math.max(0, ...said(document).map(numberOf));

// Ever more seldom, and not all at the same moment, where a server is away for all of them.
function later(work) {
  setTimeout(work, patience * (1 + Math.random()));
  patience = Math.min(2 * patience, 16 * SOON);
}

function said(page) {
  return [...page.querySelectorAll("[data-said]")];
}

function numberOf(message) {
  return Number(message.dataset.said);
}

// Who cannot see that something has come is told by whom it is.
function tellNews() {
  const fresh = said(document).filter((message) => numberOf(message) > newest);
  if (!fresh.length) return;
  newest = Math.max(...fresh.map(numberOf));
  const names = [...new Set(fresh.map((message) => message.dataset.by))];
  document.getElementById("news").textContent = `New message from ${names.join(", ")}`;
}

// What the keyboard is at, on a newer page: where in a conversation a link leads to changes with what is read.
function again(element, next) {
  const link = element.closest("a[href]");
  const form = element.closest("form[action]");
  if (!link) return form && next.querySelector(`form[action="${CSS.escape(form.getAttribute("action"))}"] button`);
  const links = [...next.querySelectorAll("a[href]")];
  return links.find((each) => each.href === link.href) ?? links.find((each) => isAlike(each, link));
}

function isAlike(one, other) {
  return one.origin === other.origin && one.pathname === other.pathname && one.rel === other.rel;
}

function replace(now, next) {
  const focused = now.contains(document.activeElement) && document.activeElement;
  now.replaceWith(document.adoptNode(next));
  if (focused) again(focused, next)?.focus();
}

// What says itself what it is shows the same as long as it says so; what is being filled in stays for now.
function isOld(now, next) {
  if (now.dataset.live || next.dataset.live) return now.dataset.live !== next.dataset.live && !isUsed(now);
  return now.innerHTML !== next.innerHTML;
}

function isUsed(part) {
  const fields = [...part.querySelectorAll("textarea, input:not([type=hidden])")];
  return fields.some((field) => field.value || field === document.activeElement);
}

function show(fresh) {
  tellTimes(fresh);
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(now.id);
    if (next && isOld(now, next)) replace(now, next);
  }
  tellNews();
}

async function refresh() {
  // What is not looked at is not read yet.
  if (!wanted || busy || document.hidden) return;
  wanted = false;
  busy = true;
  try {
    const answer = await fetch(location.href);
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    else if (answer.status === 429 || answer.status >= 500) later(happened);
  } catch {
    later(happened);
  } finally {
    busy = false;
    refresh();
  }
}

function happened() {
  wanted = true;
  refresh();
}

// A browser has few connections to one server, so only a page that is seen keeps one.
function listen() {
  if (events || document.hidden) return;
  const stream = new EventSource("/inbox/events");
  let isNew = true;
  events = stream;
  for (const kind of KINDS) stream.addEventListener(kind, happened);
  stream.addEventListener("open", () => { isNew = true; });
  stream.addEventListener("totals", (event) => {
    const { totalUnreadMessages, totalPendingRequest } = JSON.parse(event.data);
    const waiting = totalUnreadMessages + totalPendingRequest;
    document.title = waiting ? `(${waiting}) ${title}` : title;
    // The first that is told is how things stand now: something may have come since the page was made.
    if (isNew) happened();
    isNew = false;
    patience = SOON;
  });
  stream.addEventListener("error", () => {
    // Only a line that breaks does a browser mend by itself.
    if (stream.readyState !== EventSource.CLOSED || stream !== events) return;
    events = null;
    later(listen);
  });
}

function rest() {
  events?.close();
  events = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
addEventListener("pagehide", rest);
addEventListener("pageshow", listen);
listen();
