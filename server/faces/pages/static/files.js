"use strict";

// Says at once, and keeps the form from being sent, where more files were chosen than are taken.
function wrong({ files, dataset }) {
  const bytes = [...files].reduce((sum, file) => sum + file.size, 0);
  return files.length > Number(dataset.most) || bytes > Number(dataset.mostBytes);
}

function look(input) {
  const said = document.getElementById(input.getAttribute("aria-describedby")).textContent;
  input.setCustomValidity(wrong(input) ? said : "");
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-most]")) return;
  look(target);
  target.reportValidity();
});
// A browser may come back to a page together with the files that were chosen there.
addEventListener("pageshow", () => document.querySelectorAll("[data-most]").forEach(look));
