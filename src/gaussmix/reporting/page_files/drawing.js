// Pictures are SVG, so that they follow the colours of the page, print sharply and can be read by a program.

const SVG = "http://www.w3.org/2000/svg";
let pictures = 0;

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

function figure(name) {
  return document.querySelector(`[data-picture="${name}"]`);
}

// Put a picture in its place, with a caption and the same in words for whoever does not see it.
function show(place, picture, label, caption, words) {
  const open = place.querySelector("details")?.open ?? false;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  const told = html("details", open ? { open: "" } : {}, html("summary", {}, "In words"), html("p", { class: "words" }, words));
  place.replaceChildren(picture, html("figcaption", {}, caption), told);
}

function ticksOf([low, high], about = 6) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

// A pair of axes; x and y are ranges, `body` is clipped to them.
function axes({ width = 640, height = 400, x, y, across = "", up = "", xTicks, yTicks, write = brief, left = 62, right = 14, bottom = 46, writeX }) {
  const top = 14;
  const px = (value) => left + ((value - x[0]) / (x[1] - x[0])) * (width - left - right);
  const py = (value) => height - bottom - ((value - y[0]) / (y[1] - y[0])) * (height - top - bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}` });
  const clip = `clip-${(pictures += 1)}`;
  picture.append(svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom })));
  (yTicks ?? ticksOf(y)).forEach((tick) => {
    picture.append(svg("path", { class: "grid", d: `M${left} ${py(tick)}H${width - right}` }));
    picture.append(svg("text", { x: left - 8, y: py(tick) + 4, "text-anchor": "end" }, write(tick)));
  });
  (xTicks ?? ticksOf(x, width / 90)).forEach((tick) => {
    picture.append(svg("path", { class: "axis", d: `M${px(tick)} ${height - bottom}v5` }));
    picture.append(svg("text", { x: px(tick), y: height - bottom + 19, "text-anchor": "middle" }, (writeX ?? write)(tick)));
  });
  picture.append(svg("path", { class: "axis", d: `M${left} ${height - bottom}H${width - right}` }));
  picture.append(svg("text", { class: "name", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, across));
  const sideways = `translate(14 ${(top + height - bottom) / 2}) rotate(-90)`;
  picture.append(svg("text", { class: "name", transform: sideways, "text-anchor": "middle" }, up));
  const body = svg("g", { "clip-path": `url(#${clip})` });
  picture.append(body);
  return { picture, body, px, py, left, right, top, bottom, width, height };
}

// 1, 10, 100, then powers with their exponents raised.
function power(exponent) {
  const raised = (sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(sign)] ?? "⁻";
  return exponent >= 0 && exponent < 4 ? (10 ** exponent).toLocaleString("en-US") : `10${[...String(exponent)].map(raised).join("")}`;
}

function path(points, closed = false) {
  const steps = points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L");
  return steps ? `M${steps}${closed ? "Z" : ""}` : "";
}

// Many points as one element: strokes without length, whose round ends are the dots.
function dots(points) {
  return points.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
}

// Closed outlines of where a grid (rows of equal length, zero at its border) exceeds a level: marching squares. Around
// each cell, counterclockwise, an outline leads from where one leaves the region to where one next enters it.
function outlines(grid, level) {
  const [rows, columns] = [grid.length, grid[0].length];
  const next = new Map();
  const places = new Map();
  const crossing = (i, j, di, dj) => {
    const key = 2 * (j * columns + i) + dj;
    const [one, two] = [grid[j][i], grid[j + dj][i + di]];
    const along = (level - one) / (two - one);
    places.set(key, [i + di * along, j + dj * along]);
    return key;
  };
  for (let j = 0; j + 1 < rows; j += 1) {
    for (let i = 0; i + 1 < columns; i += 1) {
      const inside = [grid[j][i], grid[j][i + 1], grid[j + 1][i + 1], grid[j + 1][i]].map((value) => value > level);
      const edges = [[i, j, 1, 0], [i + 1, j, 0, 1], [i, j + 1, 1, 0], [i, j, 0, 1]];
      for (let e = 0; e < 4; e += 1) {
        if (!inside[e] || inside[(e + 1) % 4]) continue;
        const entry = [1, 2, 3].map((step) => (e + step) % 4).find((each) => !inside[each] && inside[(each + 1) % 4]);
        next.set(crossing(...edges[e]), crossing(...edges[entry]));
      }
    }
  }
  const found = [];
  while (next.size) {
    const loop = [];
    for (let key = next.keys().next().value; next.has(key); ) {
      loop.push(places.get(key));
      const after = next.get(key);
      next.delete(key);
      key = after;
    }
    found.push(loop);
  }
  return found;
}
