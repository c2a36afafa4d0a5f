// Zoom and pan of an SVG by its viewBox: buttons, Ctrl and the wheel, dragging, and two fingers.

const MAX_ZOOM = 40;

export function zoomable(svg) {
  const [left, top, width] = svg.getAttribute("viewBox").split(" ").map(Number);
  let view = { x: left, y: top, width };
  let zoom = 1;
  let moved = false;
  const pointers = new Map();

  function apply(x, y, nextZoom) {
    zoom = Math.min(MAX_ZOOM, Math.max(1, nextZoom));
    const size = width / zoom;
    view = {
      x: Math.min(left + width - size, Math.max(left, x)),
      y: Math.min(top + width - size, Math.max(top, y)),
      width: size,
    };
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${size} ${size}`);
    svg.style.setProperty("--zoom", zoom);
    svg.classList.toggle("zoomed", zoom > 1);
  }

  // Client coordinates as map coordinates.
  function locate(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  }

  // Zoom by a factor; the given point keeps its place on the screen.
  function zoomBy(factor, at = { x: view.x + view.width / 2, y: view.y + view.width / 2 }) {
    const next = Math.min(MAX_ZOOM, Math.max(1, zoom * factor));
    const ratio = zoom / next;
    apply(at.x - (at.x - view.x) * ratio, at.y - (at.y - view.y) * ratio, next);
  }

  const reset = () => apply(left, top, 1);

  // Pan as far as needed to show a point.
  function reveal({ x, y }) {
    const margin = view.width / 20;
    const pan = (low, value) => Math.min(value - margin, Math.max(value + margin - view.width, low));
    apply(pan(view.x, x), pan(view.y, y), zoom);
  }

  svg.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY * 0.004), locate(event));
    },
    { passive: false },
  );

  svg.addEventListener("pointerdown", (event) => {
    if (!pointers.size) moved = false;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  svg.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const next = { x: event.clientX, y: event.clientY };
    const distance = Math.hypot(next.x - last.x, next.y - last.y);
    // A small movement is still a click.
    if (!moved && distance < 4) return;
    if (!moved) svg.setPointerCapture(event.pointerId);
    moved = true;
    pointers.set(event.pointerId, next);
    if (pointers.size === 1) {
      const scale = view.width / svg.getBoundingClientRect().width;
      apply(view.x - (next.x - last.x) * scale, view.y - (next.y - last.y) * scale, zoom);
      return;
    }
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
    const before = Math.hypot(last.x - other.x, last.y - other.y);
    const after = Math.hypot(next.x - other.x, next.y - other.y);
    if (before > 0) zoomBy(after / before, locate({ clientX: (next.x + other.x) / 2, clientY: (next.y + other.y) / 2 }));
  });
  const release = (event) => pointers.delete(event.pointerId);
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", release);

  return { locate, zoomBy, reset, reveal, level: () => zoom, dragged: () => moved, pressed: () => pointers.size > 0 };
}
