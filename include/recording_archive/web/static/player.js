// One <audio> or <video>, a waveform to seek in, and the keys of a tape deck. Sound comes from the API as it is
// decompressed, or decoded where the browser cannot play it; the waveform from its peaks. A call of two channels has a
// lane for each side, which can be muted: Genesys writes the outside party on the first, agents on the second.

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
const JUMP_S = 10;
const QUIET = 0.03; // of the loudest sample; less is silence
const SILENCE_S = 1.5; // what is shorter is a pause between words

let peaks = null; // of each channel, numbers from 0 to 1
let silences = []; // [from, to] in seconds
let mixer = null; // of the sides, once one was muted
let decoded = false; // what plays is the decoded sound
let skipping = false;
let source = null; // the element whose data-… attributes are being played
let length = 0; // seconds

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function seconds(text) {
  const found = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)s?$/.exec(text.trim());
  return found ? Number(found[1] ?? 0) * 3600 + Number(found[2] ?? 0) * 60 + Number(found[3]) : null;
}

// --- Loading ---------------------------------------------------------------------------------------------------------

function load(from) {
  source = from;
  peaks = null;
  silences = [];
  decoded = false;
  length = Number(from.dataset.duration || 0) / 1000;
  player.hidden = false;
  element("problem").hidden = true;
  if (element("what")) element("what").textContent = title(from);
  if (element("details")) element("details").href = from.dataset.details;
  if (element("download")) {
    element("download").hidden = !from.dataset.download;
    if (from.dataset.download) element("download").href = from.dataset.download;
  }
  const type = from.dataset.type;
  if (type && !audio.canPlayType(type)) {
    audio.removeAttribute("src");
    playDecoded(`This browser cannot play ${type}`);
  } else {
    audio.src = from.dataset.media;
  }
  setRate();
  showLanes();
  show();
  fetchPeaks(from);
}

function title(from) {
  const time = from.closest("tr")?.querySelector("time")?.textContent ?? "";
  return [time, from.dataset.parties].filter(Boolean).join(" · ");
}

async function fetchPeaks(from) {
  try {
    const reply = await fetch(from.dataset.peaks, { headers: { Accept: "application/json" } });
    if (!reply.ok || source !== from) return;
    const wave = await reply.json();
    const loudest = Math.max(...wave.peaks.flat(), 1); // the loudest sample fills the height
    peaks = wave.peaks.length ? wave.peaks.map((channel) => channel.map((level) => level / loudest)) : null;
    if (!length) length = wave.durationMs / 1000;
    silences = findSilences();
    element("skip").hidden = !silences.length;
    showLanes();
    show();
  } catch {
    // No waveform: the plain bar stays.
  }
}

// What the browser cannot play comes decoded, as plain samples; where that cannot be had either, it says why.
async function playDecoded(why) {
  const from = source;
  if (decoded || !from) return;
  decoded = true;
  const address = `${from.dataset.media}&decoded=true`;
  try {
    const reply = await fetch(address, { headers: { Range: "bytes=0-43", Accept: "application/json" } });
    if (source !== from) return;
    if (!reply.ok) return fail(`${why}. ${await explain(reply)} Download it instead.`);
    const place = audio.currentTime;
    audio.src = address;
    setRate();
    if (place) seek(place);
    if (wanted) await play();
    show();
  } catch {
    fail("The server does not answer.");
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
    if (reply.ok) await playDecoded("This browser cannot play this recording");
    else fail(await explain(reply));
  } catch {
    fail("The server does not answer.");
  }
});

// --- Playing ---------------------------------------------------------------------------------------------------------

let wanted = false; // whether the reader wants to hear it, also while it cannot be played yet

function playPause() {
  wanted = audio.paused;
  if (!audio.getAttribute("src")) return;
  if (wanted) play();
  else audio.pause();
}

async function play() {
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "NotAllowedError") fail("The browser wants another click before it plays.");
  }
}

function duration() {
  return Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : length;
}

let beyond = null; // a place that lies behind the end that the browser knows of so far

function seek(to) {
  if (!audio.getAttribute("src")) return;
  const end = duration();
  const place = Math.min(Math.max(to, 0), end || to);
  beyond = null;
  if (audio.readyState === 0) {
    // Nothing is known of the file yet: ask for its head, unless it is being played, then go there.
    audio.addEventListener("loadedmetadata", () => seek(to), { once: true });
    if (audio.paused) {
      audio.preload = "metadata";
      audio.load();
    }
  } else {
    if (to > audio.duration) beyond = to;
    audio.currentTime = place;
  }
  show(place);
}

// The length of an Ogg file is a guess until its last page was read: what lies behind it is gone to when it is known.
audio.addEventListener("durationchange", () => {
  if (beyond === null || !(audio.duration >= beyond)) return;
  const goOn = wanted;
  seek(beyond);
  if (goOn && audio.paused) play();
});

function setSpeed(step) {
  const speed = element("speed");
  const next = Math.min(Math.max(SPEEDS.indexOf(speed.value) + step, 0), SPEEDS.length - 1);
  speed.value = SPEEDS[next];
  speed.dispatchEvent(new Event("change"));
}

