// What is labelled: the frames, the keypoints of those that were looked at, what can be undone.
// Whoever listens hears the name of what has changed: "frame", "keypoints", "active", "frames",
// "mode", "message".

import { getJson, Images, Queue } from "./net.js";

const MOST_FRAMES = 200; // whose keypoints are kept
const DONE = new Set(["placed", "hidden", "absent"]);

export const isDone = ([state]) => DONE.has(state);
// What becomes of a keypoint that a person puts somewhere.
export const putState = ([state]) => (state === "hidden" ? "hidden" : "placed");
export const hasPlace = ([state]) => state === "guess" || state === "placed" || state === "hidden";

export class Store {
  constructor(session, onQueue) {
    this.session = session;
    this.size = { width: session.width, height: session.height };
    this.frame = 0;
    this.active = 0;
    this.mode = "through";
    this.letters = [];
    this.sure = []; // of each frame the mean confidence of its guesses in percent, -1 for none
    this.reasons = new Map(); // of frames to look at again, why, in words
    this.order = null; // in which frames are gone through, if it is not that of their numbers
    this.version = session.version;
    this.records = new Map();
    this.originals = new Map();
    this.settled = new Map(); // of each frame the last version that this page has made
    this.past = [];
    this.future = [];
    this.listeners = [];
    this.isHeld = false; // while something is dragged
    this.images = new Images(session.set);
    this.queue = new Queue(session.set, {
      onChange: onQueue,
      onDone: (edit, done) => this.settle(edit, done),
    });
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  tell(what, detail) {
    for (const listener of this.listeners) listener(what, detail);
  }

  get names() {
    return this.session.names;
  }

  get record() {
    return this.records.get(this.frame);
  }

  get keypoints() {
    return this.record ? this.record.keypoints : this.names.map(() => ["empty"]);
  }

  // Who has labelled each of them, as far as it is known.
  get by() {
    return this.record ? this.record.by : [];
  }

  get isReadOnly() {
    return this.session.read_only !== null;
  }

  async start(frame) {
    const { version, states, sure } = await getJson("api/frames");
    this.version = version;
    this.letters = [...states];
    this.sure = sure;
    this.tell("frames");
    const first = this.letters.findIndex((letter) => letter !== "d");
    await this.go(frame ?? Math.max(first, 0));
  }

  // Frames -----------------------------------------------------------------------------------

  async go(frame) {
    frame = Math.min(Math.max(frame, 0), this.letters.length - 1);
    this.frame = frame;
    const isReady = this.records.has(frame) && this.images.get(frame);
    if (isReady) this.chooseActive();
    this.tell("frame");
    try {
      await Promise.all([this.fetchRecord(frame), this.images.load(frame)]);
    } catch (error) {
      if (this.frame === frame) this.tell("message", `This frame cannot be shown: ${error.message}`);
      return;
    }
    if (this.frame !== frame) return;
    if (!isReady) {
      this.chooseActive();
      this.tell("frame");
    }
    requestAnimationFrame(() => setTimeout(() => this.prefetch(frame))); // this one is drawn first
  }

  prefetch(frame) {
    if (frame !== this.frame) return;
    for (const other of [frame + 1, frame + 2, frame + 3, frame - 1]) {
      if (other >= 0 && other < this.letters.length) {
        this.fetchRecord(other).catch(() => {});
        this.images.load(other).catch(() => {});
      }
    }
  }

  async fetchRecord(frame, isStale = false) {
    if (this.records.has(frame) && !isStale) return;
    const record = await getJson(`api/frames/${frame}`);
    if (frame === this.frame && this.isHeld && this.records.has(frame)) {
      this.isStale = true; // it is fetched again after the drag
      return;
    }
    if (record.version < (this.settled.get(frame) ?? 0)) {
      await this.fetchRecord(frame, true); // it was overtaken by an edit of this page
      return;
    }
    for (const [, keypoint, ...state] of this.queue.of(frame)) record.keypoints[keypoint] = state;
    this.records.delete(frame);
    this.records.set(frame, record);
    for (const oldest of this.records.keys()) {
      if (this.records.size <= MOST_FRAMES) break;
      if (oldest !== this.frame) this.records.delete(oldest);
    }
  }

  // The next frame, or the one before, in the order in which they are gone through.
  step(by) {
    const at = this.order ? this.order.indexOf(this.frame) : -1;
    if (at < 0) return this.go(this.order?.length ? this.order[0] : this.frame + by);
    return this.go(this.order[Math.min(Math.max(at + by, 0), this.order.length - 1)]);
  }

  next(letters, step) {
    for (let k = this.frame + step; k >= 0 && k < this.letters.length; k += step) {
      if (letters.includes(this.letters[k])) return k;
    }
    return null;
  }

  async goNext(letters, step) {
    const frame = this.next(letters, step);
    if (frame === null) this.tell("message", `There is no such frame ${step > 0 ? "after" : "before"} this one.`);
    else await this.go(frame);
  }

  // What other pages and programs have changed, if the set has a version that is not known here.
  async refresh(told = Infinity) {
    await this.queue.sent(); // the answers tell which changes are this page's own
    if (told <= this.version) return;
    const { version, frames, states, sure } = await getJson(`api/frames?since=${this.version}`);
    this.version = version;
    frames.forEach((frame, k) => {
      this.letters[frame] = states[k];
      this.sure[frame] = sure[k];
      const record = this.records.get(frame);
      if (record && record.version < version && frame !== this.frame) this.records.delete(frame);
    });
    this.tell("frames");
    if (frames.includes(this.frame)) {
      if (this.isHeld) this.isStale = true;
      else await this.reload();
    }
  }

  async reload() {
    this.isStale = false;
    const { frame } = this;
    await this.fetchRecord(frame, true);
    if (frame === this.frame) this.tell("keypoints");
  }

  // Keypoints --------------------------------------------------------------------------------

  chooseActive() {
    if (this.mode === "bodypart") return;
    const guesses = this.keypoints.map((keypoint, k) => [keypoint[0] === "guess" ? keypoint[3] ?? 0 : 2, k]);
    const [doubt, k] = guesses.reduce((a, b) => (b[0] < a[0] ? b : a));
    this.active = doubt <= 1 ? k : Math.max(this.keypoints.findIndex(([state]) => state === "empty"), 0);
  }

  choose(keypoint) {
    const n = this.names.length;
    this.active = ((keypoint % n) + n) % n;
    this.tell("active");
  }

  advance() {
    const n = this.names.length;
    for (let step = 1; step <= n; step += 1) {
      const k = (this.active + step) % n;
      if (this.keypoints[k][0] === "empty") return this.choose(k);
    }
    return this.tell("active");
  }

  setMode(mode) {
    this.mode = mode;
    this.tell("mode");
  }

  // Change keypoints of this frame, [[keypoint, state, x, y] ...], as one thing that can be undone.
  change(changes) {
    if (!this.record || this.isReadOnly) {
      if (this.isReadOnly) this.tell("message", `Nothing can be changed. ${this.session.read_only}`);
      return;
    }
    const before = changes.map(([k]) => [k, ...this.keypoints[k]]);
    changes = changes.filter((change, i) => JSON.stringify(change) !== JSON.stringify(before[i]));
    if (!changes.length) return;
    const kept = before.filter(([k]) => changes.some((change) => change[0] === k));
    if (!this.originals.has(this.frame)) this.originals.set(this.frame, structuredClone(this.keypoints));
    this.past.push({ frame: this.frame, before: kept, after: changes });
    this.future = [];
    this.write(changes);
  }

  write(changes) {
    const { frame, record } = this;
    for (const [k, ...state] of changes) {
      record.keypoints[k] = state;
      record.by[k] = this.queue.user;
    }
    this.letters[frame] = this.letterOf(record.keypoints);
    this.queue.add(changes.map((change) => [frame, ...change]), record.version);
    this.tell("keypoints");
    this.tell("frames");
  }

  letterOf(keypoints) {
    const n = keypoints.filter(isDone).length;
    if (n === keypoints.length) return "d";
    if (n) return "b";
    return keypoints.some(([state]) => state === "guess") ? "g" : "e";
  }

  async undo() {
    await this.travel(this.past, this.future, "before", "undone");
  }

  async redo() {
    await this.travel(this.future, this.past, "after", "done again");
  }

  async travel(from, to, side, word) {
    const step = from.pop();
    if (!step) {
      this.tell("message", `Nothing is left to be ${word}.`);
      return;
    }
    if (step.frame !== this.frame) await this.go(step.frame);
    if (this.frame !== step.frame || !this.record) { // it cannot be shown, which `go` has told
      from.push(step);
      this.tell("mode");
      return;
    }
    to.push(step);
    this.active = step[side][0][0];
    this.write(step[side]);
  }

  settle(edit, { version, conflicts, refused }) {
    for (const [frame] of edit.set) if (version) this.settled.set(frame, version);
    // It was written, and nobody else was in between: all of it may be a conflict.
    if (version === this.version + 1 && !conflicts.length) this.version = version;
    if (refused) this.tell("message", `The server has refused an edit: ${refused}`);
    for (const [frame, k, ...state] of conflicts) {
      const record = this.records.get(frame);
      if (record) record.keypoints[k] = state;
    }
    if (conflicts.length) {
      const own = edit.set.filter(([, k]) => conflicts.some((theirs) => theirs[1] === k));
      this.tell("conflict", { own, frame: conflicts[0][0], version });
      this.tell("keypoints");
    }
  }

  // Ours in place of what another annotator has made of keypoints.
  async insist({ own, frame, version }) {
    if (this.frame !== frame) await this.go(frame);
    if (this.frame !== frame || !this.record) return;
    this.record.version = Math.max(this.record.version, version);
    this.write(own.map(([, ...change]) => change));
  }

  // What people do ---------------------------------------------------------------------------

  place(point) {
    this.change([[this.active, putState(this.keypoints[this.active]), ...point]]);
    if (this.isReadOnly) return;
    if (this.mode === "through") this.advance();
    else if (this.mode === "bodypart") this.step(1);
  }

  accept(keypoints = this.keypoints.map((_, k) => k)) {
    this.change(
      keypoints.filter((k) => this.keypoints[k][0] === "guess")
        .map((k) => [k, "placed", this.keypoints[k][1], this.keypoints[k][2]]),
    );
  }

  hide() {
    const [state, x, y] = this.keypoints[this.active];
    if (!hasPlace([state])) this.tell("message", "Place it where it must be, then mark it as hidden.");
    else this.change([[this.active, state === "hidden" ? "placed" : "hidden", x, y]]);
  }

  setAbsent() {
    this.change([[this.active, "absent"]]);
    this.advance();
  }

  setAllAbsent() {
    this.change(this.keypoints.flatMap((keypoint, k) => (isDone(keypoint) ? [] : [[k, "absent"]])));
  }

  clear() {
    this.change([[this.active, "empty"]]);
  }

  swap(keypoints = this.names.map((_, k) => k)) {
    const { swaps } = this.session;
    const pairs = keypoints.filter((k) => swaps[k] !== k);
    if (!pairs.length) this.tell("message", "The skeleton names no left and right partners of it.");
    const both = new Set(pairs.flatMap((k) => [k, swaps[k]]));
    this.change([...both].map((k) => [k, ...this.keypoints[swaps[k]]]));
  }

  nudge([dx, dy], isMore) {
    const [state, x, y] = this.keypoints[this.active];
    if (!hasPlace([state])) return;
    const last = this.past.at(-1);
    const change = [[this.active, putState([state]), x + dx, y + dy]];
    this.change(change);
    const now = this.past.at(-1);
    if (isMore && now !== last && last?.frame === this.frame && last.after[0][0] === this.active) {
      this.past.splice(-2, 2, { frame: this.frame, before: last.before, after: change });
    }
  }

  async copyPose(step) {
    const from = this.next("db", step);
    if (from === null) {
      this.tell("message", `No frame ${step < 0 ? "before" : "after"} this one has labels to copy.`);
      return;
    }
    const { frame } = this;
    await this.fetchRecord(from);
    if (frame !== this.frame) return;
    const pose = this.records.get(from).keypoints;
    this.change(
      pose.flatMap((keypoint, k) => {
        return !isDone(this.keypoints[k]) && hasPlace(keypoint) ? [[k, "guess", keypoint[1], keypoint[2]]] : [];
      }),
    );
  }

  revert() {
    const original = this.originals.get(this.frame);
    if (original) this.change(original.map((keypoint, k) => [k, ...keypoint]));
  }
}
