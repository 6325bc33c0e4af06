// What is shown: filters, one page of cards, one row enlarged. Texts go in as text, never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const rows = readRows(data);
const form = document.getElementById("filters");
const grid = document.getElementById("grid");
const zoom = document.getElementById("zoom");
const PER_PAGE = [30, 60, 120, 240];
const MAX_SUGGESTED = 1000;
const MAX_OPTIONS = 500; // a reason may name an address of its own
const FIELDS = ["search", "person", "driver", "expression", "group", "model", "kind", "order"];

let query = emptyQuery();
let found = { rows: [], counts: {} };
let page = 0;
let perPage = 60;
let enlarged = null; // index among the rows found

function emptyQuery() {
  const bounds = Object.fromEntries(Object.keys(MEASURES).map((name) => [name, ["", ""]]));
  return { status: "all", search: "", person: "", driver: "", expression: "", group: "", model: "", kind: "", order: "table", bounds };
}

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const plain = (number) => number.toLocaleString("en");
const counted = (number, what) => `${plain(number)} ${what}${number === 1 ? "" : "s"}`;

// --- Pictures --------------------------------------------------------------------------------------------------------

function picture(kind, number, size, text, absent) {
  if (number < 0) return el("span", { class: "none", role: "img", "aria-label": `${text}: ${absent}` }, absent ?? "");
  const { columns, per, count, [size]: files } = data.pictures[kind];
  const sheet = Math.floor(number / per);
  const cell = number % per;
  const lines = Math.ceil(Math.min(per, count - sheet * per) / columns);
  const line = Math.floor(cell / columns);
  const element = el("span", { class: "picture", role: "img", "aria-label": text });
  element.style.backgroundImage = `url("${files[sheet]}")`;
  element.style.backgroundSize = `${columns * 100}% ${lines * 100}%`;
  element.style.backgroundPosition = `${((cell % columns) / (columns - 1)) * 100}% ${lines > 1 ? (line / (lines - 1)) * 100 : 0}%`;
  const loading = new Image(); // a background does not tell that its file is missing
  loading.addEventListener("error", () => {
    document.getElementById("lost").hidden = false;
    element.replaceWith(el("span", { class: "none", role: "img", "aria-label": `${text}: file is missing` }, "file is missing"));
  });
  loading.src = files[sheet];
  return element;
}

function threeFaces(row, size) {
  const { sources, drivers, labels } = rows;
  const [source, driver] = [rows.source[row], rows.driver[row]];
  const parts = [
    ["source", picture("photo", sources.picture[source], size, `source: ${person(row)}`, sources.absent.of(source))],
    ["driver", picture("photo", drivers.picture[driver], size, `driver: ${driverOf(row)}`, drivers.absent.of(driver))],
    ["result", picture("result", rows.result[row], size, "generated face", labels.absent.of(row))],
  ];
  return el("span", { class: "faces" }, ...parts.map(([name, shown]) => el("span", { class: "face" }, shown, el("span", { class: "part" }, name))));
}

// --- Texts of a row --------------------------------------------------------------------------------------------------

const person = (row) => rows.labels.person.of(row) ?? UNLABELLED;
const driverOf = (row) => rows.labels.driver.of(row) ?? UNLABELLED;
const measured = (row, name) => (Number.isNaN(rows.measures[name][row]) ? "–" : rows.measures[name][row].toFixed(3));

function caption(row) {
  const expression = rows.labels.expression.of(row) ?? rows.labels.group.of(row) ?? "expression";
  return `${person(row)} with the ${expression} of ${driverOf(row)}`;
}

function verdict(row) {
  const reason = rows.labels.reason.of(row);
  const name = STATUSES[rows.labels.status.of(row)];
  return reason === null ? name : `${name}: ${reason}`;
}

