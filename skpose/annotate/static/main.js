// Puts the page together: what the hands do goes to the store, what it tells is drawn.

import { Context } from "./context.js";
import { clampToImage, distance, rotate } from "./geometry.js";
import { Keys } from "./keys.js";
import { isBusy, Model } from "./model.js";
import { getSession, sendJson } from "./net.js";
import { Overlay } from "./overlay.js";
import { buildKeys, buildLegend, byId, describe, describeOthers, describeQueue, Frames, Keypoints, make, write } from "./panels.js";
import { SkeletonEditor } from "./skeleton.js";
import { hasPlace, putState, Store } from "./store.js";
import { View } from "./view.js";

const SETTINGS = "skpose:display";
const USER = "skpose:user";
const SETTLE = 300; // milliseconds that a frame is looked at before others are told
const PLAIN = {
  brightness: 1, contrast: 1, gamma: 1, invert: false, size: 7, names: false, edges: true, loupes: true, theme: "",
};
const REPEAT = 60; // milliseconds between two frames while a key is held
const AGAIN = 300; // milliseconds in which two nudges are one
const MODES = ["through", "single", "bodypart"];
// What can be done while the bodyparts themselves are changed.
const LOOKS = new Set([
  "previousFrame", "nextFrame", "tenBack", "tenOn", "zoomIn", "zoomOut", "fit", "oneToOne", "display", "help",
]);

class Page {
  constructor(session) {
    const palette = session.colours;
    this.store = new Store(session, (state) => this.showQueue(state));
    this.stage = byId("stage");
    this.view = new View(this.store, {
      stage: this.stage, canvas: byId("image"), loupe: byId("loupe"), onMove: () => this.overlay && this.drawMarks(),
    });
    this.overlay = new Overlay(this.store, this.view, byId("overlay"), palette);
    this.skeleton = new SkeletonEditor(this.store, this.view, this.overlay);
    this.context = new Context(this.store, this.view);
    this.frames = new Frames(this.store);
    this.keypoints = new Keypoints(this.store, palette);
    this.model = new Model(this.store, (...words) => this.banner(...words));
    this.keys = new Keys();
    this.settings = { ...PLAIN, ...read(SETTINGS) };
    this.drag = null;
    this.told = new Map();
    this.store.listen((what, detail) => this.show(what, detail));
    byId("set-name").textContent = session.name;
    document.title = `${session.name} – skpose`;
    buildLegend();
    buildKeys(this.keys);
    this.connectDisplay();
    this.connectStage();
    this.connectKeys();
    this.connectHeader();
    this.connectUser();
    this.connectEvents();
    this.showQueue({ waiting: this.store.queue.edits.length, trouble: null, isStored: this.store.queue.isStored });
    this.warnReadOnly();
  }

  async start() {
    const asked = /^#(\d+)$/.exec(location.hash);
    await this.store.start(asked ? Number(asked[1]) : null);
    this.view.fit();
    this.store.queue.send();
    this.stage.focus();
    if (this.store.session.is_unnamed && !this.store.isReadOnly) this.skeleton.open();
    document.body.dataset.ready = "true";
  }

  // What has changed is drawn ------------------------------------------------------------------

  // All that one thing changes is drawn once, when it is done and its edit is on its way.
  show(what, detail) {
    if (what === "conflict") this.showConflict(detail);
    if (what === "frame") this.dropDrag();
    if (what === "frame") this.context.forget();
    if (!this.told.size) queueMicrotask(() => this.draw());
    this.told.set(what, detail);
  }

  draw() {
    const { told } = this;
    const has = (...whats) => whats.some((what) => told.has(what));
    this.told = new Map();
    if (has("frame")) this.drawFrame();
    if (has("frames")) {
      this.frames.update();
      this.model.draw();
    }
    if (has("frame", "keypoints", "active")) {
      this.drawMarks();
      this.drawDragged();
    }
    if (has("frame", "keypoints", "active", "mode")) {
      this.keypoints.draw();
      if (!this.skeleton.isOpen) describe(this.store);
      byId("mode").value = this.store.mode;
      byId("undo").disabled = !this.store.past.length;
      byId("redo").disabled = !this.store.future.length;
    }
    if (has("message")) byId("status").textContent = told.get("message");
  }

