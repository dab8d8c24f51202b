"use strict";

// The time zone of the browser, in which the hub shows times: core/admin/time_zone.py reads the cookie.
function keepTimeZone() {
  const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone || "");
  if (!zone || document.cookie.split("; ").includes(`fedhub_timezone=${zone}`)) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `fedhub_timezone=${zone}; Path=/admin/; Max-Age=31536000; SameSite=Lax${secure}`;
}

keepTimeZone();

// A menu beside a list's search closes by Escape and by a click outside.
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".fedhub-menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".fedhub-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// The tab of the present state may be outside the visible part of its bar.
document.addEventListener("DOMContentLoaded", () => {
  const tab = document.querySelector(".fedhub-tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 40;
});

// A phone shows few columns of a row, and none that says nothing.
function markEmptyCells() {
  for (const cell of document.querySelectorAll("#result_list td")) cell.classList.toggle("fedhub-nothing", cell.textContent.trim() === "-");
}
document.addEventListener("DOMContentLoaded", markEmptyCells);
document.addEventListener("htmx:afterSettle", markEmptyCells);
