// The page begins here: read the document, draw everything, listen.

function begin() {
  const page = JSON.parse(document.getElementById("document").textContent);
  const model = makeModel(page.model);
  const points = pointsOf(page, model);
  const fill = makeCalculator(page, model);
  const ranked = telling(model);
  const state = {
    across: 0,
    up: Math.min(1, model.D - 1),
    coverage: 8,
    points: points.count > 0,
    counts: false,
    ellipses: true,
    density: points.count === 0,
    visible: range(model.K).map(() => true),
    paired: ranked.slice(0, MOST_PAIRED).sort((one, two) => one - two),
    choose: (i, j) => { [state.across, state.up] = [i, j]; selects(state); drawPair(page, model, points, state); figure("pair").scrollIntoView({ block: "center" }); },
    fill: (values, what) => { fill(values, what); document.getElementById("row").scrollIntoView(); },
  };
  [state.across, state.up] = ranked.length > 1 ? ranked.slice(0, 2).sort((one, two) => one - two) : [0, 0];
  const draw = () => {
    drawProfiles(page, model, state.visible);
    drawPair(page, model, points, state);
    drawPairs(page, model, points, state);
    drawUncertainty(page, model, state.visible);
  };
  listenToExplorer(page, model, points, state, draw);
  listenToOutliers(page, state);
  listenToCriterion(page);
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  draw();
  drawQuantiles(page, model);
  drawConvergence(page);
  fill(rounded(model, 0), "the mean of component 1");
  followSections();
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")].filter((each) => !each.closest("figure"));
    closed.forEach((each) => { each.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((each) => { each.open = false; }));
}

// Features by the share of their variance that lies between components, the greatest first.
function telling(model) {
  const shares = range(model.D).map((i) => {
    const middle = sum(range(model.K).map((k) => model.weights[k] * model.mean(k, i)));
    const between = sum(range(model.K).map((k) => model.weights[k] * (model.mean(k, i) - middle) ** 2));
    const within = sum(range(model.K).map((k) => model.weights[k] * model.deviation(k, i) ** 2));
    return between / (between + within);
  });
  return range(model.D).sort((one, two) => shares[two] - shares[one] || one - two);
}

function selects(state) {
  document.getElementById("across").value = state.across;
  document.getElementById("up").value = state.up;
}

function listenToExplorer(page, model, points, state, draw) {
  const redraw = () => drawPair(page, model, points, state);
  ["across", "up"].forEach((name) => {
    const select = document.getElementById(name);
    page.features.forEach((feature, i) => select.append(html("option", { value: i }, feature)));
    select.addEventListener("change", () => { state[name] = Number(select.value); redraw(); });
  });
  selects(state);
  const slider = document.getElementById("coverage");
  slider.addEventListener("input", () => {
    state.coverage = Number(slider.value);
    const text = coverageText(COVERAGES[state.coverage]);
    document.getElementById("coverage-shown").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    redraw();
    drawPairs(page, model, points, state);
  });
  ["points", "counts", "ellipses", "density"].forEach((name) => {
    const box = document.getElementById(`show-${name}`);
    if (!box) return;
    box.checked = state[name];
    box.addEventListener("change", () => { state[name] = box.checked; redraw(); });
  });
  document.querySelectorAll("button.component").forEach((button) => button.addEventListener("click", () => {
    const k = Number(button.dataset.component);
    state.visible[k] = !state.visible[k];
    button.setAttribute("aria-pressed", String(state.visible[k]));
    draw();
  }));
}

function listenToOutliers(page, state) {
  const slider = document.getElementById("rarity");
  if (!slider) return;
  const move = () => moveThreshold(page, Number(slider.value));
  slider.addEventListener("input", move);
  move();
  const values = JSON.parse(document.getElementById("document").textContent).outliers ?? [];
  document.querySelectorAll(".see-row").forEach((button) => {
    const { values: row, position } = values[Number(button.dataset.place)];
    button.addEventListener("click", () => state.fill(row, `row ${position.toLocaleString("en-US")}`));
  });
}

function listenToCriterion(page) {
  const select = document.getElementById("criterion");
  if (!select) return;
  const rows = candidatesOf(page);
  ["bic", "icl", "aic", "aicc", "heldout"]
    .filter((name) => rows.some((row) => row[name] !== null))
    .forEach((name) => select.append(html("option", { value: name }, CRITERIA[name])));
  select.value = page.criterion;
  const draw = () => drawSelection(page, select.value);
  select.addEventListener("change", draw);
  draw();
}

function followSections() {
  const links = [...document.querySelectorAll(".contents a")];
  const watcher = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
    links.forEach((link) => link.classList.toggle("here", link.getAttribute("href") === `#${entry.target.id}`));
  }), { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("main section").forEach((section) => watcher.observe(section));
}

begin();
