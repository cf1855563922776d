// One <audio>, a waveform to seek in, and the keys of a tape deck. Sound comes from the API as it is decompressed;
// the waveform from its peaks, where the format has any.

import { explain, isTyping } from "./shared.js";

const player = document.getElementById("player");
const element = (name) => document.getElementById(`player-${name}`);
const audio = element("audio");
const wave = element("wave");
const canvas = wave.querySelector("canvas");
const toggle = element("toggle");
const [playIcon, pauseIcon] = toggle.querySelectorAll("svg");
const SPEEDS = [...element("speed").options].map((option) => option.value);
const STEP_S = 5;

let peaks = null; // of each channel, numbers from 0 to 1
let source = null; // the element whose data-… attributes are being played
let length = 0; // seconds

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// --- Loading ---------------------------------------------------------------------------------------------------------

function load(from) {
  source = from;
  peaks = null;
  length = Number(from.dataset.duration || 0) / 1000;
  player.hidden = false;
  element("problem").hidden = true;
  element("what").textContent = title(from);
  if (element("details")) element("details").href = from.dataset.details;
  if (element("download")) element("download").href = from.dataset.download;
  const type = from.dataset.type;
  if (type && !audio.canPlayType(type)) {
    audio.removeAttribute("src");
    fail(`This browser cannot play ${type}: download it instead.`);
  } else {
    audio.src = from.dataset.media;
  }
  audio.playbackRate = Number(element("speed").value);
  show();
  fetchPeaks(from);
}

function title(from) {
  const time = from.closest("tr")?.querySelector("time")?.textContent ?? "";
  return [time, from.dataset.parties].filter(Boolean).join(" · ");
}

async function fetchPeaks(from) {
  if (from.dataset.type !== "audio/wav") return; // only uncompressed sound has peaks
  try {
    const reply = await fetch(from.dataset.peaks, { headers: { Accept: "application/json" } });
    if (!reply.ok || source !== from) return;
    const told = await reply.json();
    const loudest = Math.max(...told.peaks.flat(), 1); // the loudest sample fills the height
    peaks = told.peaks.map((channel) => channel.map((level) => level / loudest));
    draw();
  } catch {
    // No waveform: the plain bar stays.
  }
}

function fail(text) {
  element("problem").textContent = text;
  element("problem").hidden = false;
  show();
}

audio.addEventListener("error", async () => {
  if (!audio.getAttribute("src")) return;
  try {
    const reply = await fetch(audio.src, { headers: { Range: "bytes=0-0", Accept: "application/json" } });
    fail(reply.ok ? "This browser cannot play this recording: download it instead." : await explain(reply));
  } catch {
    fail("The server does not answer.");
  }
});

// --- Playing ---------------------------------------------------------------------------------------------------------

async function playPause() {
  if (!audio.getAttribute("src")) return;
  if (!audio.paused) {
    audio.pause();
    return;
  }
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "NotAllowedError") fail("The browser wants another click before it plays.");
  }
}

function duration() {
  return Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : length;
}

function seek(seconds) {
  const end = duration();
  if (!end || !audio.getAttribute("src")) return;
  const to = Math.min(Math.max(seconds, 0), end);
  if (audio.readyState === 0) {
    // Nothing is known of the file yet: ask for its head, then go there.
    audio.addEventListener("loadedmetadata", () => (audio.currentTime = to), { once: true });
    audio.preload = "metadata";
    audio.load();
  } else {
    audio.currentTime = to;
  }
  show(to);
}

function setSpeed(step) {
  const speed = element("speed");
  const next = Math.min(Math.max(SPEEDS.indexOf(speed.value) + step, 0), SPEEDS.length - 1);
  speed.value = SPEEDS[next];
  speed.dispatchEvent(new Event("change"));
}

toggle.addEventListener("click", playPause);
element("speed").addEventListener("change", () => {
  audio.playbackRate = Number(element("speed").value);
  try {
    localStorage.setItem("recordings-speed", element("speed").value);
  } catch {
    // Without storage the next page begins at normal speed.
  }
});
element("close")?.addEventListener("click", () => {
  audio.pause();
  audio.removeAttribute("src");
  source = null;
  player.hidden = true;
  show();
});

// --- Showing ---------------------------------------------------------------------------------------------------------

