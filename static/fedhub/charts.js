"use strict";

// The texts of a chart have the color of the page's mode. unfold draws the charts, and leaves these colors alone.
function colorCharts() {
  const color = document.documentElement.classList.contains("dark") ? "#d1d5db" : "#4b5563";
  Chart.defaults.color = color;
  for (const chart of Object.values(Chart.instances)) {
    for (const scale of Object.values(chart.options.scales)) scale.ticks.color = scale.title.color = color;
    chart.update();
  }
}

// A click on a bar opens the rows that it counts: the link in the table below the chart.
function openRows(event) {
  const chart = event.target instanceof HTMLCanvasElement ? Chart.getChart(event.target) : undefined;
  const [hit] = chart ? chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, true) : [];
  if (!hit) return;
  const rows = event.target.closest("section").querySelectorAll("tbody tr");
  // The table begins with the newest day, the chart with the oldest one.
  rows[rows.length - 1 - hit.index]?.cells[hit.datasetIndex + 1]?.querySelector("a")?.click();
}

document.addEventListener("DOMContentLoaded", () => {
  colorCharts();
  new MutationObserver(colorCharts).observe(document.documentElement, { attributeFilter: ["class"] });
  document.addEventListener("click", openRows);
});
