// What is beside the image: frames, bodyparts, progress, help. Texts go in as text, never as HTML.

import { distance } from "./geometry.js";
import { COMMANDS, nameKey } from "./keys.js";
import { getJson } from "./net.js";
import { element, mark } from "./overlay.js";
import { hasPlace, isDone } from "./store.js";

const ROW = 26; // px
const NEAR = 1.5; // px of the image below which two bodyparts are likely to be mistaken
const WORDS = { e: ["○", "empty"], g: ["◌", "guessed"], b: ["◐", "begun"], d: ["●", "done"] };

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A text that is the same is left: to set it costs the browser a layout.
export function write(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

// The frames: only the rows in sight are there, whatever their number.
export class Frames {
  constructor(store) {
    this.store = store;
    this.box = byId("frames");
    this.list = byId("frames-shown");
    this.filter = "";
    this.shown = null;
    this.others = []; // pages of other people, {client, user, frame}
    this.box.addEventListener("scroll", () => this.draw());
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("button");
      if (row) store.go(Number(row.dataset.frame));
    });
    byId("filter").addEventListener("change", (event) => this.choose(event.target.value));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  async choose(filter) {
    this.filter = filter;
    byId("stage").focus(); // where keys are heeded
    try {
      await this.sort();
    } catch (error) {
      this.store.tell("message", error.message);
    }
    if (filter !== this.filter) return; // another one was chosen meanwhile
    this.update();
    const { order } = this.store;
    if (order?.length) this.store.go(order[0]);
    else if (order) this.store.tell("message", filter === "again" ? "No label looks wrong." : "There are no guesses.");
    this.showCurrent();
  }

  // Those with guesses, the least sure first, or those that look wrong. They keep their places while
  // they are corrected, until there are new guesses.
  async sort() {
    const { store, filter } = this;
    const { letters, sure } = store;
    const reasons = new Map(); // in the order of the frames
    let order = null;
    if (filter === "doubt") {
      const guessed = [...letters.keys()].filter((k) => "gb".includes(letters[k]) && sure[k] >= 0);
      order = guessed.sort((a, b) => sure[a] - sure[b] || a - b);
    } else if (filter === "again") {
      for (const { frame, why } of await getJson("api/suspects")) {
        reasons.set(frame, [...(reasons.get(frame) ?? []), why]);
      }
      order = [...reasons.keys()];
    }
    if (filter === this.filter) Object.assign(store, { reasons, order });
  }

  update() {
    const { letters } = this.store;
    this.shown = this.store.order;
    if (this.filter && !this.shown) this.shown = [...letters.keys()].filter((k) => this.filter.includes(letters[k]));
    byId("frames-all").style.height = `${(this.shown ?? letters).length * ROW}px`;
    this.draw();
    const n = letters.filter((letter) => letter === "d").length;
    byId("progress-bar").value = letters.length ? n / letters.length : 0;
    byId("progress-text").textContent = `${n} of ${letters.length} done`;
    byId("frame-count").textContent = `of 0 to ${letters.length - 1}`;
  }

  showCurrent() {
    const at = this.shown ? this.shown.indexOf(this.store.frame) : this.store.frame;
    if (at < 0) return this.draw();
    const [top, height] = [at * ROW, this.box.clientHeight];
    if (top < this.box.scrollTop || top + ROW > this.box.scrollTop + height) {
      this.box.scrollTop = top - height / 2;
    }
    return this.draw();
  }

  draw() {
    const rows = this.shown ?? this.store.letters;
    const first = Math.max(Math.floor(this.box.scrollTop / ROW) - 2, 0);
    const n = Math.min(Math.ceil(this.box.clientHeight / ROW) + 4, rows.length - first);
    while (this.list.children.length > Math.max(n, 0)) this.list.lastChild.remove();
    while (this.list.children.length < n) {
      const parts = ["state", "number", "word"].map((className) => make("span", { className }));
      this.list.append(make("li", {}, make("button", { tabIndex: -1 }, ...parts)));
    }
    this.list.style.top = `${first * ROW}px`;
    for (let i = 0; i < n; i += 1) {
      const frame = this.shown ? this.shown[first + i] : first + i;
      const [sign, word] = WORDS[this.store.letters[frame]];
      const row = this.list.children[i].firstChild;
      row.dataset.frame = frame;
      row.setAttribute("aria-current", frame === this.store.frame);
      const here = this.others.filter((other) => other.frame === frame).map(nameOf).join(", ");
      [sign, frame, here || word].forEach((text, k) => write(row.children[k], text));
      row.toggleAttribute("data-here", Boolean(here));
    }
  }
}

const nameOf = ({ user }) => user || "somebody";

// Who else is there, and at which frame.
export function describeOthers(others, frame) {
  const box = byId("others");
  const texts = others.map((other) => `${nameOf(other)} ${other.frame === frame ? "is here too" : `is at ${other.frame}`}`);
  write(box, texts.join(", "));
  box.toggleAttribute("data-here", others.some((other) => other.frame === frame));
}

