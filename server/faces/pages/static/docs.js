"use strict";

// Shows of the reference what has all the words that are looked for; the page is whole without it.
const form = document.querySelector(".search");
const input = form.querySelector("input");
const status = form.querySelector("[role=status]");
const entries = [...document.querySelectorAll(".entry")].map((entry) => ({
  entry,
  text: entry.textContent.toLowerCase(),
}));

function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { entry, text } of entries) {
    entry.hidden = !words.every((word) => text.includes(word));
    found += entry.hidden ? 0 : 1;
  }
  for (const door of document.querySelectorAll(".door")) {
    door.hidden = words.length > 0 && !door.querySelector(".entry:not([hidden])");
    door.querySelector(".about").hidden = words.length > 0;
  }
  status.textContent = words.length ? `${found} found` : "";
}

// A link may lead to what is not among what was found.
function showTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.closest("[hidden]")) {
    input.value = "";
    search();
    target.scrollIntoView();
  }
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
input.addEventListener("input", search);
window.addEventListener("hashchange", showTarget);