function show(at = audio.currentTime || 0) {
  const end = duration();
  const paused = audio.paused;
  toggle.setAttribute("aria-label", paused ? "Play" : "Pause");
  playIcon.style.display = paused ? "" : "none";
  pauseIcon.style.display = paused ? "none" : "";
  element("now").textContent = clock(at);
  element("length").textContent = end ? clock(end) : "–";
  wave.setAttribute("aria-valuemax", String(Math.round(end)));
  wave.setAttribute("aria-valuenow", String(Math.round(at)));
  wave.setAttribute("aria-valuetext", `${clock(at)} of ${clock(end)}`);
  wave.toggleAttribute("aria-disabled", !audio.getAttribute("src") || !end);
  for (const button of document.querySelectorAll("button[data-media]")) {
    const mine = button === source;
    button.closest("tr").classList.toggle("playing", mine);
    button.classList.toggle("playing", mine && !paused);
    button.setAttribute("aria-label", mine && !paused ? "Pause" : "Play");
    button.querySelector("path").setAttribute("d", mine && !paused ? "M7 5h4v14H7zM14 5h4v14h-4z" : "M8 5.5v13l11-6.5z");
  }
  draw(at);
}

function draw(at = audio.currentTime || 0) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [wave.clientWidth, wave.clientHeight];
  if (!width) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const style = getComputedStyle(wave);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const [done, rest] = [style.getPropertyValue("outline-color"), style.getPropertyValue("color")];
  const end = duration();
  const edge = end ? (at / end) * width : 0;
  if (peaks) {
    const lane = height / peaks.length; // a lane for each party
    peaks.forEach((channel, number) => {
      for (let x = 0; x < width; x += 3) {
        const from = Math.floor((x / width) * channel.length);
        const to = Math.max(from + 1, Math.floor(((x + 3) / width) * channel.length));
        const tall = Math.max(1, Math.max(0, ...channel.slice(from, to)) * (lane - 2));
        pen.fillStyle = x < edge ? done : rest;
        pen.fillRect(x, number * lane + (lane - tall) / 2, 2, tall);
      }
    });
  } else {
    pen.fillStyle = rest;
    pen.fillRect(0, height / 2 - 2, width, 4);
    pen.fillStyle = done;
    pen.fillRect(0, height / 2 - 2, edge, 4);
  }
  pen.fillStyle = done;
  if (end && audio.getAttribute("src")) pen.fillRect(Math.min(edge, width - 2), 0, 2, height);
}

for (const name of ["timeupdate", "play", "pause", "ended", "durationchange", "seeked", "emptied"]) {
  audio.addEventListener(name, () => show());
}
// `timeupdate` comes four times a second: between two, the line moves with the screen.
(function follow() {
  if (!audio.paused) draw();
  requestAnimationFrame(follow);
})();
new ResizeObserver(() => draw()).observe(wave);
new MutationObserver(() => draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

// --- Mouse, touch and keys -------------------------------------------------------------------------------------------

const position = (event) => {
  const box = wave.getBoundingClientRect();
  return ((event.clientX - box.left) / box.width) * duration();
};
wave.addEventListener("pointerdown", (event) => {
  wave.setPointerCapture(event.pointerId);
  seek(position(event));
});
wave.addEventListener("pointermove", (event) => {
  if (wave.hasPointerCapture(event.pointerId)) seek(position(event));
});

const KEYS = {
  " ": playPause,
  ArrowLeft: () => seek(audio.currentTime - STEP_S),
  ArrowRight: () => seek(audio.currentTime + STEP_S),
  Home: () => seek(0),
  End: () => seek(duration()),
  PageUp: () => seek(audio.currentTime + 30),
  PageDown: () => seek(audio.currentTime - 30),
  "<": () => setSpeed(-1),
  ">": () => setSpeed(1),
};

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented || isTyping(event.target)) return;
  const onSlider = event.target === wave;
  if (event.key === " ") {
    if (event.target.closest?.("button, a, summary")) return; // these take the space themselves
    const row = event.target.closest?.("tr");
    const play = row?.querySelector("button[data-media]");
    if (play && play !== source) {
      event.preventDefault();
      play.click();
      return;
    }
  }
  if (player.hidden) return;
  if (/^[0-9]$/.test(event.key)) {
    seek((duration() * Number(event.key)) / 10);
    event.preventDefault();
  } else if (KEYS[event.key]) {
    if (["Home", "End", "PageUp", "PageDown"].includes(event.key) && !onSlider) return; // the page scrolls
    KEYS[event.key]();
    event.preventDefault();
  } else if (onSlider && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    seek(audio.currentTime + (event.key === "ArrowUp" ? STEP_S : -STEP_S));
    event.preventDefault();
  }
});

for (const button of document.querySelectorAll("button[data-media]")) {
  button.addEventListener("click", () => {
    if (button !== source) load(button);
    playPause();
  });
}

try {
  const kept = localStorage.getItem("recordings-speed");
  if (SPEEDS.includes(kept)) element("speed").value = kept;
} catch {
  // No storage: normal speed.
}
const waiting = document.querySelector("[data-autoload]");
if (waiting) load(waiting);