function card(row, index) {
  const numbers = Object.entries(MEASURES).slice(0, 3).map(([name, title]) => el("span", {}, title, el("b", {}, ` ${measured(row, name)}`)));
  const button = el(
    "button",
    { type: "button", class: `card ${STATUSES[rows.labels.status.of(row)]}`, "data-index": index, "data-id": rows.ids[row], onclick: () => enlarge(index) },
    threeFaces(row, "small"),
    el("span", { class: "caption" }, caption(row)),
    el("span", { class: "numbers" }, ...numbers),
    el("span", { class: "verdict" }, verdict(row)),
  );
  button.tabIndex = -1;
  return el("li", {}, button);
}

// --- The page --------------------------------------------------------------------------------------------------------

const pages = () => Math.max(1, Math.ceil(found.rows.length / perPage));

/** Shows what the query finds. */
function refresh(keepPage = false) {
  found = select(rows, query);
  page = keepPage ? Math.min(page, pages() - 1) : 0;
  for (const button of form.querySelectorAll(".statuses button")) {
    const { status } = button.dataset;
    const count = status === "all" ? Object.values(found.counts).reduce((a, b) => a + b) : found.counts[status];
    button.textContent = `${STATUSES[status] ?? "all"} ${plain(count)}`;
    button.setAttribute("aria-pressed", String(query.status === status));
  }
  show();
}

function show(focused = null) {
  const first = page * perPage;
  const shown = found.rows.slice(first, first + perPage);
  grid.replaceChildren(...shown.map((row, i) => card(row, first + i)));
  const range = shown.length ? `, shown are ${plain(first + 1)} to ${plain(first + shown.length)}` : "";
  document.getElementById("state").textContent = `${counted(found.rows.length, "face")} of ${plain(rows.count)}${range}`;
  for (const pager of document.querySelectorAll(".pager")) fillPager(pager);
  const target = cards()[focused === null ? 0 : Math.min(focused, shown.length - 1)];
  if (target) target.tabIndex = 0;
  if (target && focused !== null) target.focus();
  keepInAddress();
}

function fillPager(pager) {
  const to = (number) => () => turnTo(number);
  const button = (text, name, number, disabled) => el("button", { type: "button", "aria-label": name, disabled, onclick: to(number) }, text);
  const number = el("input", { type: "number", min: 1, max: pages(), value: page + 1, "aria-label": "Page", onchange: (event) => turnTo(Number(event.target.value) - 1) });
  const sizes = PER_PAGE.map((size) => el("option", { value: size, selected: size === perPage }, String(size)));
  const size = el("select", { onchange: (event) => changeSize(Number(event.target.value)) }, ...sizes);
  pager.replaceChildren(
    button("«", "First page", 0, page === 0),
    button("‹", "Previous page", page - 1, page === 0),
    el("label", {}, "page ", number, ` of ${plain(pages())} `),
    button("›", "Next page", page + 1, page === pages() - 1),
    button("»", "Last page", pages() - 1, page === pages() - 1),
    el("label", {}, "faces a page ", size),
  );
}

function turnTo(number, focused = null) {
  page = Math.min(Math.max(0, Math.trunc(number) || 0), pages() - 1);
  show(focused);
}

function changeSize(size) {
  const first = page * perPage;
  perPage = size;
  turnTo(Math.floor(first / size));
}

// --- One row enlarged ------------------------------------------------------------------------------------------------

