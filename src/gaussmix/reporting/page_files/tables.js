// Tables sort by any column: numbers by value, words by their letters, what is missing last.

function makeSortable(table) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = html("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, head, column));
  });
}

function sortBy(table, head, column) {
  const down = head.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("thead th").forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [keyOf(row.cells[column]), row]);
  const missing = (key) => key === "" || key === undefined;
  keyed.sort(([one], [two]) => {
    if (missing(one) || missing(two)) return Number(missing(one)) - Number(missing(two));
    const order = typeof one === "number" && typeof two === "number" ? one - two : String(one).localeCompare(String(two), "en", { numeric: true });
    return down ? -order : order;
  });
  body.append(...keyed.map(([, row]) => row));
}

function keyOf(cell) {
  const value = cell.dataset.value ?? cell.textContent.trim();
  return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}