  drawMarks() {
    this.overlay.draw();
    this.skeleton?.draw();
    write(byId("zoom"), `${Math.round(this.view.transform.scale * 100)} %`);
  }

  drawFrame() {
    this.tellPlace();
    this.banner("suspect", this.store.reasons.get(this.store.frame)?.join("; "));
    this.view.draw();
    this.view.fetchPart();
    byId("frame-number").value = this.store.frame;
    history.replaceState(null, "", `#${this.store.frame}`);
    this.frames.showCurrent();
  }

  showQueue(state) {
    this.banner("queue", describeQueue(state));
    this.isAsking = state.waiting > 0 && (state.trouble !== null || !state.isStored);
  }

  warnReadOnly() {
    const why = this.store.session.read_only;
    this.banner("set", why && `Nothing can be changed. ${why}`);
    describe(this.store);
  }

  showConflict({ own, frame, version }) {
    const names = own.map(([, k]) => this.store.names[k]).join(", ");
    this.nConflicts = (this.nConflicts ?? 0) + 1; // each is told until it is decided
    const kind = `conflict-${this.nConflicts}`;
    const button = make("button", { textContent: "Use mine" });
    button.addEventListener("click", () => {
      this.banner(kind, null);
      this.store.insist({ own, frame, version });
    });
    const close = make("button", { textContent: "Keep theirs" });
    close.addEventListener("click", () => this.banner(kind, null));
    this.banner(kind, `Somebody else has moved ${names} in frame ${frame} meanwhile; theirs is kept.`, button, close);
  }

  // Each kind of trouble has one place in the banner.
  banner(kind, text, ...more) {
    const box = byId("banner");
    box.querySelector(`[data-kind="${kind}"]`)?.remove();
    if (text) {
      const line = make("span", {}, text, " ", ...more);
      line.dataset.kind = kind;
      box.append(line);
    }
    box.hidden = !box.children.length;
  }

  // Mouse, pen and fingers ---------------------------------------------------------------------