function enlarge(index) {
  enlarged = index;
  const row = found.rows[index];
  const { labels } = rows;
  const full = (kind) => `${data.pictures[kind].side} px`;
  const facts = [
    ["verdict", verdict(row)],
    ["picture", labels.absent.of(row)],
    ...Object.entries(MEASURES).map(([name, title]) => [title, measured(row, name)]),
    ["person", labels.person.of(row)], ["expression", labels.expression.of(row)], ["group", labels.group.of(row)],
    ["expression of", labels.driver.of(row)], ["split", labels.split.of(row)], ["consent", labels.consent.of(row)],
    ["licence", labels.licence.of(row)], ["generator", labels.model_uri.of(row)], ["MLflow run", labels.run_id.of(row)],
    ["output", rows.ids[row]], ["source face", rows.sources.ids[rows.source[row]]],
    ["made with", labels.further.of(row)], ["driver face", rows.drivers.ids[rows.driver[row]]],
    ["make it again", `mien reproduce ${rows.ids[row]} --root ${document.body.dataset.root}`],
    ["sides shown", `source and driver ${full("photo")}, result ${full("result")}`],
  ];
  zoom.replaceChildren(
    el("h2", { id: "zoom-title" }, caption(row)),
    threeFaces(row, "full"),
    el("dl", {}, ...facts.filter(([, value]) => value !== null).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    el("div", { class: "turn" },
      el("button", { type: "button", disabled: index === 0, onclick: () => enlarge(index - 1) }, "‹ previous"),
      el("span", {}, `${plain(index + 1)} of ${plain(found.rows.length)}`),
      el("button", { type: "button", disabled: index === found.rows.length - 1, onclick: () => enlarge(index + 1) }, "next ›"),
      el("button", { type: "button", autofocus: true, onclick: () => zoom.close() }, "close")),
  );
  zoom.dataset.id = rows.ids[row];
  if (!zoom.open) zoom.showModal();
}

zoom.addEventListener("close", () => turnTo(Math.floor(enlarged / perPage), enlarged % perPage));
zoom.addEventListener("click", (event) => { if (event.target === zoom) zoom.close(); });

// --- Filters ---------------------------------------------------------------------------------------------------------

function options(select, first, labels) {
  const counts = new Map();
  for (const code of labels.codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const texts = new Map();
  for (const [code, count] of counts) {
    const value = labels.values[code];
    if (value !== null || select.name !== "kind") texts.set(value ?? UNLABELLED, (texts.get(value ?? UNLABELLED) ?? 0) + count);
  }
  const frequent = [...texts.keys()].sort((a, b) => texts.get(b) - texts.get(a)).slice(0, MAX_OPTIONS);
  const sortedTexts = frequent.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  select.replaceChildren(el("option", { value: "" }, first), ...sortedTexts.map((text) => el("option", { value: text }, `${text} (${plain(texts.get(text))})`)));
  if (texts.size > MAX_OPTIONS) select.append(el("option", { disabled: true }, `${plain(texts.size - MAX_OPTIONS)} more: use the search`));
  select.parentElement.hidden = sortedTexts.length === 0 || (sortedTexts.length === 1 && sortedTexts[0] === UNLABELLED);
}

/** Suggests names that contain what is typed; all would slow the page down where there are many. */
function suggest(input) {
  const typed = input.value.trim().toLowerCase();
  const values = rows.labels[input.name].values.map((value) => value ?? UNLABELLED);
  const some = values.filter((value) => value.toLowerCase().includes(typed)).slice(0, MAX_SUGGESTED);
  input.list.replaceChildren(...some.map((value) => el("option", { value })));
}

function buildFilters() {
  const statuses = ["all", ...Object.keys(STATUSES)].map((status) => el("button", { type: "button", "data-status": status, onclick: () => { query.status = status; refresh(); } }));
  form.querySelector(".statuses").replaceChildren(...statuses);
  options(form.elements.expression, "any", rows.labels.expression);
  options(form.elements.group, "any", rows.labels.group);
  options(form.elements.model, "any", rows.labels.model);
  if (rows.labels.model.values.length < 2) form.elements.model.parentElement.hidden = true;
  options(form.elements.kind, "any or none", rows.labels.kind);
  const orders = Object.entries(MEASURES).flatMap(([name, title]) => [[`${name}:up`, `${title}, lowest first`], [`${name}:down`, `${title}, highest first`]]);
  form.elements.order.replaceChildren(...[["table", "as in the table"], ...orders].map(([value, text]) => el("option", { value }, text)));
  const bound = (name, end, title) => el("input", { type: "number", step: "any", name: `${name}.${end}`, placeholder: end, "aria-label": `${title}, ${end}` });
  form.querySelector(".bounds").replaceChildren(
    ...Object.entries(MEASURES).map(([name, title]) => el("fieldset", {}, el("legend", {}, title), bound(name, "min", title), " to ", bound(name, "max", title))));
}

function readForm() {
  for (const name of FIELDS) query[name] = form.elements[name].value;
  for (const name of Object.keys(MEASURES)) query.bounds[name] = [form.elements[`${name}.min`].value, form.elements[`${name}.max`].value];
}

function fillForm() {
  for (const name of FIELDS) form.elements[name].value = query[name];
  for (const name of Object.keys(MEASURES)) [form.elements[`${name}.min`].value, form.elements[`${name}.max`].value] = query.bounds[name];
}

let waiting = 0;
form.addEventListener("input", (event) => {
  if (event.target.list) suggest(event.target);
  clearTimeout(waiting);
  waiting = setTimeout(() => { readForm(); refresh(); }, event.target.tagName === "SELECT" ? 0 : 120);
});
form.addEventListener("focusin", (event) => { if (event.target.list) suggest(event.target); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", (event) => { event.preventDefault(); query = emptyQuery(); fillForm(); refresh(); });

// --- The address keeps what is asked for, so that it can be sent to somebody -------------------------------------------

function keepInAddress() {
  const parts = new URLSearchParams();
  const usual = emptyQuery();
  for (const [name, value] of Object.entries(query)) if (name !== "bounds" && value !== usual[name]) parts.set(name, value);
  for (const [name, [low, high]] of Object.entries(query.bounds)) if (low !== "" || high !== "") parts.set(name, `${low}..${high}`);
  if (page) parts.set("page", page + 1);
  try {
    history.replaceState(null, "", parts.size ? `#${parts}` : location.pathname + location.search);
  } catch {
    // Within a frame of another page, such as a viewer of artifacts, there is no address to change.
  }
}

function readAddress() {
  query = emptyQuery();
  const parts = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of parts) {
    if (name in MEASURES) query.bounds[name] = [...value.split(".."), "", ""].slice(0, 2);
    else if (name in query && name !== "bounds") query[name] = value;
  }
  if (query.status !== "all" && !(query.status in STATUSES)) query.status = "all";
  fillForm();
  readForm();
  refresh();
  if (parts.has("page")) turnTo(Number(parts.get("page")) - 1);
}

// --- Keys ------------------------------------------------------------------------------------------------------------

const cards = () => [...grid.querySelectorAll(".card")];

function moveFocus(key) {
  const all = cards();
  const at = all.indexOf(document.activeElement);
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const to = at < 0 ? 0 : at + step;
  if (to >= all.length && page < pages() - 1) turnTo(page + 1, 0);
  else if (to < 0 && page > 0) turnTo(page - 1, perPage - 1);
  else if (all[to]) {
    for (const each of all) each.tabIndex = each === all[to] ? 0 : -1;
    all[to].focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select, textarea");
  if (zoom.open) {
    const to = enlarged + ({ ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0);
    if (to !== enlarged && to >= 0 && to < found.rows.length) { event.preventDefault(); enlarge(to); }
  } else if (typing) {
    if (event.key === "Escape" && event.target.value) { event.target.value = ""; readForm(); refresh(); }
  } else if (event.key === "/") {
    event.preventDefault();
    form.elements.search.focus();
  } else if (event.key.startsWith("Arrow") && (grid.contains(event.target) || event.target === document.body)) {
    event.preventDefault();
    moveFocus(event.key);
  } else if (event.key === "n" && page < pages() - 1) turnTo(page + 1, grid.contains(event.target) ? 0 : null);
  else if (event.key === "p" && page > 0) turnTo(page - 1, grid.contains(event.target) ? 0 : null);
});

buildFilters();
readAddress();
addEventListener("hashchange", readAddress);
document.documentElement.dataset.ready = "true";
performance.mark("gallery-ready");
