// The model in the loop: it is trained on what is labelled, and guesses the rest.

import { sendJson } from "./net.js";
import { byId, write } from "./panels.js";

const MORE = 20; // frames
const PIXELS = { minimumFractionDigits: 1, maximumFractionDigits: 1 };

export const isBusy = ({ state }) => ["training", "choosing", "guessing"].includes(state);

export class Model {
  constructor(store, banner) {
    Object.assign(this, { store, banner });
    this.about = { state: "idle" };
    byId("train").addEventListener("click", () => this.start({ train: Number(byId("minutes").value) }));
    byId("suggest").addEventListener("click", () => this.start({ suggest: MORE }));
    byId("suggest").hidden = !store.session.has_videos;
  }

  async start(job) {
    this.banner("job", null);
    try {
      if (isBusy(this.about)) await sendJson("DELETE", "api/job", {});
      else await sendJson("POST", "api/job", job);
    } catch (error) {
      this.banner("job", error.message);
    }
    byId("stage").focus();
  }

  show(about) {
    const before = this.about.state;
    this.about = about;
    if (about.state === "failed" && before !== "failed") this.banner("job", `It failed. ${about.said}`);
    this.draw();
  }

  draw() {
    const { state, share } = this.about;
    const missing = this.store.session.least_labelled - this.store.letters.filter((letter) => letter === "d" || letter === "b").length;
    const busy = isBusy(this.about);
    const button = byId("train");
    write(button, busy ? "Stop" : "Train");
    button.disabled = !busy && (missing > 0 || this.store.isReadOnly);
    byId("minutes").disabled = busy;
    byId("suggest").disabled = busy || this.store.isReadOnly;
    const bar = byId("job-bar");
    bar.hidden = !busy;
    if (state === "training" && share) bar.value = share;
    else bar.removeAttribute("value");
    write(byId("job-text"), this.describe(Math.max(missing, 0)));
  }

  describe(missing) {
    const { state, minutes_left: left } = this.about;
    if (state === "training" && left === undefined) return "The training is getting ready.";
    if (state === "training") return `${formatTime(left)} left. ${this.describeError()}`;
    if (state === "choosing") return "Frames of the video are being chosen.";
    if (state === "guessing") return `${this.describeError()} Guesses are coming.`;
    if (missing) return `Label ${missing} more ${missing === 1 ? "frame" : "frames"} to train.`;
    if (state === "done" || state === "stopped") return `${this.describeError()} Correct the guesses, then train again.`;
    return "Train on what is labelled; guesses for the rest follow.";
  }

  describeError() {
    const { error, before, n_kept_back: n } = this.about;
    if (!n || error === null || error === undefined) return "";
    const than = before ? `, ${before.toLocaleString("en", PIXELS)} before` : "";
    return `${n} ${n === 1 ? "frame" : "frames"} kept back: ${error.toLocaleString("en", PIXELS)} px off${than}.`;
  }
}

function formatTime(minutes) {
  const seconds = Math.round(minutes * 60);
  return seconds < 100 ? `${seconds} s` : `${Math.round(minutes)} min`;
}
