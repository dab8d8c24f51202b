"use strict";

// unfold makes some buttons, menus, folds and layers of elements that only a mouse can press. This script makes each of
// them a button for the keyboard and for screen readers, moves the focus into a layer that opens, keeps the focus there,
// and returns the focus when the layer closes.

const PRESSED = "[x-on\\:click], [x-on\\:click\\.prevent], [\\@click], [\\@click\\.prevent], .add-row, .delete-template, .form-delete label, label:has(input.delete)";
const NATIVE = "a[href], button, input, select, textarea, summary";
const FOCUSABLE = `:is(${NATIVE}, [tabindex="0"]):not([disabled], [type="hidden"], [tabindex="-1"])`;
const ICON = ".material-symbols-outlined";
const ICON_NAMES = {
  add: "Add", arrow_back: "Go back", cancel: "No", check_circle: "Yes", close: "Close", delete: "Remove", dock_to_right: "Side menu",
  filter_list: "Filters", more_horiz: "More actions", more_vert: "More actions", undo: "Undo", visibility: "Show the password",
};
// The expression of a button that opens something, such as `openMenu = !openMenu` or `filterOpen = true`.
const TOGGLE = /^\s*(\w+)\s*=\s*(?:!\s*\1|true)\b/;

function expressionOf(element) {
  return element.getAttribute("x-on:click") || element.getAttribute("@click") || "";
}

function textWithoutIcons(element) {
  const copy = element.cloneNode(true);
  for (const icon of copy.querySelectorAll(ICON)) icon.remove();
  return element.matches(ICON) ? "" : copy.textContent.trim();
}

function rowNameOf(control) {
  const row = control.closest("tr.data-row");
  return row?.querySelector("th a, th, td:not(.action-checkbox) a")?.textContent.trim();
}

function nameIcon(icon) {
  const word = icon.textContent.trim();
  const name = ICON_NAMES[word] || word.replaceAll("_", " ");
  const control = icon.closest("a, button, label, [role=button]");
  if (control && !textWithoutIcons(control) && !control.ariaLabel) {
    const rowName = rowNameOf(control);
    control.ariaLabel = control.title || (rowName ? `${name}: ${rowName}` : name);
  }
  if (icon === control) return;
  if (!control && !textWithoutIcons(icon.parentElement) && icon.parentElement.childElementCount === 1) {
    icon.setAttribute("role", "img");
    icon.ariaLabel = name;
  } else {
    icon.ariaHidden = "true";
  }
}

function panelOf(toggle, name) {
  const root = toggle.closest("[x-data]");
  return root.querySelector(`nav[x-show="${name}"]`) || root.querySelector("template")?._x_teleport;
}

function showWhetherOpen(toggle, name) {
  if (!(name in Alpine.$data(toggle))) return;
  Alpine.effect(() => { toggle.ariaExpanded = String(Boolean(Alpine.$data(toggle)[name])); });
  const panel = panelOf(toggle, name);
  if (panel?.tagName === "NAV") menus.set(panel, { toggle, name });
}

function makeButton(element) {
  if (element.fedhubIsButton || element.id === "changelist-filter-close" || element.matches("#modal-content, #modal-content *:is(button)")) return;
  if (!element.matches(NATIVE)) {
    // A container that holds buttons of its own is no button.
    if (element.tagName !== "LABEL" && element.querySelector(FOCUSABLE)) return;
    element.tabIndex = 0;
  }
  element.fedhubIsButton = true;
  const href = element.getAttribute("href");
  if (!element.matches(NATIVE) || href === "#") element.setAttribute("role", "button");
  const name = TOGGLE.exec(expressionOf(element))?.[1];
  if (name) showWhetherOpen(element, name);
}

function makeOperable() {
  for (const element of document.querySelectorAll(PRESSED)) makeButton(element);
  for (const icon of document.querySelectorAll(`${ICON}:not([aria-hidden], [role=img], [aria-label])`)) nameIcon(icon);
  for (const cell of document.querySelectorAll("td[data-label]")) {
    for (const field of cell.querySelectorAll("input:not([type=hidden]), select, textarea")) {
      if (!field.labels?.length && !field.ariaLabel) field.ariaLabel = cell.dataset.label;
    }
  }
  for (const box of document.querySelectorAll(".select2-search__field:not([aria-label])")) box.ariaLabel = "Search";
  for (const tip of document.querySelectorAll(".help-tooltip:not([role])")) tip.setAttribute("role", "img");
  // A text that scrolls needs a stop of its own, so that the arrow keys scroll it.
  for (const scrolled of document.querySelectorAll(".fedhub-code:not([tabindex])")) scrolled.tabIndex = 0;
}

function isVisible(element) {
  return element.getClientRects().length > 0 && getComputedStyle(element).visibility !== "hidden";
}

function stopsOf(box) {
  return [...box.querySelectorAll(FOCUSABLE)].filter(isVisible);
}

// Menus -------------------------------------------------------------------------------------------------------------
const menus = new Map();

function closeMenu({ toggle, name }) {
  Alpine.$data(toggle)[name] = false;
}

function openMenus() {
  return [...menus].filter(([, menu]) => menu.toggle.isConnected && Alpine.$data(menu.toggle)[menu.name]);
}

function enterMenuOf(toggle) {
  const found = [...menus].find(([, menu]) => menu.toggle === toggle);
  if (found) setTimeout(() => stopsOf(found[0])[0]?.focus(), 50);
}

