"use strict";

// The composer loads the agents of the picked peer, keeps those that match what is typed, and warns of an unknown id.

function matchAgents() {
  const field = document.getElementById("id_agent_id");
  const typed = field.value.trim().toLowerCase();
  const items = [...document.querySelectorAll("[data-agent]")];
  const isKnown = items.some((item) => item.dataset.agent.toLowerCase() === typed);
  for (const item of items) item.hidden = Boolean(typed) && !isKnown && !item.textContent.toLowerCase().includes(typed);
  const warning = document.querySelector("[data-agent-unknown]");
  if (warning) warning.hidden = !typed || isKnown;
}

// The searchable select tells its change by jQuery alone.
window.addEventListener("DOMContentLoaded", () => {
  django.jQuery(document).on("change", "#id_peer", () => htmx.trigger("#composer-agents", "fedhub-peer"));
});
document.addEventListener("input", (event) => { if (event.target.id === "id_agent_id") matchAgents(); });
// The click itself puts the id into the field.
document.addEventListener("click", (event) => { if (event.target.closest?.("[data-agent]")) setTimeout(matchAgents, 0); });
document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "composer-agents") matchAgents(); });
