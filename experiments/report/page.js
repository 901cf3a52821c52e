"use strict";
// Draws the figures one after the other, letting the browser breathe between two.
const template = JSON.parse(document.getElementById("template").textContent);
const config = { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d"] };
const figures = Array.from(document.querySelectorAll("figure"));
function drawNext() {
  const figure = figures.shift();
  if (figure === undefined) {
    document.documentElement.dataset.drawn = "all";
    return;
  }
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  Plotly.newPlot(figure.querySelector(".plot"), data, { ...layout, template }, config).then(() => setTimeout(drawNext));
}
drawNext();
