// The pages work without this; it adds a read-out on charts, zoom by dragging, search while typing
// and fresh figures on the overview.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
// The drawing's own measures, as in src/http/chart/plot.rs.
const TOP = 18, BOTTOM = 402;
const MIN_DRAG = 8;

function shape(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

function figure(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(3);
  return value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? Math.ceil(Math.log10(size + 1)) : 4 });
}

function startChart(chart) {
  const plot = chart.querySelector("svg.plot");
  const rows = JSON.parse(chart.dataset.rows);
  const [from, to] = [Number(chart.dataset.from), Number(chart.dataset.to)];
  const readout = chart.querySelector(".readout");
  const resting = [...readout.childNodes];
  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: chart.dataset.tz, weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  });
  if (!plot || !rows.length) return;
  chart.tabIndex = 0;
  chart.setAttribute("aria-label", "Chart; arrow keys move from point to point");
  let cross = null, zoom = null, current = -1, dragFrom = null;

  const secondsAt = (event) => {
    const box = plot.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return from + share * (to - from);
  };
  const percent = (seconds) => `${((seconds - from) / (to - from) * 100).toFixed(3)}%`;

  function nearest(seconds) {
    let low = 0, high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] < seconds) low = middle + 1; else high = middle;
    }
    return low > 0 && seconds - rows[low - 1][0] < rows[low][0] - seconds ? low - 1 : low;
  }

  function show(index) {
    current = index;
    const [at, value, lower, expected, upper, score, why] = rows[index];
    cross ??= shape("line", { class: "cross", y1: TOP, y2: BOTTOM }, plot);
    cross.setAttribute("x1", percent(at));
    cross.setAttribute("x2", percent(at));
    const parts = [clock.format(at * 1000), " · "];
    const strong = document.createElement("b");
    strong.textContent = `${figure(value)} ${chart.dataset.unit}`.trim();
    parts.push(strong);
    if (expected !== null) parts.push(` · expected ${figure(expected)} (${figure(lower)} to ${figure(upper)})`);
    if (score !== null) parts.push(` · score ${score > 0.99 && score < 1 ? score.toFixed(4) : score.toFixed(2)}`);
    if (why !== null) parts.push(` · ${why}`);
    readout.replaceChildren(...parts);
  }

  function rest() {
    cross?.remove();
    zoom?.remove();
    cross = zoom = dragFrom = null;
    readout.replaceChildren(...resting);
  }

  plot.addEventListener("pointermove", (event) => {
    const seconds = secondsAt(event);
    show(nearest(seconds));
    if (dragFrom === null) return;
    zoom ??= shape("rect", { class: "zoom", y: TOP, height: BOTTOM - TOP }, plot);
    const [start, end] = [Math.min(dragFrom.seconds, seconds), Math.max(dragFrom.seconds, seconds)];
    zoom.setAttribute("x", percent(start));
    zoom.setAttribute("width", percent(from + end - start));
  });
  plot.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0 && !event.target.closest("a")) {
      dragFrom = { x: event.clientX, seconds: secondsAt(event) };
    }
  });
  plot.addEventListener("pointerup", (event) => {
    if (dragFrom === null) return;
    const began = dragFrom;
    dragFrom = null;
    if (Math.abs(event.clientX - began.x) < MIN_DRAG) return;
    const ends = [began.seconds, secondsAt(event)].sort((a, b) => a - b);
    const target = new URL(chart.dataset.zoom ?? location.href, location.href);
    target.searchParams.delete("range");
    target.searchParams.set("from", new Date(Math.floor(ends[0]) * 1000).toISOString());
    target.searchParams.set("to", new Date(Math.ceil(ends[1]) * 1000).toISOString());
    location.assign(target);
  });
  plot.addEventListener("pointerleave", rest);
  chart.addEventListener("blur", rest);
  chart.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24 };
    if (event.target !== chart) return;
    if (event.key === "Escape") return rest();
    let next;
    if (event.key in moves) next = current < 0 ? rows.length - 1 : current + moves[event.key];
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = rows.length - 1;
    else return;
    event.preventDefault();
    show(Math.min(rows.length - 1, Math.max(0, next)));
  });
}

function startFilter(input) {
  const cards = [...document.getElementById(input.dataset.filter).children];
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const card of cards) card.hidden = !card.dataset.name.includes(wanted);
  });
}

function startLive(part) {
  const every = Number(part.dataset.live) * 1000;
  setInterval(async () => {
    if (document.hidden || part.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (fresh) part.replaceChildren(...fresh.childNodes);
    } catch {
      // The server is away for a moment; the next round tries again.
    }
  }, every);
}

document.querySelectorAll(".chart").forEach(startChart);
document.querySelectorAll("input[data-filter]").forEach(startFilter);
document.querySelectorAll("[data-live]").forEach(startLive);
