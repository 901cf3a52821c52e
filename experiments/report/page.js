"use strict";
// Draws each figure when it is about to come into view, and all of them before the page is printed.
const template = JSON.parse(document.getElementById("template").textContent);
const config = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d"] };
const pending = new Set(document.querySelectorAll("figure"));

function draw(figure) {
  if (!pending.delete(figure)) return;
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  Plotly.newPlot(figure.querySelector(".plot"), data, { ...layout, template }, config);
  document.documentElement.dataset.pending = pending.size;
}

const observer = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
  { root: document, rootMargin: "800px 0px" }, // the page's own window, also where MLflow shows it inside another
);
if (typeof Plotly === "undefined") {
  pending.forEach((figure) => figure.remove());
  document.querySelector(".no-figures").hidden = pending.size === 0;
} else {
  pending.forEach((figure) => observer.observe(figure));
  addEventListener("beforeprint", () => pending.forEach(draw));
}
