// The mixture, computed as gaussmix computes it: shifted, scaled by powers of two, covariances as triangular factors.

function makeModel(kept) {
  const weights = unpacked(kept.weights);
  const origin = unpacked(kept.origin);
  const scale = unpacked(kept.scale);
  const centres = unpacked(kept.centres);
  const factors = unpacked(kept.factors);
  const K = weights.length;
  const D = origin.length;
  const size = (D * (D + 1)) / 2;
  const forms = new Map();

  const entry = (k, i, j) => (j > i ? 0 : factors[(kept.shared ? 0 : k * size) + (i * (i + 1)) / 2 + j]);
  const row = (k, i) => range(D).map((j) => entry(k, i, j));
  const inward = (i, value) => (value - origin[i]) / scale[i];
  const mean = (k, i) => centres[k * D + i] * scale[i] + origin[i];
  const covariance = (k, i, j) => scale[i] * scale[j] * sum(range(Math.min(i, j) + 1).map((m) => entry(k, i, m) * entry(k, j, m)));
  const deviation = (k, i) => Math.sqrt(covariance(k, i, i));

  // Triangular factors (one per component) with the features in another order.
  function reordered(order) {
    const key = order.join();
    if (!forms.has(key)) forms.set(key, range(kept.shared ? 1 : K).map((k) => triangle(order.map((i) => row(k, i)))));
    return forms.get(key);
  }

  // What is known of a row with some values unknown (NaN): responsibilities, density, distances, what to expect.
  function judge(values) {
    const given = range(D).filter((i) => !Number.isNaN(values[i]));
    const rest = range(D).filter((i) => Number.isNaN(values[i]));
    const order = [...given, ...rest];
    const triangles = reordered(order);
    const z = given.map((i) => inward(i, values[i]));
    const jacobian = sum(given.map((i) => Math.log(scale[i])));
    const parts = range(K).map((k) => {
      const lower = triangles[kept.shared ? 0 : k];
      const white = solved(lower, z.map((value, place) => value - centres[k * D + given[place]]));
      const logs = sum(given.map((_, place) => Math.log(lower[place][place])));
      const square = sum(white.map((value) => value * value));
      return { lower, white, square, log: Math.log(weights[k]) - (given.length / 2) * LOG_2PI - logs - jacobian - square / 2 };
    });
    const logDensity = logSumExp(parts.map((part) => part.log));
    const responsibilities = shares(parts, logDensity);
    const nearest = least(parts.map((part) => part.square));
    return {
      given,
      rest,
      logDensity,
      responsibilities,
      squares: parts.map((part) => part.square),
      nearest,
      tail: given.length ? chiSquareTail(parts[nearest].square, given.length) : 1,
      residuals: residuals(parts[nearest].lower, parts[nearest].white),
      expected: rest.map((i, place) => expectation(parts, responsibilities, i, given.length + place, given.length)),
    };
  }

  function shares(parts, logDensity) {
    if (Number.isFinite(logDensity)) return parts.map((part) => Math.exp(part.log - logDensity));
    const nearest = least(parts.map((part) => part.square));
    return parts.map((_, k) => (k === nearest ? 1 : 0));
  }

  // Mean and standard deviation of an unknown feature, given the known ones.
  function expectation(parts, responsibilities, feature, place, known) {
    const middles = parts.map((part, k) => centres[k * D + feature] + sum(part.white.map((value, j) => part.lower[place][j] * value)));
    const spreads = parts.map((part) => sum(part.lower[place].slice(known).map((value) => value * value)));
    const middle = sum(middles.map((value, k) => responsibilities[k] * value));
    const square = sum(middles.map((value, k) => responsibilities[k] * (spreads[k] + (value - middle) ** 2)));
    return { mean: middle * scale[feature] + origin[feature], deviation: Math.sqrt(square) * scale[feature] };
  }

  // Two features of every component, in data units.
  function pair(i, j) {
    return range(K).map((k) => {
      const [xx, xy, yy] = [covariance(k, i, i), covariance(k, i, j), covariance(k, j, j)];
      const [sx, sy] = [Math.sqrt(xx), Math.sqrt(yy)];
      return { x: mean(k, i), y: mean(k, j), sx, sy, correlation: xy / (sx * sy), weight: weights[k] };
    });
  }

  function density(i, x) {
    return range(K).map((k) => {
      const s = deviation(k, i);
      return (weights[k] * Math.exp(-0.5 * ((x - mean(k, i)) / s) ** 2)) / (s * Math.sqrt(2 * Math.PI));
    });
  }

  return { K, D, weights, mean, deviation, judge, pair, density };
}