  connectStage() {
    const { stage } = this;
    this.pointers = new Map();
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.point(event));
    stage.addEventListener("pointerup", (event) => this.lift(event));
    stage.addEventListener("pointercancel", () => this.dropDrag());
    stage.addEventListener("pointerleave", () => this.view.showLoupe(null));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("dblclick", (event) => {
      const k = this.isOnStage(event) && !this.skeleton.isOpen ? this.overlay.find(this.view.placeOf(event)) : null;
      if (k !== null) this.store.accept([k]);
    });
    stage.addEventListener("wheel", (event) => this.turn(event), { passive: false });
  }

  isOnStage(event) {
    return !event.target.closest("#display, #menu");
  }

  press(event) {
    if (!this.isOnStage(event)) return;
    byId("menu").hidden = true;
    this.stage.focus();
    event.preventDefault();
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.view.placeOf(event));
    if (this.pointers.size === 2) {
      this.dropDrag();
      return;
    }
    const place = this.view.placeOf(event);
    if (event.button !== 0) {
      this.drag = { kind: "pan", place, view: this.view.transform, button: event.button };
      this.stage.classList.add("panning");
      return;
    }
    if (this.skeleton.isOpen) {
      this.skeleton.press(event);
      return;
    }
    if (this.context.isShown) { // what is clicked is another image
      this.context.leave();
      return;
    }
    if (event.altKey) {
      this.startDrag({ kind: "pose", place, points: this.store.keypoints.map((point) => [...point]) });
      return;
    }
    const found = event.shiftKey ? null : this.overlay.find(place);
    if (found !== null) {
      this.store.choose(found);
      const [, x, y] = this.store.keypoints[found];
      this.startDrag({ kind: "point", k: found, place, from: [x, y], hasMoved: false });
    } else {
      this.startDrag({ kind: "place" });
      this.point(event);
    }
  }

  startDrag(drag) {
    this.drag = drag;
    this.store.isHeld = true;
  }

  point(event) {
    const place = this.view.placeOf(event);
    if (this.pointers.size === 2 && this.pointers.has(event.pointerId)) {
      this.pinch(event.pointerId, place);
      return;
    }
    const { drag } = this;
    if (drag?.kind === "pan") {
      const [dx, dy] = [place[0] - drag.place[0], place[1] - drag.place[1]];
      this.view.move({ ...drag.view, x: drag.view.x + dx, y: drag.view.y + dy });
      return;
    }
    if (this.skeleton.isOpen) this.skeleton.move(event);
    const at = this.view.locate(event);
    byId("position").textContent = this.isOnStage(event) ? `x ${at[0].toFixed(1)}  y ${at[1].toFixed(1)}` : "";
    if (drag?.kind === "point") this.movePoint(drag, place, event);
    else if (drag?.kind === "pose") this.movePose(drag, place);
    const isPlacing = drag?.kind === "place" || drag?.hasMoved;
    if ((isPlacing && this.settings.loupes) || this.hasLoupe) this.view.showLoupe(drag?.at ?? at, place);
  }

  movePoint(drag, place, event) {
    const { scale } = this.view.transform;
    const [dx, dy] = [(place[0] - drag.place[0]) / scale, (place[1] - drag.place[1]) / scale];
    if (!drag.hasMoved && Math.hypot(dx, dy) * scale < 2) return;
    if (this.store.isReadOnly) return;
    drag.hasMoved = true;
    const at = [drag.from[0] + dx, drag.from[1] + dy];
    drag.at = event.shiftKey ? at : clampToImage(at, this.store.size);
    this.drawDragged();
  }

  movePose(drag, place) {
    const { scale } = this.view.transform;
    drag.shift = [(place[0] - drag.place[0]) / scale, (place[1] - drag.place[1]) / scale];
    this.drawDragged();
  }

  // What is under the hand stands where the hand is, whatever else is drawn.
  drawDragged() {
    const { drag } = this;
    if (drag?.hasMoved) this.overlay.drawMoved(drag.k, drag.at);
    if (!drag?.shift) return;
    drag.points.forEach((point, k) => {
      if (hasPlace(point)) this.overlay.drawMoved(k, this.shifted(drag, point));
    });
    this.overlay.edges.forEach((edge) => this.overlay.drawEdge(edge));
  }

  shifted(drag, [, x, y]) {
    return clampToImage([x + drag.shift[0], y + drag.shift[1]], this.store.size);
  }

  lift(event) {
    this.pointers.delete(event.pointerId);
    if (this.skeleton.isOpen) this.skeleton.lift(event);
    const { drag } = this;
    this.dropDrag(false);
    if (!drag) return;
    if (drag.kind === "place") {
      const at = this.view.locate(event);
      this.store.place(event.shiftKey ? at : clampToImage(at, this.store.size));
    } else if (drag.kind === "point" && drag.hasMoved) {
      this.store.change([[drag.k, putState(this.store.keypoints[drag.k]), ...drag.at]]);
    } else if (drag.kind === "pose" && drag.shift) this.dropPose(drag);
    else if (drag.kind === "pan" && drag.button === 2) {
      const place = this.view.placeOf(event);
      const hasMoved = distance(place, drag.place) > 3;
      const k = this.overlay.find(place);
      if (!hasMoved && k !== null) this.openMenu(k, place);
    }
  }

  dropPose(drag) {
    this.store.change(
      drag.points.flatMap((point, k) => (hasPlace(point) ? [[k, point[0], ...this.shifted(drag, point), ...point.slice(3)]] : [])),
    );
  }

  dropDrag(isDrawn = true) {
    const had = this.drag;
    this.drag = null;
    this.store.isHeld = false;
    this.stage.classList.remove("panning");
    if (!this.hasLoupe) this.view.showLoupe(null);
    if (had && isDrawn) this.overlay.draw();
    if (this.store.isStale) this.store.reload();
  }

  pinch(id, place) {
    const [other] = [...this.pointers].find(([key]) => key !== id).slice(1);
    const before = this.pointers.get(id);
    this.pointers.set(id, place);
    const far = (a) => Math.max(distance(a, other), 1);
    const [dx, dy] = [(place[0] - before[0]) / 2, (place[1] - before[1]) / 2];
    const { transform } = this.view;
    this.view.move({ ...transform, x: transform.x + dx, y: transform.y + dy });
    this.view.zoom(far(place) / far(before), [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2]);
  }

  turn(event) {
    if (!this.isOnStage(event)) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 33 : 1; // lines, in Firefox
    const delta = (event.deltaY || event.deltaX) * unit;
    if (event.altKey) this.rotatePose(delta > 0 ? 1 : -1);
    else this.view.zoom(Math.exp(-Math.max(Math.min(delta, 200), -200) / (event.ctrlKey ? 100 : 400)), this.view.placeOf(event));
  }

  rotatePose(degrees) {
    const placed = this.store.keypoints.flatMap((point, k) => (hasPlace(point) ? [[k, point]] : []));
    if (!placed.length) return;
    const mean = [1, 2].map((c) => placed.reduce((sum, [, point]) => sum + point[c], 0) / placed.length);
    this.store.change(placed.map(([k, [state, x, y, ...more]]) => [k, state, ...rotate([x, y], mean, (degrees * Math.PI) / 180), ...more]));
  }

  openMenu(k, [left, top]) {
    this.store.choose(k);
    const items = [
      ["Hidden or not", "hide"], ["Absent", "setAbsent"], ["Clear", "clear"],
      ["Swap with partner", "swapOne"], ["Accept all guesses", "accept"],
    ];
    const menu = byId("menu");
    menu.replaceChildren(...items.map(([words, command]) => {
      const button = make("button", { textContent: words });
      button.setAttribute("role", "menuitem");
      button.addEventListener("click", () => {
        menu.hidden = true;
        this.do({ command });
        this.stage.focus();
      });
      return button;
    }));
    menu.hidden = false;
    const { width, height } = this.view.room;
    menu.style.left = `${Math.min(left, width - menu.offsetWidth)}px`;
    menu.style.top = `${Math.min(top, height - menu.offsetHeight)}px`;
    menu.firstChild.focus();
  }

  // Keys ---------------------------------------------------------------------------------------

  connectKeys() {
    addEventListener("keydown", (event) => {
      const isTyping = event.target.matches('input:not([type="checkbox"], [type="range"]), select, textarea');
      if (isTyping || byId("help").open) return;
      const found = isForElement(event) ? null : this.keys.find(event);
      if (!found || (this.skeleton.isOpen && !LOOKS.has(found.command))) return;
      event.preventDefault();
      const now = performance.now();
      if (event.repeat && now - (this.pressedAt ?? 0) < REPEAT) return;
      this.pressedAt = now;
      this.do(found);
    });
    addEventListener("keyup", (event) => {
      const found = this.keys.find(event);
      if (found?.command === "hold") byId("overlay").classList.remove("hide");
      if (found?.command === "loupe") this.holdLoupe(false);
    });
    addEventListener("blur", () => {
      byId("overlay").classList.remove("hide");
      this.holdLoupe(false);
    });
  }

  holdLoupe(isHeld) {
    this.hasLoupe = isHeld;
    if (!isHeld) this.view.showLoupe(null);
  }

  do({ command, digit, step }) {
    const { store, view } = this;
    const commands = {
      previousFrame: () => store.step(-1),
      nextFrame: () => store.step(1),
      tenBack: () => store.go(store.frame - 10),
      tenOn: () => store.go(store.frame + 10),
      nextUndone: () => store.goNext("ebg", 1),
      previousUndone: () => store.goNext("ebg", -1),
      goTo: () => byId("frame-number").select(),
      previousKeypoint: () => store.choose(store.active - 1),
      nextKeypoint: () => store.choose(store.active + 1),
      digit: () => digit <= store.names.length && store.choose(digit - 1),
      accept: () => store.accept(),
      acceptAndGo: () => { store.accept(); store.step(1); },
      acceptAndBack: () => { store.accept(); store.step(-1); },
      hide: () => store.hide(),
      setAbsent: () => store.setAbsent(),
      allAbsent: () => store.setAllAbsent(),
      clear: () => store.clear(),
      undo: () => store.undo(),
      redo: () => store.redo(),
      copyBefore: () => store.copyPose(-1),
      copyAfter: () => store.copyPose(1),
      swapAll: () => store.swap(),
      swapOne: () => store.swap([store.active]),
      revert: () => store.revert(),
      videoBack: () => this.context.step(-1),
      videoOn: () => this.context.step(1),
      videoPlay: () => this.context.play(),
      videoAdd: () => this.context.add(),
      hold: () => byId("overlay").classList.add("hide"),
      loupe: () => this.holdLoupe(true),
      zoomIn: () => view.zoom(1.25),
      zoomOut: () => view.zoom(0.8),
      fit: () => view.fit(),
      oneToOne: () => view.oneToOne(),
      mode: () => store.setMode(MODES[(MODES.indexOf(store.mode) + 1) % MODES.length]),
      display: () => this.toggleDisplay(),
      left: () => this.nudge([-step, 0]),
      right: () => this.nudge([step, 0]),
      up: () => this.nudge([0, -step]),
      down: () => this.nudge([0, step]),
      escape: () => this.close(),
      help: () => byId("help").showModal(),
    };
    commands[command]();
  }

  nudge(by) {
    const now = performance.now();
    this.store.nudge(by, now - (this.nudgedAt ?? 0) < AGAIN);
    this.nudgedAt = now;
  }

  close() {
    this.context.leave();
    byId("menu").hidden = true;
    if (!byId("display").hidden) this.toggleDisplay();
    this.dropDrag();
  }

  // The header, and how the image is shown -------------------------------------------------------

  connectHeader() {
    byId("undo").addEventListener("click", () => this.store.undo());
    byId("redo").addEventListener("click", () => this.store.redo());
    byId("open-help").addEventListener("click", () => byId("help").showModal());
    byId("open-display").addEventListener("click", () => this.toggleDisplay());
    byId("mode").addEventListener("change", (event) => {
      this.store.setMode(event.target.value);
      this.stage.focus();
    });
    byId("frame-number").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && /^\d+$/.test(event.target.value.trim())) this.store.go(Number(event.target.value));
      if (event.key === "Enter" || event.key === "Escape") this.stage.focus();
    });
    byId("keys-reset").addEventListener("click", () => {
      this.keys.reset();
      buildKeys(this.keys);
    });
    byId("export").addEventListener("change", (event) => this.export(event.target));
    for (const button of document.querySelectorAll("[data-command]")) {
      button.addEventListener("click", () => {
        this.do({ command: button.dataset.command });
        this.stage.focus();
      });
    }
    addEventListener("beforeunload", (event) => {
      if (this.isAsking) event.preventDefault();
    });
  }

  // Who labels on this page: its name is kept with what is labelled, and shown to others.
  connectUser() {
    const input = byId("user");
    const { queue, session } = this.store;
    input.value = read(USER).name ?? session.user;
    queue.user = input.value;
    input.addEventListener("change", () => {
      input.value = input.value.replaceAll(":", "").trim();
      queue.user = input.value;
      keep(USER, { name: queue.user });
      this.tellPlace();
      this.stage.focus();
    });
  }

  tellPlace() {
    const { queue } = this.store;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const message = { client: queue.client, user: queue.user, frame: this.store.frame };
      sendJson("POST", "api/presence", message).catch(() => {}); // told again with the next frame
    }, SETTLE);
    describeOthers(this.frames.others, this.store.frame);
  }

  showOthers(pages) {
    this.frames.others = pages.filter(({ client }) => client !== this.store.queue.client);
    this.frames.draw();
    describeOthers(this.frames.others, this.store.frame);
  }

  // Labels in the format of another program, beside the set.
  async export(choice) {
    const [format, words] = [choice.value, choice.selectedOptions[0].textContent];
    choice.value = "";
    choice.disabled = true;
    this.stage.focus();
    this.banner("export", `${words}: being written …`);
    const close = make("button", { textContent: "Close" });
    close.addEventListener("click", () => this.banner("export", null));
    try {
      await this.store.queue.sent();
      const { path, n_images: n } = await sendJson("POST", "api/export", { format });
      this.banner("export", `${words}: ${n} labelled ${n === 1 ? "frame is" : "frames are"} in ${path}`, close);
    } catch (error) {
      this.banner("export", `${words}: ${error.message}`, close);
    }
    choice.disabled = false;
  }

  toggleDisplay() {
    const form = byId("display");
    form.hidden = !form.hidden;
    byId("open-display").setAttribute("aria-expanded", !form.hidden);
    (form.hidden ? this.stage : byId("brightness")).focus();
  }

  connectDisplay() {
    for (const [name, value] of Object.entries(this.settings)) setInput(byId(name), value);
    byId("display").addEventListener("input", (event) => {
      this.settings[event.target.id] = getInput(event.target);
      this.applySettings();
    });
    byId("display").addEventListener("submit", (event) => event.preventDefault());
    byId("display-reset").addEventListener("click", () => {
      this.settings = { ...PLAIN };
      for (const [name, value] of Object.entries(PLAIN)) setInput(byId(name), value);
      this.applySettings();
    });
    this.applySettings();
  }

  applySettings() {
    const { names, edges, size, theme } = this.settings;
    document.documentElement.dataset.theme = theme;
    this.view.adjust(this.settings);
    this.overlay.set({ names, edges, size });
    this.view.draw();
    keep(SETTINGS, this.settings);
  }

  // What the server tells ----------------------------------------------------------------------

  // A browser has six connections to a server: pages that are not seen give theirs back.
  connectEvents() {
    this.listenToServer();
    document.addEventListener("visibilitychange", () => {
      this.events.close();
      if (!document.hidden) this.listenToServer();
    });
  }

  // Who is told that a job has ended finds all its guesses. States may be too short to be told.
  async showJob(about) {
    const hasEnded = about.state !== this.model.about.state && !isBusy(about);
    this.newest = about;
    if (hasEnded) {
      try {
        await this.store.refresh();
        if (this.frames.filter === "doubt") await this.frames.sort();
        this.frames.update();
      } catch { /* the next event asks again */ }
    }
    if (this.newest === about) this.model.show(about);
  }

  listenToServer() {
    const { version, queue } = this.store;
    const events = new EventSource(`api/events?since=${version}&client=${queue.client}`);
    this.events = events;
    events.addEventListener("edit", (event) => this.store.refresh(JSON.parse(event.data).version).catch(() => {}));
    events.addEventListener("set", (event) => {
      this.store.session.read_only = JSON.parse(event.data).read_only;
      this.warnReadOnly();
    });
    events.addEventListener("skeleton", (event) => {
      if (JSON.parse(event.data).skeleton === this.store.session.skeleton) return;
      if (this.skeleton.isOpen) this.skeleton.overtake();
      else location.reload(); // edits that wait are in the browser's storage
    });
    events.addEventListener("job", (event) => this.showJob(JSON.parse(event.data)));
    events.addEventListener("presence", (event) => this.showOthers(JSON.parse(event.data).pages));
    events.addEventListener("open", () => {
      this.tellPlace();
      this.store.queue.send();
      this.store.refresh().catch(() => {});
    });
  }
}

// Keys that buttons, boxes and sliders heed themselves.
function isForElement({ target, key }) {
  if (target.matches('[type="range"]') && /^(Arrow|Page|Home|End)/.test(key)) return true;
  return target.matches("button, input") && ["Enter", " ", "Tab"].includes(key);
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "{}");
  } catch {
    return {};
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch { /* until the page is closed, then */ }
}

function setInput(input, value) {
  if (input.type === "checkbox") input.checked = value;
  else input.value = value;
}

function getInput(input) {
  if (input.type === "checkbox") return input.checked;
  return input.type === "range" ? Number(input.value) : input.value;
}

try {
  const page = new Page(await getSession());
  window.skpose = page; // for the browser's console
  await page.start();
} catch (error) {
  byId("banner").hidden = false;
  byId("banner").textContent = error.message;
}
