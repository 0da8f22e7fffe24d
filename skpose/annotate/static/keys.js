// Keys and what they do. A key is written as "Ctrl+Shift+Z"; of "?" and the like, which some
// keyboards need Shift for, without it.

const STORED = "skpose:keys";

// What can be done: [name, what it does in words, keys at first].
export const COMMANDS = [
  ["previousFrame", "Previous frame", ["A", "J"]],
  ["nextFrame", "Next frame", ["D", "L"]],
  ["previousKeypoint", "Previous bodypart", ["W", "I", "Shift+Tab"]],
  ["nextKeypoint", "Next bodypart", ["S", "K", "Tab"]],
  ["acceptAndGo", "Accept all guesses, next frame", ["Space"]],
  ["acceptAndBack", "Accept all guesses, previous frame", ["Shift+Space"]],
  ["accept", "Accept all guesses", ["F"]],
  ["hide", "Hidden: something is in front of it", ["V"]],
  ["setAbsent", "Absent: it is not to be seen", ["X"]],
  ["allAbsent", "All that are left are absent", ["Shift+X"]],
  ["clear", "Clear the bodypart", ["Backspace", "Delete"]],
  ["undo", "Undo", ["Ctrl+Z"]],
  ["redo", "Redo", ["Ctrl+Shift+Z", "Ctrl+Y"]],
  ["copyBefore", "Copy the pose of a labelled frame before, as guesses", ["C"]],
  ["copyAfter", "Copy the pose of a labelled frame after, as guesses", ["Shift+C"]],
  ["swapAll", "Swap left and right", ["T"]],
  ["swapOne", "Swap this bodypart with its partner", ["Shift+T"]],
  ["revert", "Frame back to how it was", ["R"]],
  ["nextUndone", "Next frame that is not done", ["E"]],
  ["previousUndone", "Previous frame that is not done", ["Shift+E"]],
  ["tenBack", "Ten frames back", [","]],
  ["tenOn", "Ten frames on", ["."]],
  ["goTo", "Go to a frame by its number", ["G"]],
  ["videoBack", "The frame before it in the video", ["["]],
  ["videoOn", "The frame after it in the video", ["]"]],
  ["videoPlay", "Play the video around it", ["P"]],
  ["videoAdd", "Put the frame of the video that is shown into the set", ["Enter"]],
  ["hold", "Hide the marks, as long as it is held", ["Q"]],
  ["loupe", "Magnifier, as long as it is held", ["Z"]],
  ["zoomIn", "Zoom in", ["+", "="]],
  ["zoomOut", "Zoom out", ["-"]],
  ["fit", "Whole image", ["0"]],
  ["oneToOne", "A pixel of the image on a pixel of the screen", ["H"]],
  ["mode", "What a click does: change it", ["M"]],
  ["display", "Brightness, contrast, sizes", ["B"]],
  ["left", "Move the bodypart by 1 px (Shift: 10, Alt: 0.1)", ["ArrowLeft"]],
  ["right", "", ["ArrowRight"]],
  ["up", "", ["ArrowUp"]],
  ["down", "", ["ArrowDown"]],
  ["escape", "Take a drag back, close what is open", ["Escape"]],
  ["help", "This help", ["?"]],
];
const NUDGES = new Set(["left", "right", "up", "down"]);

export function nameKey(event) {
  let { key } = event;
  if (key === " ") key = "Space";
  const isLetter = /^Key[A-Z]$/.test(event.code) && !/^[\x20-\x7e]$/.test(key) && key.length === 1;
  if (isLetter) key = event.code.slice(3); // keyboards of other scripts
  const isSymbol = key.length === 1 && !/[a-z]/i.test(key);
  if (key.length === 1) key = key.toUpperCase();
  const shift = event.shiftKey && !isSymbol ? "Shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift}${key}`;
}

export class Keys {
  constructor() {
    this.reset(false);
    try {
      Object.assign(this.keys, JSON.parse(localStorage.getItem(STORED) ?? "{}"));
    } catch { /* they cannot be kept, or are none */ }
  }

  reset(isForgotten = true) {
    this.keys = Object.fromEntries(COMMANDS.map(([name, , keys]) => [name, [...keys]]));
    if (isForgotten) this.keep();
  }

  // Give a command a key, taken from whoever has it; `place` is which of its keys it replaces.
  set(command, place, key) {
    for (const keys of Object.values(this.keys)) {
      const at = keys.indexOf(key);
      if (at >= 0) keys.splice(at, 1);
    }
    this.keys[command].splice(place, 1, key);
    this.keep();
  }

  keep() {
    try {
      localStorage.setItem(STORED, JSON.stringify(this.keys));
    } catch { /* until the page is closed, then */ }
  }

  // The command of a pressed key, {command, digit, step}; null if there is none.
  find(event) {
    const key = nameKey(event);
    for (const [command, keys] of Object.entries(this.keys)) {
      if (keys.includes(key)) return { command, step: 1 };
    }
    const bare = key.replace(/^(Ctrl\+|Alt\+|Shift\+)/, "");
    for (const command of NUDGES) {
      if (this.keys[command].includes(bare) && !event.ctrlKey) {
        return { command, step: event.shiftKey ? 10 : event.altKey ? 0.1 : 1 };
      }
    }
    const digit = /^Digit([1-9])$/.exec(event.code);
    if (digit && !event.ctrlKey && !event.altKey && !event.metaKey) return { command: "digit", digit: Number(digit[1]) };
    return null;
  }
}
