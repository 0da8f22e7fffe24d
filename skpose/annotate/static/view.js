// The image on the stage: where it is, and how it is drawn.

import { centre, fit, keepInSight, partInSight, toImage, zoom } from "./geometry.js";

const EXACT_FROM = 4; // screen pixels per image pixel, from which on parts are fetched exactly
const LOUPE = { size: 128, factor: 4 };

export class View {
  constructor(store, { stage, canvas, loupe, onMove }) {
    Object.assign(this, { store, stage, canvas, loupe, onMove });
    this.context = canvas.getContext("2d", { alpha: false });
    this.room = { width: 1, height: 1 };
    this.transform = null;
    this.part = null;
    this.other = null; // an image that is shown in place of the frame's
    new ResizeObserver(() => this.resize()).observe(stage);
    this.resize();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    const before = this.room;
    this.room = { width, height };
    this.ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    if (!this.transform || this.isWhole(before)) this.transform = fit(this.store.size, this.room);
    else {
      const { scale, x, y } = this.transform;
      this.transform = { scale, x: x + (width - before.width) / 2, y: y + (height - before.height) / 2 };
    }
    this.draw();
    this.onMove();
  }

  // Whether the whole image was in sight, as it is at first: it stays so.
  isWhole(room) {
    const whole = fit(this.store.size, room);
    return ["scale", "x", "y"].every((name) => Math.abs(whole[name] - this.transform[name]) < 1e-6);
  }

  move(transform) {
    this.transform = keepInSight(transform, this.store.size, this.room);
    this.draw();
    this.onMove();
    this.fetchPart();
  }

  fit() {
    this.move(fit(this.store.size, this.room));
  }

  oneToOne() {
    this.move(centre({ scale: 1 / this.ratio }, this.store.size, this.room));
  }

  zoom(factor, at = [this.room.width / 2, this.room.height / 2]) {
    const smallest = Math.min(fit(this.store.size, this.room).scale, 1) / 2;
    this.move(zoom(this.transform, factor, at, smallest));
  }

  // Where on the image an event is.
  locate(event) {
    return toImage(this.transform, this.placeOf(event));
  }

  placeOf(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  show(image) {
    this.other = image;
    this.draw();
  }

  get image() {
    return this.other ?? this.store.images.get(this.store.frame);
  }

  draw() {
    const { context, canvas, ratio, image } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(this.stage).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!image) return;
    const { scale, x, y } = this.transform;
    context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    context.imageSmoothingEnabled = scale * ratio < 2;
    context.drawImage(image, 0, 0);
    if (!this.other && this.part && this.part.frame === this.store.frame && scale * ratio >= EXACT_FROM) {
      context.drawImage(this.part.image, ...this.part.place.slice(0, 2));
    }
  }

  // Large images come as JPEG: where single pixels can be seen, the true ones are fetched.
  fetchPart() {
    clearTimeout(this.timer);
    if (this.store.session.is_exact || this.transform.scale * this.ratio < EXACT_FROM) return;
    this.timer = setTimeout(async () => {
      const { frame, images, session, size } = this.store;
      const place = partInSight(this.transform, size, this.room, session.most_cropped);
      const isHere = this.part && this.part.frame === frame && String(this.part.place) === String(place);
      if (!place || isHere) return;
      const image = await images.part(frame, place).catch(() => null);
      if (!image || frame !== this.store.frame) return;
      this.part?.image.close();
      this.part = { frame, place, image };
      this.draw();
    }, 80);
  }

  // How the image looks; the image itself is never changed.
  adjust({ brightness, contrast, gamma, invert }) {
    const isPlain = brightness === 1 && contrast === 1 && gamma === 1 && !invert;
    for (const channel of document.querySelectorAll("#gamma-filter [exponent]")) channel.setAttribute("exponent", 1 / gamma);
    const filter = `brightness(${brightness}) contrast(${contrast}) invert(${invert ? 1 : 0}) url(#gamma-filter)`;
    for (const canvas of [this.canvas, this.loupe]) canvas.style.filter = isPlain ? "none" : filter;
  }

  showLoupe(point, place) {
    const { image } = this;
    this.loupe.hidden = !image || !point;
    if (this.loupe.hidden) return;
    const side = LOUPE.size * this.ratio;
    if (this.loupe.width !== side) this.loupe.width = this.loupe.height = side;
    const context = this.loupe.getContext("2d", { alpha: false });
    const scale = this.transform.scale * this.ratio * LOUPE.factor;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, side, side);
    context.imageSmoothingEnabled = false;
    context.setTransform(scale, 0, 0, scale, side / 2 - (point[0] + 0.5) * scale, side / 2 - (point[1] + 0.5) * scale);
    context.drawImage(image, 0, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.strokeStyle = "#fff";
    context.globalCompositeOperation = "difference";
    context.strokeRect(side / 2, side * 0.3, 0, side * 0.4);
    context.strokeRect(side * 0.3, side / 2, side * 0.4, 0);
    context.globalCompositeOperation = "source-over";
    const offset = LOUPE.size / 2 + 30;
    const isLeft = place[0] > this.room.width - LOUPE.size - 60;
    const isAbove = place[1] > this.room.height - LOUPE.size - 60;
    this.loupe.style.left = `${place[0] + (isLeft ? -offset : offset) - LOUPE.size / 2}px`;
    this.loupe.style.top = `${place[1] + (isAbove ? -offset : offset) - LOUPE.size / 2}px`;
  }
}
