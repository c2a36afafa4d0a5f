// The map: pointing at a memory reads it, arrow keys walk from one to the next, a session's name shows where it lies.

const map = document.getElementById("map");
const readout = document.getElementById("readout");

const points = [...(map?.querySelectorAll("a") ?? [])].map((link) => {
  const circle = link.querySelector("circle");
  return { link, x: circle.cx.baseVal.value, y: circle.cy.baseVal.value };
});
let current;

// Drawn over all the others, which may lie on the one that is read.
const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
ring.id = "ring";

function show(point) {
  if (point === current) return;
  if (current) {
    current.link.tabIndex = -1;
  } else {
    points[0].link.tabIndex = -1;
    map.append(ring);
  }
  current = point;
  const { link, x, y } = point;
  link.tabIndex = 0;
  ring.setAttribute("cx", x);
  ring.setAttribute("cy", y);

  const about = document.createElement("p");
  about.className = "about";
  about.textContent = `${link.dataset.session || "no session"} · ${link.dataset.about}`;
  const text = document.createElement("p");
  text.className = "text";
  text.dir = "auto";
  text.textContent = link.getAttribute("aria-label");
  const open = document.createElement("a");
  open.href = link.getAttribute("href");
  open.textContent = "Everything about it";
  readout.replaceChildren(about, text, open);
}

// Where a pointer is, in the map's own measure.
function place(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  return { x: at.x, y: at.y };
}

function nearest(place, cost) {
  let best;
  let least = Infinity;
  for (const point of points) {
    const costs = cost(point.x - place.x, point.y - place.y);
    if (costs < least) [best, least] = [point, costs];
  }
  return best;
}

const near = (x, y) => (x * x + y * y < 0.01 ? x * x + y * y : Infinity);

map?.addEventListener("pointermove", (event) => {
  const point = event.pointerType === "mouse" && nearest(place(event), near);
  if (point) show(point);
});

// A click opens what is being read; a finger, which cannot point, reads first. Pressing alone moves the focus.
let readBefore;
map?.addEventListener("pointerdown", () => {
  readBefore = current;
});
map?.addEventListener("click", (event) => {
  if (event.detail === 0) return; // Enter, on a link
  const point = nearest(place(event), near);
  event.preventDefault();
  if (point && point === readBefore) location.assign(point.link.getAttribute("href"));
  else if (point) show(point);
});

map?.addEventListener("focusin", (event) => {
  const point = points.find((one) => one.link === event.target);
  if (point) show(point);
});

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The next one that way: near, and rather ahead than aside.
map?.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (!step || !current) return;
  event.preventDefault();
  const next = nearest(current, (x, y) => {
    const ahead = x * step[0] + y * step[1];
    const aside = Math.abs(x * step[1]) + Math.abs(y * step[0]);
    return ahead > 1e-6 && ahead >= aside * 0.5 ? ahead + 2 * aside : Infinity;
  });
  next?.link.focus();
});

for (const entry of document.querySelectorAll(".legend a")) {
  const lit = (on) => {
    map.classList.toggle("dimmed", on);
    for (const { link } of points) link.classList.toggle("lit", on && link.dataset.session === entry.dataset.session);
  };
  for (const type of ["mouseenter", "focus"]) entry.addEventListener(type, () => lit(true));
  for (const type of ["mouseleave", "blur"]) entry.addEventListener(type, () => lit(false));
}
