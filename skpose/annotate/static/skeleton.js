// The bodyparts themselves: placed and named on the image, connected by dragging from one to another.
// Those that are there can get other names, lines and partners; none is taken away.

import { clampToImage, distance, toScreen } from "./geometry.js";
import { sendJson } from "./net.js";
import { element, mark } from "./overlay.js";
import { byId, make } from "./panels.js";
import { hasPlace } from "./store.js";

const REACH = 8; // screen pixels from which a bodypart can be grasped
const MOVED = 4; // screen pixels from which on it is dragged
const NEW = "#56b4e9";
const PAUSE = 250; // milliseconds without a key, after which partners are guessed

export class SkeletonEditor {
  constructor(store, view, overlay) {
    Object.assign(this, { store, view, overlay });
    this.isOpen = false;
    this.marks = byId("skeleton-marks");
    this.form = byId("skeleton");
    byId("edit-skeleton").addEventListener("click", () => this.open());
    byId("skeleton-cancel").addEventListener("click", () => this.close());
    byId("add-part").addEventListener("click", () => this.add(null));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.finish();
    });
  }

  open() {
    if (this.store.isReadOnly) {
      this.store.tell("message", `Nothing can be changed. ${this.store.session.read_only}`);
      return;
    }
    const { names, parents, swaps, is_unnamed: isUnnamed } = this.store.session;
    const known = names.map((name, k) => ({
      name, parent: parents[k], swap: swaps[k] === k ? null : swaps[k], places: new Map(), isChosen: false,
    }));
    this.parts = isUnnamed ? [] : known;
    this.nKnown = this.parts.length;
    this.drag = null;
    this.show(true);
    this.tell("");
    this.build();
    this.store.tell("message", "Click the bodyparts on the image, and name them.");
  }

  // Somebody else has changed them: what is here cannot be kept, but it can be read.
  overtake() {
    this.isOvertaken = true;
    this.tell("The bodyparts were changed meanwhile. Cancel shows how they are now.");
  }

  close() {
    if (this.isOvertaken) location.reload();
    this.show(false);
    this.store.tell("keypoints");
    byId("stage").focus();
  }

  show(isOpen) {
    this.isOpen = isOpen;
    this.form.hidden = !isOpen;
    this.marks.toggleAttribute("hidden", !isOpen);
    this.overlay.svg.classList.toggle("hide", isOpen);
    document.querySelector("main").classList.toggle("editing", isOpen);
  }

  tell(text) {
    byId("skeleton-trouble").textContent = text;
  }

  // Where a bodypart is in this frame, or null.
  placeOf(k) {
    const own = this.parts[k].places.get(this.store.frame);
    const known = k < this.nKnown ? this.store.keypoints[k] : ["empty"];
    return own ?? (hasPlace(known) ? known.slice(1, 3) : null);
  }

  add(at) {
    this.parts.push({ name: "", parent: null, swap: null, places: new Map(), isChosen: false });
    if (at) this.parts.at(-1).places.set(this.store.frame, at);
    this.build();
    this.inputs.at(-1).focus();
  }

  remove(gone) {
    this.parts.splice(gone, 1);
    const move = (k) => (k === null || k === gone ? null : k - (k > gone));
    for (const part of this.parts) Object.assign(part, { parent: move(part.parent), swap: move(part.swap) });
    this.build();
  }

  connect(from, to) {
    for (let k = from; k !== null; k = this.parts[k].parent) {
      if (k === to) {
        this.tell("Lines cannot run in a circle.");
        return;
      }
    }
    this.tell("");
    this.parts[to].parent = from;
    this.build();
  }

  setPartner(k, partner) {
    const free = (j) => {
      if (j !== null) Object.assign(this.parts[j], { swap: null, isChosen: true });
    };
    free(this.parts[k].swap);
    if (partner !== null) free(this.parts[partner].swap);
    Object.assign(this.parts[k], { swap: partner, isChosen: true });
    if (partner !== null) Object.assign(this.parts[partner], { swap: k, isChosen: true });
    this.build();
  }

  // Names tell the partners of new bodyparts, until a person has said which are.
  guessLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.guess().catch(() => {}), PAUSE); // it waits for better names
  }

  async guess() {
    const names = this.parts.map(({ name }) => name.trim());
    if (names.some((name) => !name) || new Set(names).size < names.length) return;
    const { swaps } = await sendJson("POST", "api/partners", { names });
    if (!this.isOpen || String(names) !== String(this.parts.map(({ name }) => name.trim()))) return;
    const { parts } = this;
    for (let k = this.nKnown; k < parts.length; k += 1) {
      if (parts[k].isChosen) continue;
      if (parts[k].swap !== null) parts[parts[k].swap].swap = null;
      parts[k].swap = null;
      const partner = swaps[k];
      if (partner === null || parts[partner].isChosen || parts[partner].swap !== null) continue;
      [parts[k].swap, parts[partner].swap] = [partner, k];
    }
    this.drawLinks();
  }

  // The list -----------------------------------------------------------------------------------

  build() {
    this.inputs = [];
    this.links = [];
    byId("parts").replaceChildren(...this.parts.map((part, k) => this.buildRow(part, k)));
    this.drawLinks();
    this.draw();
  }

  buildRow(part, k) {
    const colour = this.colourOf(k);
    const icon = element("svg", { viewBox: "-9 -9 18 18" }, element("circle", { r: 6, fill: colour, stroke: "#0008" }));
    const input = make("input", { type: "text", value: part.name, placeholder: `name of bodypart ${k + 1}`, maxLength: 100 });
    input.setAttribute("aria-label", `Name of bodypart ${k + 1}`);
    input.addEventListener("input", () => {
      part.name = input.value;
      this.drawLinks();
      this.draw();
      this.guessLater();
    });
    const remove = make("button", { type: "button", textContent: "✕", hidden: k < this.nKnown });
    remove.setAttribute("aria-label", `Remove bodypart ${k + 1}`);
    remove.addEventListener("click", () => this.remove(k));
    const [parent, partner] = ["connected to", "partner"].map((words) => {
      const select = make("select");
      select.setAttribute("aria-label", `Bodypart ${k + 1}: ${words}`);
      return select;
    });
    const value = (select) => (select.value === "" ? null : Number(select.value));
    parent.addEventListener("change", () => {
      if (value(parent) === null) part.parent = null;
      else this.connect(value(parent), k);
      this.build();
    });
    partner.addEventListener("change", () => this.setPartner(k, value(partner)));
    this.inputs.push(input);
    this.links.push({ parent, partner });
    const links = make("div", { className: "links" });
    links.append(make("label", {}, "connected to", parent), make("label", {}, "partner", partner));
    return make("li", {}, icon, input, remove, links);
  }

  drawLinks() {
    this.links.forEach(({ parent, partner }, k) => {
      for (const [select, chosen] of [[parent, this.parts[k].parent], [partner, this.parts[k].swap]]) {
        const others = this.parts.flatMap(({ name }, j) => (j === k ? [] : [[String(j), name || `bodypart ${j + 1}`]]));
        select.replaceChildren(...[["", "–"], ...others].map(([value, textContent]) => make("option", { value, textContent })));
        select.value = chosen === null ? "" : String(chosen);
      }
    });
  }

  colourOf(k) {
    return k < this.nKnown ? this.overlay.colours[k] : NEW;
  }

  // On the image -------------------------------------------------------------------------------

  draw() {
    if (!this.isOpen) return;
    const at = (k) => {
      const place = this.drag?.k === k && this.drag.at ? this.drag.at : this.placeOf(k);
      return place && toScreen(this.view.transform, place);
    };
    const lines = this.parts.flatMap(({ parent }, k) => {
      const ends = parent === null ? [null] : [at(parent), at(k)];
      if (ends.some((end) => !end)) return [];
      const [[x1, y1], [x2, y2]] = ends;
      return [element("line", { class: "edge", x1, y1, x2, y2, stroke: this.colourOf(k) })];
    });
    const points = this.parts.flatMap(({ name }, k) => {
      const place = at(k);
      if (!place) return [];
      const text = element("text", { x: 12, y: 4 });
      text.textContent = name || `bodypart ${k + 1}`;
      return [element("g", { transform: `translate(${place})`, "data-part": k }, ...mark(this.colourOf(k), 7), text)];
    });
    this.marks.replaceChildren(...lines, ...points);
  }

  find(place, except = null) {
    const far = this.parts.map((_, k) => {
      const at = k === except ? null : this.placeOf(k);
      return at ? distance(place, toScreen(this.view.transform, at)) : Infinity;
    });
    const nearest = far.indexOf(Math.min(...far));
    return far[nearest] < REACH ? nearest : null;
  }

  press(event) {
    const place = this.view.placeOf(event);
    this.drag = { k: event.shiftKey ? null : this.find(place), place, at: null };
  }

  move(event) {
    if (!this.drag || this.drag.k === null) return;
    if (distance(this.view.placeOf(event), this.drag.place) > MOVED) {
      this.drag.at = clampToImage(this.view.locate(event), this.store.size);
      this.draw();
    }
  }

  lift(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    const at = clampToImage(this.view.locate(event), this.store.size);
    if (drag.k === null) this.put(at);
    else if (!drag.at) this.inputs[drag.k].focus();
    else {
      const other = this.find(this.view.placeOf(event), drag.k);
      if (other !== null) this.connect(drag.k, other);
      else if (drag.k >= this.nKnown) this.parts[drag.k].places.set(this.store.frame, at);
    }
    this.draw();
  }

  // A click places what has no place yet, and then a new bodypart.
  put(at) {
    const free = this.parts.findIndex((part, k) => k >= this.nKnown && !this.placeOf(k));
    if (free < 0) {
      this.add(at);
      return;
    }
    this.parts[free].places.set(this.store.frame, at);
    this.inputs[free].focus();
  }

  // To the server ------------------------------------------------------------------------------

  async finish() {
    const names = this.parts.map(({ name }) => name.trim());
    const nameless = names.indexOf("");
    if (!names.length || nameless >= 0) {
      this.tell(names.length ? "Every bodypart needs a name." : "Click the bodyparts on the image.");
      this.inputs[nameless]?.focus();
      return;
    }
    clearTimeout(this.timer);
    try {
      await this.guess();
      this.store.queue.send();
      await this.store.queue.sent();
      await sendJson("PUT", "api/skeleton", {
        client: this.store.queue.client,
        base: this.store.session.skeleton,
        names,
        parents: this.parts.map(({ parent }) => parent),
        swaps: this.parts.map(({ swap }) => swap),
        places: this.parts.flatMap(({ places }, k) => [...places].map(([frame, place]) => [frame, k, ...place])),
      });
    } catch (error) {
      this.tell(error.message);
      return;
    }
    location.reload();
  }
}