export class Keypoints {
  constructor(store, colours) {
    this.store = store;
    this.rows = store.names.map((name, k) => {
      const icon = element("svg", { viewBox: "-9 -9 18 18" }, element("circle", { r: 6, fill: colours[k], stroke: "#0008" }));
      const state = make("span", { className: "state" });
      const row = make("button", { tabIndex: -1, title: name }, icon, make("span", { className: "name", textContent: name }), state);
      row.addEventListener("click", () => store.choose(k));
      return { row, state };
    });
    byId("keypoints").replaceChildren(...this.rows.map(({ row }) => make("li", {}, row)));
  }

  draw() {
    const { keypoints, by } = this.store;
    const near = this.findNear();
    this.rows.forEach(({ row, state }, k) => {
      const [word, , , confidence] = keypoints[k];
      row.dataset.state = word;
      row.dataset.near = near.has(k);
      const who = isDone(keypoints[k]) && by[k];
      row.title = who ? `${this.store.names[k]}, ${word} by ${who}` : this.store.names[k];
      row.setAttribute("aria-current", k === this.store.active);
      const sure = word === "guess" && confidence !== undefined ? ` ${Math.round(confidence * 100)} %` : "";
      write(state, `${near.has(k) ? "⚠ near another " : ""}${word}${sure}`);
    });
    if (this.inSight !== this.store.active) {
      this.inSight = this.store.active;
      this.rows[this.inSight].row.scrollIntoView({ block: "nearest" });
    }
  }

  // Bodyparts that lie on one another were often clicked twice by mistake.
  findNear() {
    const near = new Set();
    const { keypoints } = this.store;
    const placed = keypoints.flatMap((keypoint, k) => (hasPlace(keypoint) && isDone(keypoint) ? [k] : []));
    const at = (k) => keypoints[k].slice(1, 3);
    placed.forEach((k, i) => placed.slice(i + 1).forEach((other) => {
      if (distance(at(k), at(other)) < NEAR) near.add(k).add(other);
    }));
    return near;
  }
}

// The line below the image: what a click will do now.
export function describe(store) {
  const status = byId("status");
  const name = make("b", { textContent: store.names[store.active] });
  const [state] = store.keypoints[store.active];
  const n = store.keypoints.filter((keypoint) => !isDone(keypoint)).length;
  if (store.isReadOnly) status.replaceChildren(`Only to be looked at. ${store.session.read_only}`);
  else if (!n) status.replaceChildren("All of this frame is labelled. ", make("kbd", { textContent: "D" }), " goes on; a click moves ", name);
  else if (state === "guess") status.replaceChildren("Drag ", name, " where it belongs, or accept all guesses with ", make("kbd", { textContent: "F" }));
  else status.replaceChildren("Click places ", name);
}

export function describeQueue({ waiting, trouble, isStored }) {
  const saved = byId("saved");
  const kind = trouble ? "bad" : waiting ? "waits" : "good";
  saved.dataset.kind = kind;
  const edits = `${waiting} ${waiting === 1 ? "edit waits" : "edits wait"}`;
  saved.textContent = waiting ? edits : "All saved";
  if (!trouble) return null;
  const kept = isStored ? "they are kept in this browser" : "keep this page open: the browser stores nothing";
  const why = {
    0: "The server does not answer.",
    401: "The server has been started anew: open the link that it has printed, in this browser.",
  };
  return `${why[trouble.status] ?? trouble.message} ${edits}; ${kept}.`;
}

export function buildLegend() {
  const words = { placed: "placed", hidden: "hidden", guess: "guess, no label" };
  byId("legend").replaceChildren(...Object.entries(words).map(([state, word]) => {
    const group = element("g", { "data-state": state }, ...mark("#56b4e9", 6));
    const icon = element("svg", { viewBox: "-11 -11 22 22", class: "marks" }, group);
    return make("span", {}, icon, word);
  }));
}

export function buildKeys(keys) {
  const rows = COMMANDS.filter(([, words]) => words).map(([command, words]) => {
    const buttons = keys.keys[command].map((key, place) => {
      const button = make("button", { type: "button", textContent: key });
      button.setAttribute("aria-label", `Change the key ${key}: ${words}`);
      button.addEventListener("click", () => listenForKey(button, (pressed) => {
        keys.set(command, place, pressed);
        buildKeys(keys);
      }));
      return button;
    });
    return make("tr", {}, make("td", { textContent: words }), make("td", {}, ...buttons));
  });
  byId("keys").replaceChildren(make("tbody", {}, ...rows));
}

function listenForKey(button, onKey) {
  button.textContent = "press a key";
  button.addEventListener("keydown", function take(event) {
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    button.removeEventListener("keydown", take);
    onKey(nameKey(event));
  });
}
