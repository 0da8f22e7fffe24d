// Where pixels of the image are on the screen. Pixel centres have whole numbers, so the image of
// width w reaches from -0.5 to w - 0.5. `view` is {scale, x, y}: screen pixels per image pixel, and
// the place of the image's corner on the stage.

export const toScreen = (view, [x, y]) => [(x + 0.5) * view.scale + view.x, (y + 0.5) * view.scale + view.y];

export const toImage = (view, [x, y]) => [(x - view.x) / view.scale - 0.5, (y - view.y) / view.scale - 0.5];

export function fit(image, stage) {
  const scale = Math.min(stage.width / image.width, stage.height / image.height) * 0.96;
  return centre({ scale }, image, stage);
}

export function centre({ scale }, image, stage) {
  return { scale, x: (stage.width - image.width * scale) / 2, y: (stage.height - image.height * scale) / 2 };
}

// What is under `at` stays there.
export function zoom(view, factor, [x, y], smallest) {
  const scale = Math.min(Math.max(view.scale * factor, smallest), 64);
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

// At least a strip of the image stays on the stage.
export function keepInSight(view, image, stage) {
  const margin = 40;
  const clamp = (value, size, room) => Math.min(Math.max(value, margin - size), room - margin);
  return {
    scale: view.scale,
    x: clamp(view.x, image.width * view.scale, stage.width),
    y: clamp(view.y, image.height * view.scale, stage.height),
  };
}

export const clampToImage = ([x, y], image) => [
  Math.min(Math.max(x, -0.5), image.width - 0.5),
  Math.min(Math.max(y, -0.5), image.height - 0.5),
];

export const distance = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

export function rotate([x, y], [cx, cy], angle) {
  const [dx, dy, cos, sin] = [x - cx, y - cy, Math.cos(angle), Math.sin(angle)];
  return [cx + cos * dx - sin * dy, cy + sin * dx + cos * dy];
}

// The part of the image that is in sight, in steps that make it likely to be asked for again.
export function partInSight(view, image, stage, most) {
  const step = 64;
  const [left, top] = toImage(view, [0, 0]);
  const [right, bottom] = toImage(view, [stage.width, stage.height]);
  const low = (value) => Math.max(Math.floor(value / step) * step, 0);
  const high = (value, size) => Math.min(Math.ceil((value + 1) / step) * step, size);
  const [x, y] = [low(left), low(top)];
  const [width, height] = [high(right, image.width) - x, high(bottom, image.height) - y];
  return width > 0 && height > 0 && width <= most && height <= most ? [x, y, width, height] : null;
}
