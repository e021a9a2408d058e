"use strict";

// Puts a button beside every program, which copies it; where a page may not do that, it marks the text instead.
for (const shown of document.querySelectorAll(".entry pre")) {
  const button = document.createElement("button");
  button.className = "plain";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${shown.closest(".entry").querySelector("h3 code").textContent}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(shown.textContent);
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(shown);
      button.textContent = "Marked";
    }
  });
  shown.before(button);
}
