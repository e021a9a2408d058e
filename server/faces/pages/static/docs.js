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
  }
  status.textContent = words.length ? `${found} found` : "";
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
input.addEventListener("input", search);
