// Talks to the server. Edits wait in the browser's storage until the server has them on its disk:
// they outlive a server that is gone, and a page that is closed.

const FORMAT = 3;
const MOST = 200; // edits of a message
const TRIES = [500, 1000, 2000, 5000, 10000]; // milliseconds between two

async function ask(path, options) {
  const response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  if (response.ok) return response;
  const text = await response.text();
  let said = text;
  try {
    said = JSON.parse(text).error;
  } catch { /* it is plain text */ }
  throw Object.assign(new Error(said || response.statusText), { status: response.status });
}

export async function getJson(path) {
  return (await ask(path)).json();
}

export async function sendJson(method, path, message) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method, headers, body: JSON.stringify(message) })).json();
}

export async function getSession() {
  const session = await getJson("api/session");
  if (session.format !== FORMAT) throw new Error("The server is of another version. Load the page anew.");
  return session;
}

export async function getBitmap(path, options) {
  const response = await ask(path, options);
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
}

// Images, decoded, those that were used last; at most `most`, since each takes its size in memory.
export class Images {
  constructor(stamp, most = 8) {
    this.stamp = stamp;
    this.most = most;
    this.ready = new Map();
    this.coming = new Map();
  }

  get(frame) {
    const image = this.ready.get(frame);
    if (image) {
      this.ready.delete(frame);
      this.ready.set(frame, image);
    }
    return image;
  }

  load(frame) {
    const image = this.get(frame);
    if (image) return Promise.resolve(image);
    if (!this.coming.has(frame)) {
      const coming = this.fetch(frame).then((bitmap) => this.keep(frame, bitmap));
      this.coming.set(frame, coming.finally(() => this.coming.delete(frame)));
    }
    return this.coming.get(frame);
  }

  fetch(frame, crop = "") {
    return getBitmap(`api/frames/${frame}/image?set=${this.stamp}${crop}`, { cache: "default" });
  }

  part(frame, part) {
    return this.fetch(frame, `&crop=${part.join(",")}`);
  }

  keep(frame, bitmap) {
    this.ready.set(frame, bitmap);
    while (this.ready.size > this.most) {
      const [oldest, image] = this.ready.entries().next().value;
      this.ready.delete(oldest);
      image.close();
    }
    return bitmap;
  }
}

// Edits on their way. `onChange(state)` hears of {waiting, trouble, isStored}, `onDone(edit, done)`
// what became of each.
export class Queue {
  constructor(stamp, { onChange, onDone }) {
    this.prefix = `skpose:${stamp}:`;
    this.client = crypto.getRandomValues(new Uint32Array(3)).join("-");
    this.user = "";
    this.number = 0;
    this.edits = [];
    this.trouble = null;
    this.isStored = true;
    this.nTries = 0;
    this.sending = null;
    this.onChange = onChange;
    this.onDone = onDone;
    this.adopt();
    addEventListener("online", () => this.send());
  }

  // Take over what pages have left that were closed. A page that is open sends the same, and the
  // server does it once.
  adopt() {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(this.prefix));
      this.edits = names.map((name) => JSON.parse(localStorage.getItem(name)));
      const begun = {}; // of each page; numbers tell the order in it, whatever becomes of the clock
      for (const { client, time } of this.edits) begun[client] = Math.min(begun[client] ?? time, time);
      const order = ({ client }) => `${begun[client]} ${client}`;
      this.edits.sort((a, b) => order(a).localeCompare(order(b)) || a.number - b.number);
    } catch {
      this.isStored = false;
    }
  }

  nameOf(edit) {
    return `${this.prefix}${edit.client}:${edit.number}`;
  }

  add(set, base) {
    this.number += 1;
    const edit = { client: this.client, user: this.user, number: this.number, time: Date.now(), base, set };
    this.edits.push(edit);
    try {
      localStorage.setItem(this.nameOf(edit), JSON.stringify(edit));
    } catch {
      this.isStored = false; // full, or forbidden
    }
    this.changed();
    this.send();
  }

  of(frame) {
    return this.edits.flatMap((edit) => edit.set.filter(([image]) => image === frame));
  }

  changed() {
    this.onChange({ waiting: this.edits.length, trouble: this.trouble, isStored: this.isStored });
  }

  // Settles when no message is on its way.
  async sent() {
    await this.sending;
  }

  send() {
    if (this.sending || !this.edits.length) return;
    clearTimeout(this.timer);
    this.sending = this.sendAll().finally(() => {
      this.sending = null;
      this.changed();
      if (!this.trouble) this.send(); // what came at the last moment
    });
  }

  async sendAll() {
    try {
      while (this.edits.length) await this.sendSome();
      this.trouble = null;
      this.nTries = 0;
    } catch (error) {
      this.trouble = { status: error.status ?? 0, message: error.message };
      const wait = TRIES[Math.min(this.nTries, TRIES.length - 1)];
      this.nTries += 1;
      this.timer = setTimeout(() => this.send(), wait);
    }
  }

  async sendSome(most = MOST) {
    const { client } = this.edits[0];
    const end = this.edits.findIndex((edit) => edit.client !== client);
    const some = this.edits.slice(0, end < 0 ? most : Math.min(end, most));
    let answer;
    try {
      answer = await this.post(client, some);
    } catch (error) {
      if (error.status !== 400) throw error;
      // One of them is none: it is found by sending them one by one, and holds up no other.
      if (some.length > 1) await this.sendSome(1);
      else this.drop(some[0], error);
      return;
    }
    for (const done of answer.done) {
      const edit = some.find(({ number }) => String(number) === done.key);
      this.remove(edit);
      this.onDone(edit, done);
    }
    this.changed();
  }

  async post(client, some) {
    const edits = some.map(({ number, user = "", base, set }) => ({ key: String(number), user, base, set }));
    return sendJson("POST", "api/edits", { client, edits });
  }

  drop(edit, error) {
    this.remove(edit);
    this.onDone(edit, { refused: error.message, conflicts: [] });
  }

  remove(edit) {
    this.edits = this.edits.filter((other) => other !== edit);
    try {
      localStorage.removeItem(this.nameOf(edit));
    } catch { /* it was never there */ }
  }
}