toggle.addEventListener("click", playPause);
function setRate() {
  const rate = element("speed").value;
  audio.playbackRate = Number(rate);
  element("rate").textContent = `${rate}× speed`;
  element("rate").hidden = rate === "1";
}

element("speed").addEventListener("change", () => {
  setRate();
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

// --- Sides and silence -----------------------------------------------------------------------------------------------

// Each side through a gain of its own; made when one is first muted, because a page may not begin with it.
function mix() {
  if (mixer) return mixer;
  const context = new AudioContext();
  const splitter = context.createChannelSplitter(2);
  context.createMediaElementSource(audio).connect(splitter);
  const gains = [0, 1].map((side) => {
    const gain = context.createGain();
    splitter.connect(gain, side);
    gain.connect(context.destination); // on both ears
    return gain;
  });
  mixer = { context, gains };
  return mixer;
}

function showLanes() {
  const lanes = element("lanes");
  const two = peaks?.length === 2;
  lanes.hidden = !two;
  lanes.replaceChildren();
  if (mixer) for (const gain of mixer.gains) gain.gain.value = 1;
  if (!two) return;
  const names = JSON.parse(source.dataset.sides ?? "[]");
  [names[0], names[1]].forEach((name, side) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "lane";
    button.textContent = name && name !== "–" ? name : ["Outside", "Agent"][side];
    button.title = "Mute this side";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", `Mute ${button.textContent}`);
    button.addEventListener("click", () => {
      const mute = button.getAttribute("aria-pressed") === "false";
      const { context, gains } = mix();
      gains[side].gain.value = mute ? 0 : 1;
      context.resume();
      button.setAttribute("aria-pressed", String(mute));
      draw();
    });
    lanes.append(button);
  });
}

function muted(side) {
  return element("lanes").children[side]?.getAttribute("aria-pressed") === "true";
}

function findSilences() {
  const end = duration();
  const count = peaks?.[0].length ?? 0;
  if (!end || !count) return [];
  const found = [];
  let since = null;
  for (let point = 0; point <= count; point += 1) {
    const quiet = point < count && peaks.every((channel) => channel[point] <= QUIET);
    if (quiet && since === null) since = point;
    if (!quiet && since !== null) {
      const [from, to] = [(since / count) * end, (point / count) * end];
      if (to - from >= SILENCE_S) found.push([from, to]);
      since = null;
    }
  }
  return found;
}

element("skip").addEventListener("click", () => {
  skipping = !skipping;
  element("skip").setAttribute("aria-pressed", String(skipping));
});

function skipSilence() {
  if (!skipping || audio.paused || audio.seeking) return;
  const at = audio.currentTime;
  const silence = silences.find(([from, to]) => at > from + 0.3 && at < to - 0.3);
  if (silence) audio.currentTime = silence[1] - 0.2;
}

// --- Showing ---------------------------------------------------------------------------------------------------------

function show(at = audio.currentTime || 0) {
  const end = duration();
  const paused = audio.paused;
  toggle.setAttribute("aria-label", paused ? "Play" : "Pause");
  playIcon.style.display = paused ? "" : "none";
  pauseIcon.style.display = paused ? "none" : "";
  if (document.activeElement !== element("now")) element("now").value = clock(at);
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
      pen.globalAlpha = muted(number) ? 0.25 : 1;
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
  pen.globalAlpha = 1;
  pen.fillStyle = done;
  if (end && audio.getAttribute("src")) pen.fillRect(Math.min(edge, width - 2), 0, 2, height);
}

audio.addEventListener("ended", () => (wanted = false));
for (const name of ["timeupdate", "play", "pause", "ended", "durationchange", "seeked", "emptied"]) {
  audio.addEventListener(name, () => show());
}
// `timeupdate` comes four times a second: between two, the line moves with the screen.
(function follow() {
  if (!audio.paused) draw();
  skipSilence();
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
  const end = duration();
  const hover = element("hover");
  hover.hidden = !end;
  if (!end) return;
  const at = Math.min(Math.max(position(event), 0), end);
  hover.textContent = clock(at);
  hover.style.left = `${(at / end) * 100}%`;
});
wave.addEventListener("pointerleave", () => (element("hover").hidden = true));

const now = element("now");
now.addEventListener("focus", () => now.select());
now.addEventListener("keydown", (event) => {
  if (event.key === "Escape") now.blur();
  if (event.key !== "Enter") return;
  event.preventDefault();
  const to = seconds(now.value);
  now.setAttribute("aria-invalid", String(to === null));
  if (to === null) return now.select();
  now.blur();
  seek(to);
});
now.addEventListener("blur", () => {
  now.removeAttribute("aria-invalid");
  show();
});

const KEYS = {
  " ": playPause,
  ArrowLeft: () => seek(audio.currentTime - STEP_S),
  ArrowRight: () => seek(audio.currentTime + STEP_S),
  Home: () => seek(0),
  End: () => seek(duration()),
  PageUp: () => seek(audio.currentTime + 30),
  PageDown: () => seek(audio.currentTime - 30),
  k: playPause,
  j: () => seek(audio.currentTime - JUMP_S),
  l: () => seek(audio.currentTime + JUMP_S),
  t: () => now.focus(),
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
if (waiting) {
  load(waiting);
  const start = seconds(new URLSearchParams(location.search).get("t") ?? "");
  if (start) seek(start);
}
