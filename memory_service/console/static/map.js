// The map: read a memory by pointing at it or by arrow keys, highlight a group from the legend, zoom and pan.

import { zoomable } from "/static/zoom.js";

const map = document.getElementById("map");
if (map) start();

function start() {
  const readout = document.getElementById("readout");
  const view = zoomable(map);
  const points = [...map.querySelectorAll("a")].map((link) => {
    const { e: x, f: y } = link.transform.baseVal[0].matrix;
    return { link, x, y, row: document.getElementById(link.getAttribute("aria-labelledby")).parentElement };
  });
  let current;

  // The ring lies above all points, so that no other point covers it.
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  ring.id = "ring";

  // Exactly one point is a Tab stop. Without this script none is, since arrow keys do not work then.
  points[0].link.tabIndex = 0;
  for (const part of document.querySelectorAll(".zoom, #map-keys, #readout")) part.hidden = false;

  function show(point) {
    if (point === current) return;
    (current ?? points[0]).link.tabIndex = -1;
    current = point;
    const { link, x, y, row } = point;
    link.tabIndex = 0;
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    map.append(ring);

    const [content, , session, role, time] = [...row.cells].map((cell) => cell.textContent);
    const about = document.createElement("p");
    about.className = "about";
    about.textContent = [session || "no session", role, time].join(" · ");
    const text = document.createElement("p");
    text.className = "text";
    text.dir = "auto";
    text.textContent = content;
    const open = document.createElement("a");
    open.href = link.getAttribute("href");
    open.textContent = "Show all fields";
    readout.replaceChildren(about, text, open);
  }

  function closest(place, cost) {
    let best;
    let least = Infinity;
    for (const point of points) {
      const costs = cost(point.x - place.x, point.y - place.y);
      if (costs < least) [best, least] = [point, costs];
    }
    return best;
  }

  const pointAt = (event) => {
    const reach = 0.1 / view.level();
    return closest(view.locate(event), (x, y) => (Math.hypot(x, y) < reach ? x * x + y * y : Infinity));
  };

  map.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || view.pressed()) return;
    const point = pointAt(event);
    if (point) show(point);
  });

  // A click opens the memory that the readout already shows. A finger cannot hover, so its first tap only reads. The
  // press itself moves the focus, and with it `current`.
  let shownBefore;
  map.addEventListener("pointerdown", () => {
    shownBefore = current;
  });
  map.addEventListener("dragstart", (event) => event.preventDefault());
  map.addEventListener("click", (event) => {
    if (event.detail === 0) return; // Enter on a link
    event.preventDefault();
    const point = view.dragged() ? undefined : pointAt(event);
    if (point && point === shownBefore) location.assign(point.link.getAttribute("href"));
    else if (point) show(point);
  });

  // On the parent: Chromium makes an SVG with a focus listener a Tab stop itself, which would do nothing.
  map.parentElement.addEventListener("focusin", (event) => {
    const point = points.find((one) => one.link === event.target);
    if (!point) return;
    show(point);
    if (!view.pressed()) view.reveal(point);
  });

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const ZOOM = { "+": () => view.zoomBy(1.5, current), "-": () => view.zoomBy(1 / 1.5, current), 0: view.reset };

  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !current) return;
    const step = STEPS[event.key];
    if (!step && !ZOOM[event.key]) return;
    event.preventDefault();
    if (!step) {
      ZOOM[event.key]();
      return;
    }
    // The next point in this direction; a sideways distance counts twice.
    const next = closest(current, (x, y) => {
      const ahead = x * step[0] + y * step[1];
      const aside = Math.abs(x * step[1]) + Math.abs(y * step[0]);
      return ahead > 1e-6 && ahead >= aside * 0.5 ? ahead + 2 * aside : Infinity;
    });
    next?.link.focus();
  });

  const BUTTONS = { in: () => view.zoomBy(1.5), out: () => view.zoomBy(1 / 1.5), reset: view.reset };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", BUTTONS[button.dataset.zoom]);
  }

  for (const entry of document.querySelectorAll(".legend [data-group]")) {
    const highlight = (on) => {
      map.classList.toggle("dimmed", on);
      map.querySelector(`g[data-group="${entry.dataset.group}"]`).classList.toggle("lit", on);
    };
    for (const type of ["mouseenter", "focus"]) entry.addEventListener(type, () => highlight(true));
    for (const type of ["mouseleave", "blur"]) entry.addEventListener(type, () => highlight(false));
  }
}
