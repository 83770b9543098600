// How many rows lie far from every component, and which.

function drawRarities(page, place) {
  const { rarities: all, beyond, weight } = page.rows;
  const far = Math.max(place, all.findLastIndex((_, n) => beyond[n] > 0)) + 4;
  const rarities = all.slice(0, Math.max(far, 13));
  const high = (value) => Math.log10(Math.max(value, 0.1));
  const expected = rarities.map((rarity) => weight * 10 ** -rarity);
  const top = Math.max(high(beyond[0]), high(expected[0])) + 0.3;
  const write = (tick) => (tick < 0 ? "0.1" : power(tick));
  const plot = axes({ width: 900, height: 240, x: [rarities[0], rarities[rarities.length - 1]], y: [-1.05, top], across: "rarer than one in", up: "rows", xTicks: rarities.filter((rarity) => Number.isInteger(rarity)), writeX: power, yTicks: range(Math.ceil(top) + 1).map((i) => i - 1).filter((tick) => tick < top), write });
  plot.body.append(svg("rect", { class: "band", x: plot.px(rarities[place]), width: plot.width, y: 0, height: plot.height }));
  plot.body.append(svg("path", { class: "reference", d: path(rarities.map((rarity, n) => [plot.px(rarity), plot.py(high(expected[n]))])) }));
  const seen = rarities.map((rarity, n) => [rarity, beyond[n]]).filter(([, count]) => count > 0);
  plot.body.append(svg("path", { class: "accent", d: path(seen.map(([rarity, count]) => [plot.px(rarity), plot.py(high(count))])) }));
  seen.forEach(([rarity, count]) => plot.body.append(svg("circle", { class: "accent-fill", cx: plot.px(rarity), cy: plot.py(high(count)), r: 3 })));
  const words = [0, 4, 8, 12, 16].filter((n) => n < rarities.length).map((n) => `rarer than one in ${(10 ** rarities[n]).toLocaleString("en-US")}: ${brief(beyond[n], 6)}, by chance at most ${brief(expected[n], 3)}`);
  show(figure("rarities"), plot.picture, "How many rows are rarer than a threshold, beside how many Gaussians would have", "Rows that lie outside every component, by how rare that is (blue), and how many at most would do so by chance (dashed). The shaded part is beyond the threshold.", `${words.join("; ")}.`);
}

function moveThreshold(page, place) {
  const { rarities, beyond, weight } = page.rows;
  const limit = 10 ** -rarities[place];
  const shown = Math.round(10 ** rarities[place]).toLocaleString("en-US", { maximumSignificantDigits: 3 });
  document.getElementById("rarity-shown").textContent = shown;
  document.getElementById("rarity").setAttribute("aria-valuetext", `one in ${shown}`);
  const rows = [...document.querySelectorAll("#rare-rows tbody tr")];
  rows.forEach((row) => { row.hidden = Number(row.dataset.tail) >= limit; });
  const listed = rows.filter((row) => !row.hidden).length;
  document.getElementById("rare-rows").hidden = listed === 0;
  const count = document.getElementById("rare-count");
  const more = listed < beyond[place] ? ` The ${listed} farthest are listed.` : "";
  count.textContent = `${beyond[place].toLocaleString("en-US")} of ${weight.toLocaleString("en-US")} rows lie so far from every component; by chance it would be at most ${brief(weight * limit, 3)}.${more}`;
  count.dataset.value = beyond[place];
  drawRarities(page, place);
}
