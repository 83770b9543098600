// How sure rows are, and whether they lie about their components as rows of Gaussians do.

function drawUncertainty(page, model, visible) {
  const place = figure("uncertainty");
  if (!place) return;
  const counts = page.rows.uncertainty;
  const bins = counts[0].length;
  const shown = range(model.K).filter((k) => visible[k]);
  const last = Math.max(1, Math.ceil(bins * (1 - 1 / Math.max(model.K, 2))));
  const stacked = range(last).map((bin) => sum(shown.map((k) => counts[k][bin])));
  const high = (value) => Math.log10(1 + value);
  const top = Math.max(...stacked.map(high), 0.5) * 1.05;
  const powers = range(Math.ceil(top) + 1);
  const plot = axes({ width: 540, height: 380, x: [0, last / bins], y: [0, top], across: "uncertainty: 1 minus the largest probability", up: "rows", yTicks: powers.filter((power) => power < top).map((power) => high(power ? 10 ** power : 0)), write: (tick) => Math.round(10 ** tick - 1).toLocaleString("en-US"), writeX: brief });
  // Heights are powers, so a component's part of a bar is its share of the whole bar.
  range(last).forEach((bin) => {
    let below = 0;
    const unit = stacked[bin] ? high(stacked[bin]) / stacked[bin] : 0;
    shown.forEach((k) => {
      const height = counts[k][bin] * unit;
      if (height) plot.body.append(svg("rect", { class: `fill k${k % 10}`, x: plot.px(bin / bins) + 0.5, width: plot.px(1 / bins) - plot.px(0) - 1, y: plot.py(below + height), height: plot.py(below) - plot.py(below + height) }));
      below += height;
    });
  });
  const words = shown.map((k) => `component ${k + 1}: ${percent(sum(counts[k].slice(0, Math.round((1 - page.sure) * bins))) / Math.max(sum(counts[k]), 1))} of its rows are at least ${100 * page.sure} % probable`);
  show(place, plot.picture, "How the rows’ uncertainty is distributed", "All rows by how unsure they are of their component. Rows at the left are certain. The height of a bar is on a scale of powers; its colours are shares.", `${words.join("; ")}.`);
}

function drawQuantiles(page, model) {
  const place = figure("quantiles");
  if (!place) return;
  const { expected, squares } = page.rows.quantiles;
  const root = (value) => Math.sqrt(Math.max(value ?? 0, 0));
  const low = Math.min(root(expected[0]), root(squares[0])) * 0.9;
  const ends = [low, Math.max(...expected.map(root)) * 1.04];
  // Rows much farther out would leave no room for the others: they are rings at the upper edge.
  const top = Math.min(Math.max(...squares.map(root)), 1.7 * ends[1]) * 1.04;
  const far = squares.filter((value) => root(value) > top).length;
  const plot = axes({ width: 540, height: 380, x: ends, y: [low, Math.max(top, ends[1])], across: "distance that a Gaussian has", up: "distance that rows have" });
  plot.body.append(svg("path", { class: "reference", d: path([[plot.px(ends[0]), plot.py(ends[0])], [plot.px(ends[1]), plot.py(ends[1])]]) }));
  plot.body.append(svg("path", { class: "dots k0", "stroke-width": 4.5, d: dots(expected.map((value, n) => [plot.px(root(value)), plot.py(root(squares[n]))])) }));
  expected.forEach((value, n) => {
    if (root(squares[n]) > top) plot.body.append(svg("circle", { class: "hollow k1", cx: plot.px(root(value)), cy: plot.top + 6, r: 4.5 }, svg("title", {}, brief(root(squares[n])))));
  });
  const at = (tail) => least(page.rows.quantiles.tails.map((value) => Math.abs(Math.log(value / tail))));
  const words = [0.5, 0.1, 0.01].map((tail) => `${100 * tail} % of the rows are farther than ${root(squares[at(tail)]).toFixed(2)} where ${root(expected[at(tail)]).toFixed(2)} is expected`);
  show(place, plot.picture, "Quantiles of the rows’ Mahalanobis distances against those of Gaussians", `Distances of rows from their components, in the components’ own standard deviations, against those of Gaussian rows. On the line: as Gaussian as claimed. Above it at the right: heavier tails, or outliers.${far ? " Rings at the top are farther than the picture shows." : ""}`, `${words.join("; ")}.`);
}
