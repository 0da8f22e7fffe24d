// The keypoints over the image, as SVG: sharp at every zoom, and to be found by name.

import { distance, toScreen } from "./geometry.js";
import { hasPlace } from "./store.js";

const SVG = "http://www.w3.org/2000/svg";
const REACH = 9; // screen pixels from which a point can be grasped
const MOST_NAMES = 300; // of more keypoints only the chosen one has its name

export function element(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A keypoint's mark, round (0, 0).
export function mark(colour, radius) {
  const bar = radius + 3;
  return [
    element("circle", { class: "halo", r: radius, "stroke-width": 4 }),
    element("circle", { class: "ring", r: radius, stroke: colour, "stroke-width": 2 }),
    element("line", { class: "bar", x1: -bar, y1: bar, x2: bar, y2: -bar, stroke: colour }),
    element("circle", { class: "chosen", r: radius + 4 }),
  ];
}

export class Overlay {
  constructor(store, view, svg, colours) {
    Object.assign(this, { store, view, svg, colours });
    this.options = { names: false, edges: true, size: 7 };
    this.build();
  }

  build() {
    const { names, parents } = this.store.session;
    this.points = names.map((name, k) => {
      const text = element("text", { x: this.options.size + 5, y: 4 });
      text.textContent = name;
      const group = element("g", { "data-keypoint": k }, ...mark(this.colours[k], this.options.size), text);
      const arrow = element("path", { d: "M8 0-5-6-5 6Z", fill: this.colours[k], stroke: "#000" });
      return { group, text, arrow, key: "" };
    });
    this.edges = parents.flatMap((parent, k) => (parent === null ? [] : [[parent, k]])).map(([from, to]) => ({
      from,
      to,
      halo: element("line", { class: "edge-halo" }),
      line: element("line", { class: "edge", stroke: this.colours[to] }),
    }));
    const lines = element("g", { class: "edges" }, ...this.edges.flatMap(({ halo, line }) => [halo, line]));
    this.svg.replaceChildren(lines, ...this.points.flatMap(({ group, arrow }) => [group, arrow]));
  }

  set(options) {
    const isLarger = options.size !== this.options.size;
    Object.assign(this.options, options);
    if (isLarger) this.build();
    this.draw();
  }

  draw() {
    this.points.forEach((_, k) => this.drawPoint(k)); // of those that the page was loaded with
    this.edges.forEach((edge) => this.drawEdge(edge));
  }

  // One keypoint has moved: only it and its lines are drawn anew.
  drawMoved(k, at) {
    this.drawPoint(k, at);
    for (const edge of this.edges) if (edge.from === k || edge.to === k) this.drawEdge(edge, k, at);
  }

  drawPoint(k, at) {
    const { group, text, arrow } = this.points[k];
    const [state, x, y, confidence] = this.store.keypoints[k];
    const isShown = at || hasPlace([state]);
    group.style.display = isShown ? "" : "none";
    if (!isShown) arrow.style.display = "none";
    if (!isShown) return;
    const [left, top] = toScreen(this.view.transform, at ?? [x, y]);
    group.setAttribute("transform", `translate(${left.toFixed(2)} ${top.toFixed(2)})`);
    const isActive = k === this.store.active;
    const hasName = isActive || (this.options.names && this.points.length <= MOST_NAMES);
    const shown = at && state !== "hidden" ? "placed" : state;
    const key = `${shown} ${isActive} ${hasName} ${confidence}`;
    if (key !== this.points[k].key) {
      this.points[k].key = key;
      group.dataset.state = shown;
      group.classList.toggle("active", isActive);
      group.setAttribute("opacity", shown === "guess" ? Math.max(confidence ?? 0.8, 0.55) : 1);
      text.style.display = hasName ? "" : "none";
    }
    this.drawArrow(arrow, left, top);
  }

  // A keypoint out of sight has an arrow at the border of the stage.
  drawArrow(arrow, left, top) {
    const { width, height } = this.view.room;
    const isInSight = left >= 0 && left <= width && top >= 0 && top <= height;
    arrow.style.display = isInSight ? "none" : "";
    if (isInSight) return;
    const [x, y] = [Math.min(Math.max(left, 10), width - 10), Math.min(Math.max(top, 10), height - 10)];
    const angle = (Math.atan2(top - y, left - x) * 180) / Math.PI;
    arrow.setAttribute("transform", `translate(${x} ${y}) rotate(${angle})`);
  }

  drawEdge({ from, to, halo, line }, k, at) {
    const [a, b] = [from, to].map((end) => (end === k ? ["placed", ...at] : this.store.keypoints[end]));
    const isShown = this.options.edges && hasPlace(a) && hasPlace(b);
    for (const part of [halo, line]) {
      part.style.display = isShown ? "" : "none";
      if (!isShown) continue;
      const [[x1, y1], [x2, y2]] = this.cut(a.slice(1, 3), b.slice(1, 3));
      for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) part.setAttribute(name, value.toFixed(2));
    }
  }

  // Lines end at the rings, whose middle is free to be seen.
  cut(a, b) {
    const [from, to] = [toScreen(this.view.transform, a), toScreen(this.view.transform, b)];
    const length = distance(from, to);
    const share = length > 0 ? Math.min(this.options.size / length, 0.5) : 0.5;
    const along = (part) => [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
    return [along(share), along(1 - share)];
  }

  // The keypoint at a place of the stage; the chosen one before others.
  find(place) {
    let [best, least] = [null, REACH];
    this.store.keypoints.forEach((keypoint, k) => {
      if (!hasPlace(keypoint)) return;
      const far = distance(place, toScreen(this.view.transform, keypoint.slice(1, 3)));
      if (far < least || (far === least && k === this.store.active)) [best, least] = [k, far];
    });
    return best;
  }
}
