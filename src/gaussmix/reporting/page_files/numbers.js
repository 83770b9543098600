// Numbers: how they arrive, how they are written, and the tail of chi-square.

const LOG_2PI = Math.log(2 * Math.PI);

function unpacked(text, Kind = Float64Array) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return new Kind(bytes.buffer);
}

function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function logSumExp(values) {
  const top = Math.max(...values);
  return Number.isFinite(top) ? top + Math.log(sum(values.map((value) => Math.exp(value - top)))) : top;
}

// Significant digits that stay readable: 0.00012, 1,234.5, 1.2e+9.
function brief(value, digits = 4) {
  if (!Number.isFinite(value)) return value === null || Number.isNaN(value) ? "–" : "∞";
  if (value !== 0 && (Math.abs(value) >= 1e7 || Math.abs(value) < 1e-4)) {
    return value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e");
  }
  return value.toLocaleString("en-US", { maximumSignificantDigits: digits });
}

// With the digits that a standard deviation of this size gives it.
function measured(value, deviation) {
  const decimals = deviation > 0 ? Math.max(0, 2 - Math.floor(Math.log10(deviation))) : 4;
  return decimals <= 10 && Math.abs(value) < 1e9
    ? value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    : brief(value, 6);
}

function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  const near = Math.min(share, 1 - share);
  if (near < 1e-6) return share < 0.5 ? "< 0.0001 %" : "> 99.9999 %";
  const digits = near >= 0.0005 ? 1 : -Math.floor(Math.log10(100 * near));
  return `${(100 * share).toFixed(digits)} %`;
}

// Log of the gamma function of a positive multiple of one half.
function logGammaOfHalf(twice) {
  let log = twice % 2 ? 0.5 * Math.log(Math.PI) : 0;
  for (let a = twice % 2 ? 0.5 : 1; 2 * a < twice; a += 1) log += Math.log(a);
  return log;
}

// The probability that chi-square with so many degrees of freedom exceeds a value: the regularized upper incomplete
// gamma function, by its series below the mean and its continued fraction (by Lentz's method) above.
function chiSquareTail(square, degrees) {
  if (!(square > 0)) return Number.isNaN(square) ? NaN : 1;
  if (square === Infinity) return 0;
  const a = degrees / 2;
  const x = square / 2;
  const front = Math.exp(a * Math.log(x) - x - logGammaOfHalf(degrees));
  if (x < a + 1) {
    let term = 1 / a;
    let total = term;
    for (let n = 1; term > total * 1e-17; n += 1) {
      term *= x / (a + n);
      total += term;
    }
    return 1 - front * total;
  }
  let b = x + 1 - a;
  let c = Infinity;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 500; n += 1) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return front * fraction;
}
