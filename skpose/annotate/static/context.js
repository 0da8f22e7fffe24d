// The video around a frame: to see what moves, and to add the very frame that the set lacks.

import { getBitmap, getJson, sendJson } from "./net.js";
import { byId } from "./panels.js";

const AROUND = 15; // frames on each side that are played
const RATE = 40; // milliseconds a frame
const MOST = 64; // decoded images that are kept

export class Context {
  constructor(store, view) {
    Object.assign(this, { store, view });
    this.offset = 0;
    this.about = null;
    this.images = new Map(); // of offsets
    byId("context").hidden = !store.session.has_videos;
    const click = (id, what) => byId(id).addEventListener("click", () => {
      what();
      byId("stage").focus();
    });
    click("context-back", () => this.step(-1));
    click("context-on", () => this.step(1));
    click("context-play", () => (this.playing ? this.leave() : this.play()));
    click("context-add", () => this.add());
  }

  get isShown() {
    return this.offset !== 0 || Boolean(this.playing);
  }

  // Another frame of the set is looked at: what was fetched belongs to the last one.
  forget() {
    if (!this.about && !this.isShown) return;
    this.leave();
    this.about = null;
    for (const image of this.images.values()) image.close();
    this.images.clear();
  }

  leave() {
    clearTimeout(this.playing);
    this.playing = null;
    this.offset = 0;
    if (this.view.other) this.view.show(null);
    this.draw();
  }

  async step(by) {
    clearTimeout(this.playing);
    this.playing = null;
    await this.go(this.offset + by);
  }

  async go(offset) {
    const { frame } = this.store;
    this.offset = offset; // a second step counts from here
    try {
      const about = this.about ?? await getJson(`api/frames/${frame}/context`);
      if (frame !== this.store.frame) return;
      this.about = about;
      if (this.offset !== offset) return;
      const { number, n_frames: n } = about;
      const at = Math.min(Math.max(number + offset, 0), n - 1) - number;
      this.offset = at;
      const image = at === 0 ? null : await this.load(frame, at);
      if (frame !== this.store.frame || this.offset !== at) return;
      this.view.show(image);
      this.draw();
    } catch (error) {
      if (frame !== this.store.frame) return;
      this.leave();
      this.store.tell("message", error.message);
    }
  }

  async load(frame, offset) {
    if (this.images.has(offset)) return this.images.get(offset);
    const image = await getBitmap(`api/frames/${frame}/context/${offset}`);
    if (frame !== this.store.frame) return image;
    this.images.set(offset, image);
    for (const [oldest, old] of this.images) {
      if (this.images.size <= MOST) break;
      this.images.delete(oldest);
      old.close();
    }
    return image;
  }

  // Once from some frames before to some after, as fast as they come, and back to the frame itself.
  async play() {
    const { frame } = this.store;
    const start = performance.now();
    this.playing = 1;
    const next = async (offset, k) => {
      await this.go(offset);
      if (!this.playing || frame !== this.store.frame) return;
      const hasMore = this.about && offset < AROUND && this.about.number + offset + 1 < this.about.n_frames;
      const wait = Math.max(start + k * RATE - performance.now(), 0);
      this.playing = setTimeout(() => (hasMore ? next(offset + 1, k + 1) : this.leave()), wait);
    };
    await next(-AROUND, 1);
  }

  async add() {
    const { frame } = this.store;
    const { offset } = this;
    if (!offset) return;
    clearTimeout(this.playing);
    this.playing = null;
    try {
      const { frame: added } = await sendJson("POST", "api/frames", { frame, offset });
      await this.store.refresh();
      if (frame === this.store.frame) await this.store.go(added);
    } catch (error) {
      this.store.tell("message", error.message);
    }
  }

  draw() {
    const { offset, about } = this;
    byId("context-play").textContent = this.playing ? "Stop" : "Play";
    byId("overlay").classList.toggle("faint", this.isShown);
    const isKnown = about?.in_set.includes(about.number + offset);
    byId("context-add").disabled = !offset || this.store.isReadOnly;
    byId("context-add").textContent = isKnown && offset ? "Go to it" : "Add";
    const far = offset ? ` (${offset > 0 ? "+" : ""}${offset})` : "";
    byId("context-at").textContent = about ? `${about.video}: ${about.number + offset}${far}` : "video";
  }
}
