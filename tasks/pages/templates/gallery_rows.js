"use strict";
// The rows of the page: read, filtered and sorted. Nothing here touches what is shown.

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array, f4: Float32Array };
const STATUSES = { ok: "accepted", rejected: "rejected", failed: "failed" };
const MEASURES = {
  identity_similarity: "identity",
  expression_reached: "reached",
  expression_error: "expression error",
  driver_similarity: "driver",
  sharpness_ratio: "sharpness ratio",
  texture_error: "texture error",
  detector_score: "detector score",
};
const UNLABELLED = "unlabelled";

function unpacked({ type, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[type](bytes.buffer);
}

/** A column of texts: codes into a list of values. */
class Labels {
  constructor(values, codes) {
    this.values = values;
    this.codes = codes;
  }
  static read({ values, codes }) {
    return new Labels(values, unpacked(codes));
  }
  of(row) {
    return this.values[this.codes[row]];
  }
  /** The same texts for rows that name rows of this column. */
  through(numbers) {
    return new Labels(this.values, Uint32Array.from(numbers, (number) => this.codes[number]));
  }
  /** Whether the text of a row is one of those that `test` is true for. */
  where(test) {
    const good = this.values.map((value) => test(value ?? UNLABELLED));
    return (row) => good[this.codes[row]];
  }
}

function readFaces({ ids, person, picture, absent }) {
  return { ids, person: Labels.read(person), picture: unpacked(picture), absent: Labels.read(absent) };
}

/** Everything that the page knows of its rows. */
function readRows(data) {
  const labels = {};
  for (const [name, column] of Object.entries(data.rows.labels)) labels[name] = Labels.read(column);
  const measures = {};
  for (const [name, column] of Object.entries(data.rows.measures)) measures[name] = unpacked(column);
  const source = unpacked(data.rows.source);
  const driver = unpacked(data.rows.driver);
  const sources = readFaces(data.sources);
  const drivers = data.drivers ? readFaces(data.drivers) : sources;
  labels.person = labels.identity;
  labels.model = labels.model_uri;
  labels.driver = drivers.person.through(driver);
  labels.kind = new Labels(data.rows.reasonKinds, labels.reason.codes);
  return {
    count: data.rows.count,
    ids: data.rows.ids,
    result: unpacked(data.rows.result),
    labels, measures, source, driver, sources, drivers,
  };
}

/** A label's own name where one is called so, else each that contains the text. */
function named(labels, text) {
  const asked = text.trim().toLowerCase();
  const exact = labels.values.some((value) => (value ?? UNLABELLED).toLowerCase() === asked);
  return labels.where((value) => (exact ? value.toLowerCase() === asked : value.toLowerCase().includes(asked)));
}

/** Each word is in a label, a reason or an id of the row. */
function searched(rows, text) {
  const columns = ["person", "driver", "expression", "group", "reason", "absent"].map((name) => rows.labels[name]);
  const faces = [[rows.sources.ids, rows.source], [rows.drivers.ids, rows.driver]];
  return text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const has = columns.map((labels) => labels.where((value) => value !== UNLABELLED && value.toLowerCase().includes(word)));
    const shown = faces.map(([ids, of]) => {
      const good = ids.map((id) => id.includes(word));
      return (row) => good[of[row]];
    });
    return (row) => has.some((test) => test(row)) || shown.some((test) => test(row)) || rows.ids[row].includes(word);
  });
}

function withinBounds(values, low, high) {
  // Measures are of 32 bits: a bound that is written as one of them is to include it.
  const from = low === "" ? -Infinity : Math.fround(Number(low));
  const to = high === "" ? Infinity : Math.fround(Number(high));
  return (row) => values[row] >= from && values[row] <= to; // false where there is no value
}

/** What a row has to fulfil, besides its status. */
function tests(rows, query) {
  const found = searched(rows, query.search);
  for (const name of ["person", "driver"]) if (query[name].trim()) found.push(named(rows.labels[name], query[name]));
  for (const name of ["expression", "group", "model", "kind"]) {
    if (query[name]) found.push(rows.labels[name].where((value) => value === query[name]));
  }
  for (const name of Object.keys(MEASURES)) {
    const [low, high] = query.bounds[name];
    if (low !== "" || high !== "") found.push(withinBounds(rows.measures[name], low, high));
  }
  return found;
}

/** The rows that fulfil a query, in its order; and how many there are of each status. */
function select(rows, query) {
  const all = tests(rows, query);
  const status = rows.labels.status;
  const counts = { ok: 0, rejected: 0, failed: 0 };
  const chosen = [];
  for (let row = 0; row < rows.count; row++) {
    if (!all.every((test) => test(row))) continue;
    const of = status.of(row);
    counts[of]++;
    if (query.status === "all" || query.status === of) chosen.push(row);
  }
  return { rows: sorted(rows, chosen, query.order), counts };
}

function sorted(rows, chosen, order) {
  const [name, direction] = order.split(":");
  if (!(name in MEASURES)) return chosen;
  const values = rows.measures[name];
  const sign = direction === "down" ? -1 : 1;
  const valued = chosen.filter((row) => !Number.isNaN(values[row]));
  const unvalued = chosen.filter((row) => Number.isNaN(values[row]));
  valued.sort((a, b) => sign * (values[a] - values[b]) || a - b);
  return valued.concat(unvalued);
}
