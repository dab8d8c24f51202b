"use strict";

// A page with a running job shows how far it is: it reloads while it can be seen and nobody is at work on it, in a
// dialog or a form.
function refreshWhileRunning() {
  const marker = document.querySelector("[data-refresh-seconds]");
  if (!marker) return;
  let isEdited = false;
  document.addEventListener("input", () => { isEdited = true; });
  setInterval(() => {
    const dialog = document.getElementById("modal-content");
    const isBusy = document.hidden || isEdited || (dialog && dialog.offsetParent !== null) || document.querySelector(".action-select:checked");
    if (!isBusy) location.reload();
  }, Number(marker.dataset.refreshSeconds) * 1000);
}

// The clipboard is there on HTTPS and loopback only; elsewhere the text can still be selected.
function addCopyButtons() {
  if (!navigator.clipboard) return;
  for (const element of document.querySelectorAll(".fedhub-copy")) {
    const text = element.textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fedhub-copy-button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    if (element.tagName === "PRE") element.append(button); else element.after(button);
  }
}

// unfold turns the selects of a page into boxes that can be searched once it is loaded, and none that are added later.
document.addEventListener("formset:added", (event) => {
  django.jQuery(event.target).find("select.unfold-admin-autocomplete").djangoCustomSelect2?.();
});

document.addEventListener("DOMContentLoaded", () => { refreshWhileRunning(); addCopyButtons(); });
