"use strict";

// Sends a message by Ctrl+Enter, or Cmd+Enter, as its button does.
document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
  if (target.matches("form textarea")) target.form.requestSubmit();
});