function densityOfPair(parts, x, y) {
  return sum(
    parts.map((part) => {
      const [u, v, r] = [(x - part.x) / part.sx, (y - part.y) / part.sy, part.correlation];
      const rest = Math.max(1 - r * r, 1e-14);
      return (part.weight * Math.exp(-0.5 * (u * u - 2 * r * u * v + v * v) / rest)) / (2 * Math.PI * part.sx * part.sy * Math.sqrt(rest));
    }),
  );
}

// The outline of the region that holds `coverage` of a component's mass: chi-square's quantile is -2 log(1 - c) here.
function ellipse(part, coverage, steps = 96) {
  const radius = Math.sqrt(-2 * Math.log1p(-coverage));
  const rest = Math.sqrt(Math.max(1 - part.correlation ** 2, 0));
  return range(steps).map((step) => {
    const angle = (2 * Math.PI * step) / steps;
    const [c, s] = [radius * Math.cos(angle), radius * Math.sin(angle)];
    return [part.x + part.sx * c, part.y + part.sy * (part.correlation * c + rest * s)];
  });
}

function least(values) {
  return values.reduce((best, value, k) => (value < values[best] ? k : best), 0);
}

function greatest(values) {
  return values.reduce((best, value, k) => (value > values[best] ? k : best), 0);
}

// L with L L' = R R', positive on its diagonal, for a square R: rotations of columns, so that nothing is squared.
function triangle(roots) {
  const lower = roots.map((line) => [...line]);
  for (let i = 0; i < lower.length; i += 1) {
    for (let j = i + 1; j < lower.length; j += 1) {
      if (lower[i][j] !== 0) rotate(lower, i, j);
    }
    if (lower[i][i] < 0) lower.forEach((line) => { line[i] = -line[i]; });
  }
  return lower;
}

function rotate(lower, i, j) {
  const length = Math.hypot(lower[i][i], lower[i][j]);
  const [c, s] = [lower[i][i] / length, lower[i][j] / length];
  for (let line = i; line < lower.length; line += 1) {
    const [one, two] = [lower[line][i], lower[line][j]];
    lower[line][i] = c * one + s * two;
    lower[line][j] = c * two - s * one;
  }
  lower[i][j] = 0;
}

function solved(lower, right) {
  const white = [];
  right.forEach((value, i) => {
    let left = value;
    for (let j = 0; j < i; j += 1) left -= lower[i][j] * white[j];
    white.push(left / lower[i][i]);
  });
  return white;
}

// How far each known value is from what the other known ones lead to expect, in standard deviations.
function residuals(lower, white) {
  return white.map((_, feature) => {
    const column = solved(lower, white.map((__, i) => (i === feature ? 1 : 0)));
    return sum(column.map((value, i) => value * white[i])) / Math.sqrt(sum(column.map((value) => value * value)));
  });
}

// Densities above which these shares of the mass on a grid lie.
function regionLevels(values, coverages) {
  const ordered = Float64Array.from(values).sort().reverse();
  let mass = 0;
  const masses = ordered.map((value) => (mass += value));
  return coverages.map((coverage) => ordered[Math.max(masses.findIndex((value) => value >= coverage * mass), 0)]);
}
