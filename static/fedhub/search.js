"use strict";

// The dialog of the search of the whole hub (templates/unfold/helpers/command.html). htmx loads the results; this script
// opens the dialog, moves the choice and follows it. The focus stays in the input, so a screen reader reads the chosen
// result by aria-activedescendant.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("fedhub-search");
  if (!dialog) return;
  const input = document.getElementById("fedhub-search-input");
  const results = document.getElementById("fedhub-search-results");
  let opensFirst = false;

  const options = () => [...results.querySelectorAll("[role=option]")];
  const chosen = () => results.querySelector("[aria-selected=true]");
  const typed = () => input.value.split(/\s+/).filter(Boolean).join(" ");
  const areShown = () => (results.firstElementChild?.dataset.text ?? "") === typed();

  function open() {
    if (dialog.open) return;
    dialog.showModal();
    input.focus();
    input.select();
    // What was found before may have changed meanwhile.
    if (input.value) htmx.trigger(input, "searchnow");
  }

  function choose(option) {
    chosen()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-expanded", String(options().length > 0));
    if (option) input.setAttribute("aria-activedescendant", option.id); else input.removeAttribute("aria-activedescendant");
  }

  function move(step) {
    const all = options();
    if (all.length) choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
  }

  function follow(option, inNewTab) {
    if (inNewTab) { window.open(option.href, "_blank", "noopener"); return; }
    dialog.close();
    location.assign(option.href);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-search-open]")) open();
    else if (event.target.closest("[data-search-close]") || event.target === dialog) dialog.close();
  });

  input.addEventListener("input", () => { opensFirst = false; if (!typed()) { results.replaceChildren(); choose(null); } });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && typed()) {
      // The results may still be those of an older text.
      if (areShown() && chosen()) follow(chosen(), event.ctrlKey || event.metaKey);
      else if (!areShown()) { opensFirst = true; htmx.trigger(input, "searchnow"); }
    } else return;
    event.preventDefault();
  });

  results.addEventListener("mousemove", (event) => {
    const option = event.target.closest("[role=option]");
    if (option && option !== chosen()) choose(option);
  });
  results.addEventListener("click", (event) => {
    if (event.target.closest("[role=option]") && !event.ctrlKey && !event.metaKey) dialog.close();
  });

  dialog.addEventListener("htmx:beforeSwap", (event) => {
    // After the session has ended the answer is the page to log in.
    if (new URL(event.detail.xhr.responseURL).pathname !== dialog.dataset.searchUrl) { event.detail.shouldSwap = false; location.reload(); }
    // The user may have emptied the input since.
    if (!typed()) event.detail.shouldSwap = false;
  });
  dialog.addEventListener("htmx:afterSwap", () => {
    choose(options()[0]);
    results.scrollTop = 0;
    if (opensFirst && areShown() && chosen()) { opensFirst = false; follow(chosen(), false); }
  });
  for (const failure of ["htmx:sendError", "htmx:responseError"]) {
    dialog.addEventListener(failure, () => {
      const note = document.createElement("p");
      note.className = "fedhub-search-note";
      note.setAttribute("role", "alert");
      note.textContent = "The hub did not answer the search. Type again to repeat it.";
      results.replaceChildren(note);
    });
  }
});
