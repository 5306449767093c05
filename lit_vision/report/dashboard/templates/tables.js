// Sorting and filtering of tables. Both survive when a table's content is replaced; filters stand in the address, so
// that they survive a reload and can be sent to others.
const Tables = (() => {
  const sorted = {}; // by table id: column and direction
  const FILTERS = ["recipe", "row", "tag", "status"];

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim().toLowerCase() : cell.dataset.value === "" ? null : +cell.dataset.value;
  };

  function sort(table) {
    const { column, direction } = sorted[table.id];
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
    rows.sort(([a], [b]) => (a === null) - (b === null) || direction * (a < b ? -1 : a > b ? 1 : 0));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    for (const [index, head] of [...table.tHead.rows[0].cells].entries()) {
      if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", index !== column ? "none" : direction > 0 ? "ascending" : "descending");
    }
  }

  function clicked(button) {
    const table = button.closest("table"), column = button.closest("th").cellIndex;
    const before = sorted[table.id];
    sorted[table.id] = { column, direction: before && before.column === column ? -before.direction : 1 };
    sort(table);
    changed();
  }

  const form = () => document.getElementById("filters");
  const tags = (element) => JSON.parse(element.dataset.tags || "[]");
  const chosen = () => Object.fromEntries(new FormData(form()));

  function fits(element, wanted, but) {
    const data = element.dataset;
    return (!wanted.recipe || but === "recipe" || data.recipe === wanted.recipe)
      && (!wanted.row || but === "row" || data.row === undefined || data.row === wanted.row)
      && (!wanted.tag || but === "tag" || data.tags === undefined || tags(element).includes(wanted.tag))
      && (!wanted.status || but === "status" || data.status === undefined || data.status === wanted.status)
      && (!wanted.text || but === "text" || element.textContent.toLowerCase().includes(wanted.text.toLowerCase()));
  }

  function remember(wanted) {
    const query = new URLSearchParams(Object.entries(wanted).filter(([, text]) => text)).toString();
    history.replaceState(null, "", `${location.pathname}${query && "?"}${query}${location.hash}`);
  }

  function recall() {
    for (const [name, text] of new URLSearchParams(location.search)) {
      const field = form() && form().elements.namedItem(name);
      if (!field) continue;
      if (field.tagName === "SELECT") field.append(new Option(text, text));
      field.value = text;
    }
  }

  function filter() {
    if (!form()) return;
    const wanted = chosen();
    remember(wanted);
    for (const element of document.querySelectorAll("tr[data-recipe]")) element.hidden = !fits(element, wanted);
    for (const group of document.querySelectorAll("[data-group]")) group.hidden = !group.querySelector("tr[data-recipe]:not([hidden])");
    offer(wanted);
    const all = runs(), left = all.filter((row) => !row.hidden).length;
    document.getElementById("count").textContent = left === all.length ? `${all.length} runs` : `${left} of ${all.length} runs`;
    changed();
  }

  // Each menu offers what the other filters leave.
  function offer(wanted) {
    for (const name of FILTERS) {
      const menu = form().elements[name];
      const left = runs().filter((row) => fits(row, wanted, name));
      const names = new Set(left.flatMap((row) => (name === "tag" ? tags(row) : [row.dataset[name]])).filter(Boolean));
      if (wanted[name]) names.add(wanted[name]);
      menu.replaceChildren(new Option("all", ""), ...[...names].sort().map((text) => new Option(text, text)));
      menu.value = wanted[name];
    }
  }

  const runs = () => [...document.querySelectorAll("tr[data-run]")];
  const changed = () => document.dispatchEvent(new Event("shown"));

  return {
    // Ids of the runs that the filters leave, in the order of the table; ticked ones alone where any is.
    shown() {
      const rows = runs().filter((row) => !row.hidden);
      const ticked = rows.filter((row) => row.querySelector("[data-draw]").checked);
      return { ids: (ticked.length ? ticked : rows).map((row) => row.dataset.run), ticked: ticked.length > 0 };
    },
    again() {
      for (const id of Object.keys(sorted)) if (document.getElementById(id)) sort(document.getElementById(id));
      filter();
    },
    start() {
      document.addEventListener("click", (event) => {
        if (event.target.matches("[data-sort]")) clicked(event.target);
      });
      document.addEventListener("change", (event) => {
        if (event.target.matches("[data-draw]")) changed();
      });
      document.addEventListener("input", (event) => { if (event.target.closest("#filters")) filter(); });
      document.addEventListener("reset", () => setTimeout(filter));
      document.addEventListener("submit", (event) => event.preventDefault());
      recall();
      filter();
    },
  };
})();
