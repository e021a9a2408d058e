"use strict";

// Two clicks send a form once: of two answers only the second would be seen, and what the first has shown be lost.
{
  const soon = 1000;
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    if (event.timeStamp - sent.get(event.target) < soon) event.preventDefault();
    else sent.set(event.target, event.timeStamp);
  });
}