function moveInMenu(event, panel, menu) {
  const stops = stopsOf(panel);
  const place = stops.indexOf(document.activeElement);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    stops[(place + (event.key === "ArrowDown" ? 1 : -1) + stops.length) % stops.length]?.focus();
  } else if (event.key === "Tab" && place === (event.shiftKey ? 0 : stops.length - 1)) {
    // The panel may stand at the end of the page: the focus goes on from the button that opened it.
    menu.toggle.focus();
    closeMenu(menu);
    if (event.shiftKey) event.preventDefault();
  }
}

// Layers ------------------------------------------------------------------------------------------------------------
const layers = [];
let lastOpener = null;

function addLayer({ box, label, data, name, isModal }) {
  if (!box) return;
  if (isModal) {
    box.setAttribute("role", "dialog");
    box.ariaModal = "true";
    if (label) box.ariaLabel = label;
  }
  const layer = { box, isOpen: () => Boolean(data()[name]), close: () => { data()[name] = false; }, opener: null };
  layers.push(layer);
  let wasOpen = false;
  Alpine.effect(() => {
    const isOpen = layer.isOpen();
    if (isOpen === wasOpen) return;
    wasOpen = isOpen;
    if (isOpen) {
      layer.opener = lastOpener?.isConnected ? lastOpener : document.activeElement;
      for (const [panel, menu] of openMenus()) {
        if (panel.contains(layer.opener)) layer.opener = menu.toggle;
        closeMenu(menu);
      }
      setTimeout(() => enterLayer(layer), 50);
    } else {
      if (layer.opener?.isConnected) layer.opener.focus();
    }
  });
}

function enterLayer(layer) {
  if (layer.box.contains(document.activeElement)) return;
  const fields = stopsOf(layer.box).filter((stop) => stop.matches("input, textarea, select, [role=combobox]"));
  (fields.find((field) => field.closest(".errors")) || fields[0] || stopsOf(layer.box)[0])?.focus();
}

function keepInLayer(event, layer) {
  const stops = stopsOf(layer.box);
  const place = stops.indexOf(document.activeElement);
  const isAtEnd = place === -1 || place === (event.shiftKey ? 0 : stops.length - 1);
  if (!isAtEnd || !stops.length) return;
  event.preventDefault();
  stops[event.shiftKey ? stops.length - 1 : 0].focus();
}

function addLayers() {
  const page = () => Alpine.$data(document.documentElement);
  const body = () => Alpine.$data(document.body);
  addLayer({ box: document.getElementById("modal-content"), data: page, name: "openModal", isModal: true });
  addLayer({ box: document.querySelector("#changelist-filter > div:last-child"), label: "Filters", data: page, name: "filterOpen", isModal: true });
  addLayer({ box: document.getElementById("nav-sidebar"), data: body, name: "sidebarMobileOpen", isModal: false });
  const palette = document.querySelector("[x-data^=searchCommand]");
  addLayer({ box: palette, label: "Search", data: () => Alpine.$data(palette), name: "openCommandResults", isModal: true });
}

// Keys --------------------------------------------------------------------------------------------------------------
function press(event) {
  const pressed = event.target.closest?.("[role=button]");
  if (pressed !== event.target || (event.key !== " " && event.key !== "Enter")) return;
  if (event.key === "Enter" && pressed.matches(NATIVE)) return;
  event.preventDefault();
  pressed.click();
}

document.addEventListener("keydown", (event) => {
  const opened = openMenus();
  const layer = layers.findLast((each) => each.isOpen());
  if (event.key === "Escape" && opened.length) {
    for (const [, menu] of opened) { closeMenu(menu); menu.toggle.focus(); }
    event.stopPropagation();
  } else if (event.key === "Escape" && layer) {
    layer.close();
  } else {
    const within = opened.find(([panel]) => panel.contains(event.target));
    if (within) moveInMenu(event, ...within);
    else if (event.key === "Tab" && layer) keepInLayer(event, layer);
    press(event);
  }
}, true);

let lastFormset = null;
document.addEventListener("click", (event) => { lastFormset = event.target.closest?.(".formset"); }, true);

document.addEventListener("click", (event) => {
  const toggle = event.target.closest?.("[aria-expanded]");
  // A click by a key has no position.
  if (toggle && event.detail === 0) enterMenuOf(toggle);
  const added = event.target.closest?.(".add-row");
  if (added) setTimeout(() => enterNewRow(added.closest(".formset")), 50);
  const removed = event.target.closest?.(".delete-template");
  // The row is gone by now, and the button that adds rows is the nearest stop.
  if (removed && lastFormset) setTimeout((formset) => formset.querySelector(".add-row")?.focus(), 50, lastFormset);
  const deleted = event.target.closest?.("label:has(input.delete)");
  if (deleted) setTimeout(() => deleted.closest(".form-group, tbody")?.querySelector(".form-delete label")?.focus(), 50);
});

function enterNewRow(formset) {
  const row = [...formset.querySelectorAll(":scope > .form-group:not(.empty-form)")].at(-1);
  if (row) (row.querySelector(".select2-selection") || stopsOf(row).find((stop) => stop.matches("input, select, textarea")))?.focus();
}

// After a swap htmx waits 20 ms before it wires the new elements, and a dialog that is answered by then posts to its page.
htmx.config.defaultSettleDelay = 0;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target?.id === "modal-content") lastOpener = event.detail.elt;
});
document.addEventListener("htmx:afterSettle", () => {
  const layer = layers.findLast((each) => each.isOpen());
  if (layer) enterLayer(layer);
});

document.addEventListener("alpine:initialized", () => {
  makeOperable();
  addLayers();
  // A whole page may be added at once, and one look at it is enough.
  let isPlanned = false;
  new MutationObserver(() => {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => { isPlanned = false; makeOperable(); });
  }).observe(document.body, { childList: true, subtree: true });
});

// Chrome drops the wish of a field for the focus where it draws the page late.
addEventListener("load", () => {
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
});
