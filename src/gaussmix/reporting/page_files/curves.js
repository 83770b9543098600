// The selection curves, the components' profiles, the convergence.

const CRITERIA = { bic: "BIC", icl: "ICL", aic: "AIC", aicc: "AICc", heldout: "held-out deviance", log_likelihood: "log-likelihood" };

function candidatesOf(page) {
  return page.candidates.map((values) => Object.fromEntries(page.candidate.map((name, i) => [name, values[i]])));
}

function drawSelection(page, criterion) {
  const place = figure("selection");
  if (!place) return;
  const rows = candidatesOf(page);
  const counts = [...new Set(rows.map((row) => row.n_components))].sort((a, b) => a - b);
  const valued = rows.filter((row) => row[criterion] !== null);
  const low = Math.min(...valued.map((row) => row[criterion]));
  // Near the best a unit counts, far from it only the order of magnitude.
  const above = (row) => Math.log10(1 + row[criterion] - low);
  const top = Math.max(...valued.map(above), 0.5);
  const yTicks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].map((value) => Math.log10(1 + value)).filter((tick) => tick <= 1.05 * top);
  const span = [counts[0] - 0.4, counts[counts.length - 1] + 0.4];
  const plot = axes({ width: 900, height: 420, x: span, y: [-0.07 * top, 1.05 * top], across: "number of components", up: `${CRITERIA[criterion]} above the least`, xTicks: counts.length < 16 ? counts : undefined, yTicks, write: (tick) => Math.round(10 ** tick - 1).toLocaleString("en-US"), writeX: brief, right: 54 });
  const structures = [...new Set(rows.map((row) => row.structure))];
  const ends = structures.map((structure, place) => {
    const mine = counts.map((k) => valued.find((row) => row.structure === structure && row.n_components === k));
    return drawCandidates(plot, mine, above, criterion, place, structure);
  });
  nameLines(plot, ends.filter(Boolean));
  const worthy = valued.filter((row) => !row.degenerate && ["converged", "max_passes", "precision", "interrupted"].includes(row.reason));
  const best = (worthy.length ? worthy : valued).reduce((one, two) => (two[criterion] < one[criterion] ? two : one));
  plot.body.append(svg("circle", { class: "ring", cx: plot.px(best.n_components), cy: plot.py(0), r: 11 }));
  const words = structures.map((structure) => {
    const mine = valued.filter((row) => row.structure === structure);
    const lowest = mine.length ? mine.reduce((one, two) => (two[criterion] < one[criterion] ? two : one)) : null;
    return lowest ? `${structure}: least at ${lowest.n_components}, ${brief(lowest[criterion], 6)}` : `${structure}: no mixture`;
  });
  const caption = `Each line is a covariance structure; the scale widens towards the best, and lower is better. The ring marks the least, ${best.structure} with ${best.n_components}. Hollow marks could not have won: degenerate, or stopped before the end. Gaps have no mixture.`;
  show(place, plot.picture, `${CRITERIA[criterion]} against the number of components, a line per structure`, caption, `${words.join("; ")}.`);
}

function drawCandidates(plot, mine, above, criterion, place, structure) {
  const group = svg("g", { class: `k${place % 10}` }, svg("title", {}, structure));
  const dash = ["", "6 4", "2 3"][Math.floor(place / 10) % 3];
  let stretch = [];
  [...mine, undefined].forEach((row) => {
    if (row) stretch.push([plot.px(row.n_components), plot.py(above(row))]);
    else {
      if (stretch.length > 1) group.append(svg("path", { class: "line", "stroke-dasharray": dash, d: path(stretch) }));
      stretch = [];
    }
  });
  mine.filter(Boolean).forEach((row) => {
    const whole = !row.degenerate && row.reason === "converged";
    const text = `${structure}, K = ${row.n_components}: ${brief(row[criterion], 7)}${row.degenerate ? ", degenerate" : whole ? "" : `, ${row.reason}`}`;
    group.append(svg("circle", { class: whole ? "fill" : "hollow", cx: plot.px(row.n_components), cy: plot.py(above(row)), r: 3.6 }, svg("title", {}, text)));
  });
  plot.body.append(group);
  const last = mine.filter(Boolean).pop();
  return last && { structure, place, y: plot.py(above(last)) };
}

// Names at the ends of the lines, moved apart where they would lie on each other.
function nameLines(plot, ends) {
  const [step, lowest] = [13, plot.height - plot.bottom];
  ends.sort((one, two) => one.y - two.y);
  ends.forEach((end, i) => { end.y = Math.max(end.y, i ? ends[i - 1].y + step : plot.top); });
  const over = ends.length ? Math.max(0, ends[ends.length - 1].y - lowest) : 0;
  for (let i = ends.length - 1, limit = lowest; over && i >= 0; i -= 1, limit -= step) ends[i].y = Math.min(ends[i].y, limit);
  ends.forEach(({ structure, place, y }) => {
    plot.picture.append(svg("g", { class: `k${place % 10}` }, svg("text", { class: "fill", x: plot.width - plot.right + 8, y: y + 4 }, structure)));
  });
}

