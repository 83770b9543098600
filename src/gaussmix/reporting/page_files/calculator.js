// A row of one's own: which component it belongs to, how rare it is, what to expect of values that are not known.

function makeCalculator(page, model) {
  const fields = document.getElementById("row-fields");
  const inputs = page.features.map((name, i) => {
    const input = html("input", { type: "text", inputmode: "decimal", "data-feature": i, "aria-label": name });
    fields.append(html("label", {}, name, input, html("output", { "data-expected": i })));
    input.addEventListener("input", () => answer(page, model, inputs));
    return input;
  });
  const fill = (values, what) => {
    inputs.forEach((input, i) => { input.value = values ? String(values[i]) : ""; });
    answer(page, model, inputs, what);
  };
  const examples = document.getElementById("row-examples");
  range(Math.min(model.K, 12)).forEach((k) => {
    const button = html("button", { type: "button", class: "plain", "data-example": k }, `mean of component ${k + 1}`);
    button.addEventListener("click", () => fill(rounded(model, k), `the mean of component ${k + 1}`));
    examples.append(button, " ");
  });
  document.getElementById("row-clear").addEventListener("click", () => fill(null));
  document.getElementById("row-form").addEventListener("submit", (event) => event.preventDefault());
  return fill;
}

// A component's mean, to the digits that matter.
function rounded(model, k) {
  return range(model.D).map((i) => Number(measured(model.mean(k, i), model.deviation(k, i)).replace(/,/g, "")));
}

function numberOf(text) {
  const plain = text.trim().replace(/\u2212/g, "-");
  return plain === "" ? NaN : Number(plain.includes(".") ? plain : plain.replace(",", "."));
}

function answer(page, model, inputs, what) {
  const place = document.getElementById("row-answer");
  const values = inputs.map((input) => numberOf(input.value));
  const wrong = inputs.filter((input, i) => input.value.trim() !== "" && !Number.isFinite(values[i]));
  inputs.forEach((input) => input.setAttribute("aria-invalid", String(wrong.includes(input))));
  document.querySelectorAll("[data-expected]").forEach((each) => { each.textContent = ""; });
  if (wrong.length) {
    const names = wrong.map((input) => page.features[Number(input.dataset.feature)]);
    place.replaceChildren(html("p", { class: "hint" }, `Not a number: ${names.join(", ")}.`));
    return;
  }
  const judged = model.judge(values);
  if (!judged.given.length) {
    place.replaceChildren(html("p", { class: "hint" }, "Nothing is known of the row yet: the shares are those of the whole mixture."), sharesOf(judged));
  } else {
    place.replaceChildren(verdict(page, judged, what), sharesOf(judged), facts(page, judged));
  }
  judged.rest.forEach((feature, n) => {
    const { mean, deviation } = judged.expected[n];
    const output = document.querySelector(`[data-expected="${feature}"]`);
    output.textContent = `expect ${measured(mean, deviation)} ± ${brief(deviation, 3)}`;
    output.dataset.mean = mean;
    output.dataset.deviation = deviation;
  });
}

function verdict(page, judged, what) {
  const best = greatest(judged.responsibilities);
  const strange = judged.tail < 1e-4;
  const most = judged.residuals.length ? greatest(judged.residuals.map(Math.abs)) : -1;
  const reason = strange && most >= 0 ? `, above all because of ${page.features[judged.given[most]]}` : "";
  const text = strange
    ? `lies outside every component: fewer than one in ${brief(1 / Math.max(judged.tail, 1e-300), 2)} rows of component ${judged.nearest + 1}, the nearest, would be as far out${reason}. Its probabilities say only which component is the least unlikely.`
    : `belongs to component ${best + 1} with a probability of ${percent(judged.responsibilities[best])}.`;
  return html("p", {}, what ? `${what[0].toUpperCase()}${what.slice(1)} ${text}` : `This row ${text}`);
}

function sharesOf(judged) {
  const list = html("div", { class: "shares" });
  judged.responsibilities.forEach((share, k) => {
    const bar = svg("svg", { class: `bar k${k % 10}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "bar-back", width: 100, height: 8 }), svg("rect", { class: "fill", width: 100 * share, height: 8 }));
    list.append(html("span", { class: `swatch k${k % 10}`, "aria-label": `component ${k + 1}` }, String(k + 1)), bar, html("span", { "data-share": k, "data-value": share }, percent(share)));
  });
  return list;
}

function facts(page, judged) {
  const list = html("dl", { class: "figures small" });
  const entry = (name, key, value, text) => list.append(html("div", {}, html("dt", {}, name), html("dd", { "data-fact": key, "data-value": value }, text)));
  entry("log density", "density", judged.logDensity, brief(judged.logDensity, 6));
  entry(`distance from component ${judged.nearest + 1}, the nearest`, "distance", Math.sqrt(judged.squares[judged.nearest]), Math.sqrt(judged.squares[judged.nearest]).toFixed(2));
  entry("share of its rows that are farther", "tail", judged.tail, percent(judged.tail));
  if (judged.given.length > 1) {
    judged.given
      .map((feature, n) => [feature, judged.residuals[n]])
      .sort((one, two) => Math.abs(two[1]) - Math.abs(one[1]))
      .slice(0, 4)
      .forEach(([feature, value]) => entry(`${page.features[feature]}, given the others`, `residual-${feature}`, value, `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)} deviations`));
  }
  return list;
}
