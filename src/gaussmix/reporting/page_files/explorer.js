// Any two features: rows, counts, ellipses, densities; and all pairs at once.

const COVERAGES = [0.25, 0.5, 0.6, 0.68, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.999, 0.9999];
const REGIONS = [0.95, 0.75, 0.5, 0.25];
const GRID = 90;
const MOST_PAIRED = 6;

function coverageText(coverage) {
  return `${Number((100 * coverage).toFixed(2))} %`;
}

function pointsOf(page, model) {
  const kept = page.pictures.points;
  if (!kept) return { count: 0, rows: [], labels: [], doubts: [], positions: [] };
  const all = unpacked(kept.rows);
  const count = kept.positions.length;
  const rows = range(count).map((n) => Array.from(all.subarray(n * model.D, (n + 1) * model.D)));
  const judged = rows.map((row) => model.judge(row).responsibilities);
  const labels = judged.map(greatest);
  const worst = model.K > 1 ? 1 - 1 / model.K : 1;
  return { count, rows, labels, doubts: judged.map((each, n) => (1 - each[labels[n]]) / worst), positions: kept.positions, all: kept.all };
}

// Dots by component, paler the less sure they are: four elements each at most.
function drawDots(body, points, i, j, px, py, visible, size) {
  const groups = new Map();
  points.rows.forEach((row, n) => {
    if (!visible[points.labels[n]]) return;
    const key = `${points.labels[n]} ${Math.min(3, Math.floor(4 * points.doubts[n]))}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push([px(row[i]), py(row[j])]);
  });
  const opacity = [0.75, 0.5, 0.32, 0.2];
  groups.forEach((list, key) => {
    const [k, doubt] = key.split(" ").map(Number);
    body.append(svg("path", { class: `dots k${k % 10}`, "stroke-width": size, "stroke-opacity": opacity[doubt], d: dots(list) }));
  });
}

function countsOf(page, i, j) {
  const counted = page.pictures.counted;
  const [a, b] = [counted.indexOf(i), counted.indexOf(j)];
  if (a < 0 || b < 0 || a === b) return null;
  const [first, second] = [Math.min(a, b), Math.max(a, b)];
  let place = second - first - 1;
  for (let row = 0; row < first; row += 1) place += counted.length - 1 - row;
  const cells = page.pictures.cells;
  page.double ??= unpacked(page.pictures.double, Float32Array);
  const values = page.double.subarray(place * cells * cells, (place + 1) * cells * cells);
  return (x, y) => (a < b ? values[x * cells + y] : values[y * cells + x]);
}

function drawCounts(plot, page, i, j, x, y) {
  const at = countsOf(page, i, j);
  if (!at) return;
  const cells = page.pictures.cells;
  const most = Math.max(...range(cells * cells).map((place) => at(place % cells, Math.floor(place / cells))), 1);
  const [width, height] = [plot.px(x[0] + (x[1] - x[0]) / cells) - plot.px(x[0]), plot.py(y[0]) - plot.py(y[0] + (y[1] - y[0]) / cells)];
  const levels = range(8).map(() => []);
  range(cells).forEach((across) => range(cells).forEach((up) => {
    const count = at(across, up);
    if (count > 0) levels[Math.min(7, Math.floor((8 * Math.log1p(count)) / Math.log1p(most)))].push([across, up]);
  }));
  levels.forEach((list, level) => {
    const d = list.map(([across, up]) => `M${(plot.px(x[0]) + across * width).toFixed(1)} ${(plot.py(y[0]) - (up + 1) * height).toFixed(1)}h${width.toFixed(2)}v${height.toFixed(2)}h${(-width).toFixed(2)}z`);
    if (d.length) plot.body.append(svg("path", { class: "count", "fill-opacity": 0.06 + 0.09 * level, d: d.join("") }));
  });
}

function drawRegions(plot, parts, x, y) {
  const step = [(x[1] - x[0]) / GRID, (y[1] - y[0]) / GRID];
  const values = range(GRID + 2).map((up) => range(GRID + 2).map((across) => (
    up % (GRID + 1) && across % (GRID + 1) ? densityOfPair(parts, x[0] + (across - 0.5) * step[0], y[0] + (up - 0.5) * step[1]) : 0)));
  regionLevels(values.flat(), REGIONS).forEach((level, place) => {
    const loops = outlines(values, level).map((loop) => path(loop.map(([i, j]) => [plot.px(x[0] + (i - 0.5) * step[0]), plot.py(y[0] + (j - 0.5) * step[1])]), true));
    plot.body.append(svg("path", { class: "region", d: loops.join("") }, svg("title", {}, `${100 * REGIONS[place]} % of the mixture’s mass`)));
  });
}

function drawPair(page, model, points, state) {
  const [i, j] = [state.across, state.up];
  if (i === j) return drawSingle(page, model, state);
  const parts = model.pair(i, j);
  const coverage = COVERAGES[state.coverage];
  const [x, y] = [page.pictures.ranges[i], page.pictures.ranges[j]];
  const plot = axes({ width: 900, height: 560, x, y, across: page.features[i], up: page.features[j], left: 78 });
  if (state.counts) drawCounts(plot, page, i, j, x, y);
  const shown = range(model.K).filter((k) => state.visible[k]);
  if (state.density && shown.length) drawRegions(plot, shown.map((k) => parts[k]), x, y);
  if (state.points) drawDots(plot.body, points, i, j, plot.px, plot.py, state.visible, points.count > 1200 ? 3.4 : 5);
  if (state.ellipses) {
    shown.forEach((k) => {
      const d = path(ellipse(parts[k], coverage).map(([u, v]) => [plot.px(u), plot.py(v)]), true);
      const dash = k < 10 ? "" : "7 4";
      plot.body.append(svg("g", { class: `k${k % 10}` }, svg("path", { class: "halo", d }), svg("path", { class: "line", "data-ellipse": k, "stroke-dasharray": dash, d }), svg("text", { class: "label", x: plot.px(parts[k].x), y: plot.py(parts[k].y) + 5, "text-anchor": "middle" }, k + 1)));
    });
  }
  const words = parts.map((part, k) => `component ${k + 1}: ${page.features[i]} ${measured(part.x, part.sx)} ± ${brief(part.sx, 3)}, ${page.features[j]} ${measured(part.y, part.sy)} ± ${brief(part.sy, 3)}, correlation ${part.correlation.toFixed(2)}`);
  const told = [];
  if (state.points) told.push(points.all ? "Every row is a dot" : `${points.count.toLocaleString("en-US")} rows, drawn at random from all, are dots`);
  if (state.points) told.push("paler where it is less sure; click one to see its row");
  if (state.ellipses) told.push(`each ellipse holds ${coverageText(coverage)} of its component`);
  if (state.density) told.push("the regions hold 25, 50, 75 and 95 % of the mixture’s mass");
  if (state.counts) told.push("grey cells count all rows, darker for more, on a scale of powers");
  show(figure("pair"), plot.picture, `${page.features[j]} against ${page.features[i]}`, `${told.join("; ")}.`.replace(/^./, (sign) => sign.toUpperCase()), `${words.join("; ")}.`);
  plot.picture.addEventListener("click", (event) => pick(event, plot, points, i, j, state));
  return undefined;
}

function drawSingle(page, model, state) {
  const i = state.across;
  const x = page.pictures.ranges[i];
  const { plot, words } = densityPlot(page, model, i, state.visible, axes, { width: 900, height: 420, x, across: page.features[i], up: "density", left: 78 });
  show(figure("pair"), plot.picture, `The density of ${page.features[i]}`, "The density of one feature: each component’s share, all together (dashed), and how the rows lie (grey). Choose another feature for one of the two axes to see both.", `${words.join("; ")}.`);
}

// Densities of one feature over its histogram, in axes of any make.
function densityPlot(page, model, i, visible, make, options) {
  const steps = range(201).map((step) => options.x[0] + (step / 200) * (options.x[1] - options.x[0]));
  const each = steps.map((value) => model.density(i, value));
  const bars = histogram(page, i);
  const top = 1.06 * Math.max(...each.map((values) => sum(values)), ...(bars?.heights ?? []));
  const plot = make({ ...options, y: [0, top] });
  bars?.heights.forEach((height, bin) => {
    const [left, right] = [plot.px(options.x[0] + bin * bars.width), plot.px(options.x[0] + (bin + 1) * bars.width)];
    plot.body.append(svg("rect", { class: "back", x: left, width: Math.max(right - left - 0.5, 0.5), y: plot.py(height), height: plot.py(0) - plot.py(height) }));
  });
  range(model.K).filter((k) => visible[k]).forEach((k) => {
    plot.body.append(svg("path", { class: `line k${k % 10}`, d: path(steps.map((value, n) => [plot.px(value), plot.py(each[n][k])])) }));
  });
  plot.body.append(svg("path", { class: "whole", d: path(steps.map((value, n) => [plot.px(value), plot.py(sum(each[n]))])) }));
  const words = range(model.K).map((k) => `component ${k + 1}: ${page.features[i]} ${measured(model.mean(k, i), model.deviation(k, i))} ± ${brief(model.deviation(k, i), 3)}`);
  return { plot, words };
}

function histogram(page, i) {
  const place = page.pictures.counted.indexOf(i);
  if (place < 0) return null;
  page.single ??= unpacked(page.pictures.single);
  const slots = 2 * page.pictures.cells + 2;
  let counts = Array.from(page.single.subarray(place * slots, (place + 1) * slots));
  const total = sum(counts);
  counts = counts.slice(1, -1);
  const wanted = Math.max(8, 2 * Math.cbrt(total)); // Rice's rule
  while (counts.length > wanted && counts.length % 2 === 0) counts = range(counts.length / 2).map((bin) => counts[2 * bin] + counts[2 * bin + 1]);
  const [low, high] = page.pictures.ranges[i];
  const width = (high - low) / counts.length;
  return { width, heights: counts.map((value) => value / (total * width)) };
}

function pick(event, plot, points, i, j, state) {
  if (!state.points || !points.count) return;
  const box = plot.picture.getBoundingClientRect();
  const unit = plot.width / box.width;
  const [x, y] = [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
  const away = points.rows.map((row, n) => (state.visible[points.labels[n]] ? (plot.px(row[i]) - x) ** 2 + (plot.py(row[j]) - y) ** 2 : Infinity));
  const nearest = least(away);
  if (away[nearest] < 150) state.fill(points.rows[nearest], `row ${points.positions[nearest].toLocaleString("en-US")}`);
}

// All pairs of the features that tell most: choosing one shows it large.
function drawPairs(page, model, points, state) {
  const features = state.paired;
  const count = features.length;
  const [cell, gap, edge] = [Math.min(230, 900 / count), 6, 34];
  const size = edge + count * cell;
  const low = count * cell;
  const picture = svg("svg", { width: size, height: low + 24, viewBox: `0 0 ${size} ${low + 24}` });
  const few = points.count > 500 ? { ...points, rows: points.rows.slice(0, 500) } : points;
  features.forEach((j, up) => features.forEach((i, across) => {
    const [left, top] = [edge + across * cell, up * cell];
    const [x, y] = [page.pictures.ranges[i], page.pictures.ranges[j]];
    const px = (value) => left + gap / 2 + ((value - x[0]) / (x[1] - x[0])) * (cell - gap);
    const clip = `clip-${(pictures += 1)}`;
    const body = svg("g", { "clip-path": `url(#${clip})` });
    picture.append(svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: cell - gap, height: cell - gap })), svg("rect", { class: "frame", x: left, y: top, width: cell - gap, height: cell - gap, rx: 4 }), body);
    if (i === j) {
      densityPlot(page, model, i, state.visible, ({ y: [, most] }) => ({ body, px, py: (value) => top + cell - gap - (value / most) * (cell - 2 * gap) }), { x });
    } else {
      const py = (value) => top + cell - gap - gap / 2 - ((value - y[0]) / (y[1] - y[0])) * (cell - 2 * gap);
      drawDots(body, few, i, j, px, py, state.visible, 2.4);
      model.pair(i, j).forEach((part, k) => {
        if (state.visible[k]) body.append(svg("path", { class: `line thin k${k % 10}`, d: path(ellipse(part, COVERAGES[state.coverage], 48).map(([u, v]) => [px(u), py(v)]), true) }));
      });
    }
    picture.append(hit(page, state, i, j, { x: left, y: top, width: cell - gap, height: cell - gap, rx: 4 }));
  }));
  features.forEach((i, place) => {
    const name = page.features[i].length > 20 ? `${page.features[i].slice(0, 19)}…` : page.features[i];
    const middle = place * cell + cell / 2;
    picture.append(svg("text", { class: "name", x: edge + middle, y: low + 14, "text-anchor": "middle" }, name), svg("text", { class: "name", "text-anchor": "middle", transform: `translate(${edge - 12} ${middle}) rotate(-90)` }, name));
  });
  const words = `${page.features[features[0]]} and others, two by two; every pair is told of in words under the large picture once it is chosen.`;
  show(figure("pairs"), picture, "All pairs of features", "Rows, components and, on the diagonal, densities of one feature at a time.", words);
  // A group: what is in it can be chosen.
  picture.setAttribute("role", "group");
}

function hit(page, state, i, j, box) {
  const label = i === j ? `show ${page.features[i]}` : `show ${page.features[j]} against ${page.features[i]}`;
  const made = svg("rect", { class: "hit", tabindex: 0, role: "button", "aria-label": label, "data-pair": `${i} ${j}`, ...box });
  const choose = () => state.choose(i, j);
  made.addEventListener("click", choose);
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  });
  return made;
}