const MOST_PROFILED = 24;

function drawProfiles(page, model, visible) {
  const place = figure("profiles");
  const features = range(Math.min(model.D, MOST_PROFILED));
  const whole = features.map((i) => {
    const middle = sum(range(model.K).map((k) => model.weights[k] * model.mean(k, i)));
    const square = sum(range(model.K).map((k) => model.weights[k] * (model.deviation(k, i) ** 2 + (model.mean(k, i) - middle) ** 2)));
    return { middle, unit: Math.sqrt(square) || 1 };
  });
  const at = (k, i) => (model.mean(k, i) - whole[i].middle) / whole[i].unit;
  const reach = (k, i) => model.deviation(k, i) / whole[i].unit;
  const ends = range(model.K).flatMap((k) => features.flatMap((i) => [at(k, i) - reach(k, i), at(k, i) + reach(k, i)]));
  const y = [Math.min(...ends, -1) - 0.15, Math.max(...ends, 1) + 0.15];
  const long = Math.max(...features.map((i) => page.features[i].length)) * features.length > 105;
  const plot = axes({ width: 900, height: long ? 370 : 270, x: [-0.5, features.length - 0.5], y, up: "deviations from the mean", xTicks: [], bottom: long ? 100 : 34 });
  plot.body.append(svg("path", { class: "axis", d: `M${plot.left} ${plot.py(0)}H${plot.width}` }));
  features.forEach((i) => {
    const [x, bottom] = [plot.px(i), plot.height - plot.bottom + 16];
    const turn = long ? { transform: `translate(${x} ${bottom - 4}) rotate(-35)`, "text-anchor": "end" } : { x, y: bottom, "text-anchor": "middle" };
    plot.picture.append(svg("text", { class: "name", ...turn }, page.features[i].length > 18 ? `${page.features[i].slice(0, 17)}…` : page.features[i]));
  });
  range(model.K).filter((k) => visible[k]).forEach((k) => {
    const group = svg("g", { class: `k${k % 10}` });
    features.forEach((i) => {
      const x = plot.px(i + ((k + 0.5) / model.K - 0.5) * 0.66);
      group.append(svg("path", { class: "line", d: `M${x} ${plot.py(at(k, i) - reach(k, i))}V${plot.py(at(k, i) + reach(k, i))}` }));
      const text = `component ${k + 1}, ${page.features[i]}: ${measured(model.mean(k, i), model.deviation(k, i))} ± ${brief(model.deviation(k, i), 3)}`;
      group.append(svg("circle", { class: "fill", cx: x, cy: plot.py(at(k, i)), r: model.K > 12 ? 3 : 5 }, svg("title", {}, text)));
    });
    plot.body.append(group);
  });
  const words = features.slice(0, 12).map((i) => `${page.features[i]}: ${range(model.K).map((k) => `component ${k + 1} at ${at(k, i).toFixed(2)}`).join(", ")}`);
  show(place, plot.picture, "Mean and standard deviation of every component along every feature", "Where the components lie along every feature: means, and one standard deviation to either side, on the scale of the whole mixture’s own mean and standard deviation.", `${words.join("; ")}.`);
}

function drawConvergence(page) {
  const place = figure("convergence");
  if (!place) return;
  const ended = page.starts.filter((start) => !start.on_sample && start.passes > 0);
  const best = Math.max(...page.trace, ...ended.map((start) => start.objective));
  const gap = (value) => Math.log10(Math.max(best - value, 1e-6));
  const values = [...page.trace.map(gap), ...ended.map((start) => gap(start.objective))];
  const y = [-6.3, Math.max(...values, 0) + 0.3];
  const most = Math.max(page.trace.length, ...ended.map((start) => start.passes), 2);
  const write = (tick) => (tick === -6 ? "0" : power(tick));
  const plot = axes({ width: 540, height: 380, x: [0, most + 1], y, across: "pass", up: "below the best", yTicks: range(30).map((i) => i - 6).filter((tick) => tick % 2 === 0 && tick < y[1]), write, writeX: brief });
  plot.body.append(svg("path", { class: "accent", d: path(page.trace.map((value, i) => [plot.px(i + 1), plot.py(gap(value))])) }));
  ended.forEach((start) => {
    const text = `${start.kind}: ${start.reason} after ${start.passes} passes at ${brief(start.objective, 8)}`;
    plot.body.append(svg("circle", { class: start.reason === "converged" ? "fill k1" : "hollow k1", cx: plot.px(start.passes), cy: plot.py(gap(start.objective)), r: 4.5 }, svg("title", {}, text)));
  });
  const sampled = page.starts.length - ended.length;
  const more = sampled ? ` ${sampled} more were run on a sample of the rows only.` : "";
  const words = ended.map((start) => `${start.kind} ${start.reason} after ${start.passes} passes, ${brief(best - start.objective, 3)} below the best`);
  show(place, plot.picture, "How far below the best objective the returned start was at every pass, and where other starts ended", `Log-likelihood below the best, on a scale of powers of ten: the line is the start that was returned, marks are where starts ended. Hollow ones were given up because others did better.${more}`, `${words.join("; ")}.`);
}
