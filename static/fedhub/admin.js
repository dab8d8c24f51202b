"use strict";

// A browser gives the clipboard only to pages on HTTPS or loopback. On other pages the text is selected and copied by
// the older command.
async function copyText(text, element) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  getSelection().selectAllChildren(element);
  document.execCommand("copy");
}

// A screen reader says what this element shows.
function say(text) {
  let live = document.getElementById("fedhub-said");
  if (!live) {
    live = document.createElement("div");
    live.id = "fedhub-said";
    live.className = "sr-only";
    live.setAttribute("aria-live", "polite");
    document.body.append(live);
  }
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 50);
}

function addCopyButtons() {
  for (const element of document.querySelectorAll(".fedhub-copy")) {
    const text = element.textContent;
    const what = element.dataset.copy;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fedhub-copy-button";
    button.textContent = "Copy";
    if (what) button.setAttribute("aria-label", `Copy ${what}`);
    button.addEventListener("click", async () => {
      await copyText(text, element);
      button.textContent = "Copied";
      say(what ? `Copied: ${what}` : "Copied");
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    if (element.tagName === "PRE") element.append(button); else element.after(button);
  }
}

// The buttons that open or close all folds of a section. A fold that loads its text opens by itself alone.
function addFoldButtons() {
  for (const section of document.querySelectorAll("[data-folds]")) {
    for (const [name, isOpen] of [["open", true], ["close", false]]) {
      const button = section.querySelector(`[data-${name}-folds]`);
      if (!button) continue;
      button.hidden = false;
      button.addEventListener("click", () => {
        for (const fold of section.querySelectorAll("details.fedhub-fold")) {
          if (!isOpen || !("onDemand" in fold.dataset)) fold.open = isOpen;
        }
        say(isOpen ? "All are expanded" : "All are collapsed");
      });
    }
  }
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const first = target && target.querySelector(":scope > details.fedhub-fold");
  if (first) first.open = true;
}

// When a page is loaded, unfold makes its selects searchable; a row that the user adds later needs the same step.
document.addEventListener("formset:added", (event) => {
  django.jQuery(event.target).find("select.unfold-admin-autocomplete").djangoCustomSelect2?.();
});

// A button puts its text into a field.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-fill]");
  const field = button && document.getElementById(button.dataset.fill);
  if (!field) return;
  field.value = button.textContent;
  field.focus();
});

document.addEventListener("click", (event) => { if (event.target.closest?.("[data-print]")) print(); });

document.addEventListener("DOMContentLoaded", () => { addCopyButtons(); addFoldButtons(); });

// htmx replaces a live part while the focus is on a button in it. Where the button is gone, the focus goes to the next
// button of the part, or to the heading of the job or run.
let focusedPart = null;
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (event.detail.target.contains(document.activeElement)) focusedPart = event.detail.target;
});
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (focusedPart !== event.detail.target) return;
  focusedPart = null;
  if (document.activeElement === document.body) (event.detail.target.querySelector("a[href], button") || document.querySelector("#job-heading, [data-live-heading]"))?.focus({ preventScroll: true });
});

// A plan's page replaces the page that made the plan: "Back" must not make another plan.
document.addEventListener("fedhub-replace-page", (event) => { location.replace(event.detail.value); });
