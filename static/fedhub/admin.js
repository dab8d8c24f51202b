"use strict";

// A page with a running job shows the progress of the job: it reloads while it is visible and the user has not opened a
// dialog, changed a form or selected a row.
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

// Browsers give the clipboard only to pages on HTTPS or loopback; on other pages the user can select the text.
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

// When a page is loaded, unfold makes its selects searchable; a row that the user adds later needs the same step.
document.addEventListener("formset:added", (event) => {
  django.jQuery(event.target).find("select.unfold-admin-autocomplete").djangoCustomSelect2?.();
});

document.addEventListener("DOMContentLoaded", () => { refreshWhileRunning(); addCopyButtons(); });

// htmx replaces a live part while the focus is on a button in it. Where the button is gone, the focus goes to the next
// button of the part, or to the heading of the job.
let focusedPart = null;
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (event.detail.target.contains(document.activeElement)) focusedPart = event.detail.target;
});
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (focusedPart !== event.detail.target) return;
  focusedPart = null;
  if (document.activeElement === document.body) (event.detail.target.querySelector("a[href], button") || document.getElementById("job-heading"))?.focus({ preventScroll: true });
});

// A plan's page replaces the page that made the plan: "Back" must not make another plan.
document.addEventListener("fedhub-replace-page", (event) => { location.replace(event.detail.value); });
