// Starts the page, draws the curves of chosen runs, and follows a running job where a server sends news.
const Page = (() => {
  const FIRST = 8, MOST = 60;
  const OTHERS = ["lr", "rank0/images_per_s", "waiting for data, %"];
  const root = document.documentElement;
  let data = JSON.parse(document.getElementById("data").textContent);

  // Names without their split, the figure that most runs have first.
  function names() {
    const counts = new Map();
    for (const run of data.runs) for (const name of new Set(Object.keys(run.curves).map(bare))) counts.set(name, (counts.get(name) || 0) + 1);
    const rank = (name) => (OTHERS.includes(name) ? 2 : name === "loss" ? 1 : 0);
    return [...counts.keys()].sort((a, b) => rank(a) - rank(b) || counts.get(b) - counts.get(a));
  }
  const bare = (name) => name.replace(/^(train|val)\//, "");

  function offerNames() {
    const menu = document.getElementById("overlay-name"), before = menu.value;
    const all = names();
    menu.replaceChildren(...all.map((name) => new Option(name, name)));
    if (all.includes(before)) menu.value = before;
  }

  function tracesOf(run, name, colour) {
    const group = run.id;
    const of = (key, look) => (run.curves[key] ? [{ name: run.label, x: run.curves[key][0], y: run.curves[key][1], colour, group, ...look }] : []);
    if (OTHERS.includes(name)) return of(name, {});
    const validation = of(`val/${name}`, { mode: "lines+markers" });
    return [...validation, ...of(`train/${name}`, { dash: true, legend: !validation.length })];
  }

  function overlay() {
    if (!data.runs) return;
    const name = document.getElementById("overlay-name").value;
    const { ids, ticked } = Tables.shown();
    const byId = new Map(data.runs.map((run) => [run.id, run]));
    const having = ids.map((id) => byId.get(id)).filter((run) => run && Object.keys(run.curves).some((key) => bare(key) === name));
    const drawn = having.slice(0, ticked ? MOST : FIRST);
    const colours = new Map(drawn.map((run, index) => [run.id, `--c${(index % 8) + 1}`]));
    const told = drawn.slice(0, FIRST).map((run) => (run.best[name] ? `${run.label}: best ${run.best[name][1]} at step ${run.best[name][0]}` : run.label)).join("; ");
    Figures.set("overlay", {
      kind: "lines", x: "optimiser step", y: name, traces: drawn.flatMap((run) => tracesOf(run, name, colours.get(run.id))),
      marks: drawn.filter((run) => run.best[name]).map((run) => ({ x: run.best[name][0], y: run.best[name][1], label: `best of ${run.label}`, colour: colours.get(run.id) })),
      text: drawn.length ? `${name} of ${drawn.length} of ${ids.length} runs. ${told}.` : "No run that is shown has logged this.",
    });
  }

  // --- following a running job ---

  function remember() {
    const controls = [...document.querySelectorAll("main select, main input")].map((control) => [control.id, control.value, control.checked]);
    const ticked = [...document.querySelectorAll("[data-draw]:checked")].map((box) => box.closest("tr").dataset.run);
    const open = [...document.querySelectorAll("main details[open]")].map((details) => details.id);
    return { controls, ticked, open, focus: document.activeElement && document.activeElement.id };
  }

  function restore(state) {
    if (data.runs) offerNames();
    for (const row of document.querySelectorAll("tr[data-run]")) row.querySelector("[data-draw]").checked = state.ticked.includes(row.dataset.run);
    for (const [id, value] of state.controls) {
      const control = document.getElementById(id);
      if (!control || control.type === "checkbox") continue;
      if (control.tagName === "SELECT" && value && ![...control.options].some((option) => option.value === value)) control.append(new Option(value, value));
      control.value = value;
    }
    for (const id of state.open) { const details = document.getElementById(id); if (details) details.open = true; }
    const focus = state.focus && document.getElementById(state.focus);
    if (focus && focus !== document.activeElement) focus.focus({ preventScroll: true });
  }

  const shape = (element) => [...element.querySelectorAll("[id]")].map((part) => part.id).join(" ");

  function take(news) {
    const main = document.getElementById("main"), state = remember();
    const fresh = new DOMParser().parseFromString(`<main>${news.html}</main>`, "text/html").querySelector("main");
    if (shape(fresh) !== shape(main)) main.replaceChildren(...fresh.childNodes);
    else for (const part of main.querySelectorAll("[data-live]")) part.replaceChildren(...fresh.querySelector(`#${CSS.escape(part.id)}`).childNodes);
    data = { ...data, ...news };
    root.dataset.stamp = news.stamp;
    restore(state);
    Figures.watch();
    Figures.take(data);
    Tables.again();
  }

  function say(text) {
    const line = document.getElementById("news");
    line.textContent = text;
    line.hidden = !text;
  }

  async function follow(seconds) {
    try {
      const answer = await fetch(`live.json?since=${encodeURIComponent(root.dataset.stamp)}`, { cache: "no-store" });
      if (answer.status === 200) take(await answer.json());
      say(answer.ok ? `Following the runs' files; last looked at ${new Date().toLocaleTimeString()}.` : `The server answers ${answer.status}.`);
    } catch {
      say("The server has stopped; this page stays as it is.");
    }
    setTimeout(follow, seconds * 1000, seconds);
  }

  // Everything but the figures works before the drawing library is read.
  Tables.start();
  Gallery.start();
  if (data.runs) {
    offerNames();
    document.addEventListener("shown", overlay);
    document.getElementById("main").addEventListener("change", (event) => { if (event.target.id === "overlay-name") overlay(); });
    overlay();
  }

  return {
    start() {
      document.getElementById("no-library").hidden = typeof Plotly !== "undefined";
      Figures.start();
      Figures.take(data);
      const seconds = +root.dataset.follow;
      if (seconds && location.protocol.startsWith("http")) follow(seconds);
    },
  };
})();
