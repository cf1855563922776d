// What every page does: times in the reader's zone, copying, keyboard in tables, tidy addresses, decisions.
// Nothing here builds HTML from text: values only ever become textContent or attributes.

import { explain, isTyping, toast } from "./shared.js";

const root = document.body.dataset.root;

// --- Times -----------------------------------------------------------------------------------------------------------

// The zone of the page, in which its days begin; else the one that the reader chose in Airflow, which keeps it in this
// origin's storage; else the browser's own.
function zone() {
  if (document.body.dataset.zoneOfPage) return document.body.dataset.zoneOfPage;
  try {
    const chosen = JSON.parse(localStorage.getItem("timezone") ?? "null");
    if (chosen) {
      new Intl.DateTimeFormat("en", { timeZone: chosen });
      return chosen;
    }
  } catch {
    // No storage, or a name this browser does not know.
  }
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function parts(format, date) {
  return Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
}

function showTimes() {
  const timeZone = zone();
  const fields = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, hourCycle: "h23", ...fields });
  const name = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "short" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    if (!time.dateTime.includes("T")) continue; // a day in UTC, whose time is not known: no zone may move it
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    const { year, month, day, hour, minute, second } = parts(format, date);
    const text = `${year}-${month}-${day} ${hour}:${minute}:${second}`;
    const full = `${text} ${parts(name, date).timeZoneName}`;
    if ("title" in time.dataset) time.title = full;
    else {
      time.textContent = text;
      time.title = `${full}, ${date.toISOString()}`;
    }
  }
  for (const label of document.querySelectorAll("[data-zone]")) {
    label.textContent = `(${parts(name, new Date()).timeZoneName})`;
    label.title = timeZone;
  }
}

// Days that are asked for here begin in the zone whose times are shown.
function nameZone() {
  const name = zone();
  for (const label of document.querySelectorAll("[data-zone-name]")) label.textContent = name;
  for (const field of document.querySelectorAll("[data-zone-field]")) field.value = name;
  for (const link of document.querySelectorAll("a[data-preset]")) {
    const address = new URL(link.href);
    address.searchParams.set("zone", name);
    link.href = address.href;
  }
}

showTimes();
nameZone();
window.addEventListener("storage", (event) => event.key === "timezone" && showTimes());

// --- Copying ---------------------------------------------------------------------------------------------------------

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Airflow's frame does not delegate the clipboard, and plain http has none: the old way works in both.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "hidden-text";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("not allowed to copy");
  }
}

document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) window.print(); });
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const focused = document.activeElement;
  try {
    await copy(button.dataset.copy);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
    toast("Copied");
  } catch {
    toast("This browser does not allow copying: select the text instead");
  }
  focused?.focus({ preventScroll: true });
});

// A link to what is open: without the search that led here, with the place where the player stands.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-address]");
  if (!button) return;
  const address = new URL(location.href);
  for (const name of ["search", "t"]) address.searchParams.delete(name);
  const at = Math.floor(document.getElementById("player-audio")?.currentTime ?? 0);
  if (at) address.searchParams.set("t", String(at));
  try {
    await copy(address.href);
    toast(at ? `Copied, with the place ${Math.floor(at / 60)}:${String(at % 60).padStart(2, "0")}` : "Copied");
  } catch {
    toast("This browser does not allow copying: select the address instead");
  }
  button.focus({ preventScroll: true });
});

// --- Moving about ----------------------------------------------------------------------------------------------------

function choose(row) {
  if (!row) return;
  for (const other of row.parentElement.querySelectorAll("tr[tabindex]")) other.removeAttribute("tabindex");
  row.tabIndex = 0;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  if (event.target.id === "q" && event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  if (isTyping(event.target)) return;
  if (event.key === "/" && document.getElementById("q")) {
    event.preventDefault();
    document.getElementById("q").select();
    return;
  }
  if (event.target.getAttribute?.("role") === "slider") return;
  const table = document.querySelector("table[data-rows] tbody");
  const row = event.target.closest?.("table[data-rows] tbody tr");
  if (!table) return;
  if (event.key === "ArrowDown") {
    event.preventDefault();
    choose(row ? row.nextElementSibling : table.firstElementChild);
  } else if (event.key === "ArrowUp" && row) {
    event.preventDefault();
    choose(row.previousElementSibling);
  } else if (event.key === "Enter" && row && event.target === row) {
    row.querySelector("a[data-open]")?.click();
  }
});

// "Search" leads back to the results one came from, at the place one left them.
for (const link of document.querySelectorAll("a[data-back]")) {
  link.addEventListener("click", (event) => {
    const before = document.referrer || sessionStorage.getItem("recordings-search");
    const search = new URL(root, location.href).href;
    if (before && before.startsWith(search) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      location.href = before;
    }
  });
}
if (document.querySelector("form[data-clean]")) {
  try {
    sessionStorage.setItem("recordings-search", location.href);
  } catch {
    // Without storage the link leads to the empty search.
  }
}

// In Airflow's frame a link to another page of Airflow must move the whole window, which the frame's own may not.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-outer]");
  if (!link || !document.documentElement.classList.contains("framed") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const outer = window.parent.document.createElement("a");
  outer.href = link.href;
  window.parent.document.body.append(outer);
  outer.click();
  outer.remove();
});

// --- Narrow screens --------------------------------------------------------------------------------------------------

// On a phone each row is a card (app.css), in which a value needs the name of its column; the first is the card's title.
for (const table of document.querySelectorAll("main table:not(.results)")) {
  const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  for (const row of table.tBodies[0]?.rows ?? []) {
    [...row.cells].forEach((cell, number) => {
      if (number && names[number] && !cell.querySelector("button")) cell.dataset.label ??= names[number];
    });
  }
  table.classList.add("stack");
}

// Tabs that do not fit go on at an edge, and say so by fading there; the open one is in sight.
for (const tabs of document.querySelectorAll(".tabs, .subtabs")) {
  const edges = () => {
    tabs.classList.toggle("came-from", tabs.scrollLeft > 2);
    tabs.classList.toggle("goes-on", tabs.scrollLeft + tabs.clientWidth < tabs.scrollWidth - 2);
  };
  const open = tabs.querySelector("[aria-current]");
  if (open) tabs.scrollLeft = open.offsetLeft - (tabs.clientWidth - open.offsetWidth) / 2;
  tabs.addEventListener("scroll", edges, { passive: true });
  new ResizeObserver(edges).observe(tabs);
  edges();
}

// --- Searching -------------------------------------------------------------------------------------------------------

const LONGEST_ADDRESS = 60_000; // servers refuse requests whose first line is longer than 64 KiB

function busy() {
  if (document.querySelector(".busy-line")) return;
  const line = document.createElement("div");
  line.className = "busy-line";
  document.body.append(line);
}

for (const form of document.querySelectorAll("form[data-clean]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      const text = value.trim().replace(/[\r\n]+/g, " ");
      if (text) fields.append(name, text);
    }
    const usual = form.querySelector("[data-usual]")?.dataset.usual;
    if (fields.getAll("columns").join(" ") === usual) fields.delete("columns");
    if (!["from", "to", "notVerifiedSince"].some((name) => fields.has(name))) fields.delete("zone"); // no day, no zone
    if (fields.toString().length > LONGEST_ADDRESS) {
      toast("These are too many ids for one search: try some 1,500 at a time");
      return;
    }
    const address = new URL(form.getAttribute("action"), location.href);
    address.search = fields.toString();
    busy();
    location.href = address.href;
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || link.hasAttribute("download") || "outer" in link.dataset || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!link.getAttribute("href").startsWith("#")) busy();
});
window.addEventListener("pageshow", () => document.querySelector(".busy-line")?.remove());

// --- Tabs ------------------------------------------------------------------------------------------------------------

// Links that need no script; with one the panel changes in place, so that what plays goes on.
for (const link of document.querySelectorAll("a[data-tab]")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    for (const other of document.querySelectorAll("a[data-tab]")) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "page");
    for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== link.dataset.tab;
    history.replaceState(history.state, "", link.href);
  });
}

// --- Decisions -------------------------------------------------------------------------------------------------------

// Sends a decision as JSON, with the header that no other site can send; throws what a person can read.
async function send(address, body) {
  const headers = { "Content-Type": "application/json", "X-Recording-Archive": "1" };
  const reply = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(await explain(reply));
  return reply;
}

// Runs one decision of a form: its button waits, and what goes wrong is shown in the form.
async function decide(form, action) {
  const [button] = form.querySelectorAll("button.main");
  const problem = form.querySelector("[data-problem]");
  button.disabled = true;
  problem.hidden = true;
  try {
    await action();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    button.disabled = false;
  }
}

// A button with `data-decide` opens the dialog of that name, which asks for a reason, if it has a field for one, and sends
// it to `data-post`: with `data-each` once for each chosen row, so that one that is refused costs itself alone.
for (const button of document.querySelectorAll("[data-decide]")) {
  button.addEventListener("click", () => {
    const dialog = document.getElementById(button.dataset.decide);
    const form = dialog.querySelector("form");
    const rows = "each" in button.dataset ? boxes.filter((box) => box.checked) : [button];
    const subject = rows.length === 1 ? rows[0].dataset.interaction ?? button.dataset.subject : `Each of ${rows.length}`;
    for (const place of dialog.querySelectorAll("[data-subject]")) place.textContent = subject;
    form.querySelector("[data-problem]").hidden = true;
    form.reset();
    form.onsubmit = (event) => {
      event.preventDefault();
      decide(form, async () => {
        const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
        const refused = [];
        for (const row of rows) {
          try {
            await send(button.dataset.post, { ...JSON.parse(row.dataset.body ?? "{}"), ...given });
            if (row !== button) row.checked = false;
          } catch (error) {
            refused.push(error.message);
          }
        }
        const done = rows.length - refused.length;
        if (refused.length) throw new Error(`${done ? `${done} done, ${refused.length} not: ` : ""}${refused[0]}`);
        location.reload();
      });
    };
    dialog.showModal();
  });
}
for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

// --- Choosing rows ---------------------------------------------------------------------------------------------------

const boxes = [...document.querySelectorAll("[data-pick]")];
const bar = document.querySelector("[data-picked]");

// The interactions of the chosen rows.
function chosen() {
  return [...new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.interaction))];
}

function showChosen() {
  const count = boxes.filter((box) => box.checked).length;
  const all = document.querySelector("[data-pick-all]");
  all.checked = count > 0 && count === boxes.length;
  all.indeterminate = count > 0 && count < boxes.length;
  bar.hidden = count === 0;
  bar.querySelector("[data-count]").textContent = `${count} chosen`;
  const hold = bar.querySelector("[data-hold]");
  if (hold) hold.href = hold.dataset.hold + encodeURIComponent(chosen().join(" "));
}

if (bar) {
  let last = null;
  const set = (checked) => {
    for (const box of boxes) box.checked = checked;
    showChosen();
  };
  document.querySelector("[data-pick-all]").addEventListener("change", (event) => set(event.target.checked));
  bar.querySelector("[data-unpick]").addEventListener("click", () => set(false));
  for (const box of boxes) {
    box.addEventListener("click", (event) => {
      if (event.shiftKey && last) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const other of boxes.slice(from, to + 1)) other.checked = box.checked;
      }
      last = box;
      showChosen();
    });
  }
  showChosen(); // a browser that comes back keeps the boxes as they were
}

// Names of agents and queues to choose from; asked for when somebody begins to type one.
for (const list of document.querySelectorAll("datalist[data-names]")) {
  const field = document.querySelector(`input[list="${list.id}"]`);
  field.addEventListener("focus", async () => {
    try {
      const reply = await fetch(`${root}api/names`);
      if (!reply.ok) return;
      for (const name of (await reply.json())[list.dataset.names]) {
        const option = document.createElement("option");
        option.value = name;
        list.append(option);
      }
    } catch {
      // Without them the name is typed.
    }
  }, { once: true });
}

// --- Reading and fetching again --------------------------------------------------------------------------------------

// Runs something behind a button, which waits; what goes wrong is said.
async function during(button, action) {
  button.disabled = true;
  busy();
  try {
    await action();
  } catch (error) {
    toast(error.message);
  } finally {
    button.disabled = false;
    document.querySelector(".busy-line")?.remove();
  }
}

for (const button of document.querySelectorAll("[data-verify]")) {
  button.addEventListener("click", () => during(button, async () => {
    await send(button.dataset.verify, JSON.parse(button.dataset.body));
    location.reload(); // the verdict is what the page says first
  }));
}

// Starts a run of a DAG through Airflow's own API, with the rights that the reader has there.
async function trigger(dag, conf) {
  const airflow = new URL(`${root}../api/v2/dags/${dag}`, location.href).href;
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ logical_date: null, conf });
  const reply = await fetch(`${airflow}/dagRuns`, { method: "POST", headers, body });
  if (reply.status === 403) throw new Error(`You may not trigger ${dag}: ask your Airflow administrator`);
  if (reply.status === 404) throw new Error(`This Airflow has no DAG ${dag}`);
  if (!reply.ok) throw new Error(await explain(reply));
  const answer = await fetch(airflow);
  const paused = answer.ok && (await answer.json()).is_paused;
  return { run: (await reply.json()).dag_run_id, paused };
}

for (const button of document.querySelectorAll("[data-trigger]")) {
  button.addEventListener("click", () => during(button, async () => {
    const { trigger: dag, conf, picks } = button.dataset;
    const { run, paused } = await trigger(dag, picks ? { [picks]: chosen() } : JSON.parse(conf));
    const link = document.createElement("a");
    link.href = `${root}../dags/${dag}/runs/${encodeURIComponent(run)}`;
    link.dataset.outer = "";
    link.textContent = paused ? `Waits: ${dag} is paused` : `Started: ${run}`;
    button.replaceWith(link);
  }));
}

// --- Evidence packs --------------------------------------------------------------------------------------------------

// Takes a file that is made while it is sent, and tells how much came; it is nothing before its end has come.
async function take(reply, tell) {
  const pieces = [];
  let size = 0;
  const reader = reply.body.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      pieces.push(piece.value);
      size += piece.value.length;
      tell(`${(size / 1e6).toFixed(1)} MB`);
    }
  } catch {
    throw new Error("The pack broke off, so there is none: try again, and ask for less at a time if it is very large.");
  }
  return new Blob(pieces, { type: "application/zip" });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

for (const button of document.querySelectorAll("[data-evidence]")) {
  button.addEventListener("click", () => {
    const picked = [...document.querySelectorAll("[data-pick]:checked")].map((box) => box.dataset.pick);
    const wanted = picked.length ? { interactionIds: picked } : JSON.parse(button.dataset.evidence);
    if (!wanted) {
      toast("Choose recordings by their boxes, or search for some first");
      return;
    }
    const dialog = document.getElementById("evidence");
    const form = dialog.querySelector("form");
    const progress = form.querySelector("[data-progress]");
    const chosen = picked.length === 1 ? "the chosen recording" : `the ${picked.length} chosen recordings`;
    form.querySelector("[data-subject]").textContent = picked.length ? chosen : button.dataset.subject;
    form.querySelector("[data-problem]").hidden = true;
    form.querySelector("button.main").disabled = false;
    progress.textContent = "";
    form.reset();
    form.onsubmit = (event) => {
      event.preventDefault();
      decide(form, async () => {
        progress.textContent = "Reading the recordings…";
        try {
          const reply = await send(button.dataset.post, { ...wanted, reason: new FormData(form).get("reason").trim() });
          const [, name] = /filename="([^"]+)"/.exec(reply.headers.get("Content-Disposition") ?? "") ?? [null, "evidence.zip"];
          save(await take(reply, (text) => { progress.textContent = text; }), name);
        } finally {
          progress.textContent = "";
        }
        dialog.close();
        toast("The pack is saved. Who gets it begins with README.txt");
      });
    };
    dialog.showModal();
  });
}

// --- Asking before deciding ------------------------------------------------------------------------------------------

// Puts a part of a page that the server renders in the place of the one that is there. Parsed so, no script in it runs.
function replacePart(id, html) {
  const part = new DOMParser().parseFromString(html, "text/html").getElementById(id);
  document.getElementById(id).replaceWith(document.adoptNode(part));
  showTimes();
}

// A form whose fields are sent at each change; the page shows what the server says of them.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const make = document.querySelector("form[data-make]");
  const maker = make?.querySelector("button.main");
  let latest = 0;
  const ready = () => "wanted" in document.getElementById("preview").dataset;
  if (maker) maker.disabled = !ready();
  const refresh = async () => {
    const mine = (latest += 1);
    if (maker) maker.disabled = true;
    busy();
    try {
      const reply = await send(form.dataset.preview, Object.fromEntries(new FormData(form)));
      const html = await reply.text();
      if (mine === latest) replacePart("preview", html);
    } catch (error) {
      if (mine === latest) toast(error.message);
    } finally {
      document.querySelector(".busy-line")?.remove();
      if (mine === latest && maker) maker.disabled = !ready();
    }
  };
  form.addEventListener("input", () => {
    latest += 1; // what is shown is of other fields than these
    if (maker) maker.disabled = true;
  });
  form.addEventListener("change", refresh);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });
  make?.addEventListener("submit", (event) => {
    event.preventDefault();
    const { matter, reason } = Object.fromEntries(new FormData(make));
    const wanted = JSON.parse(document.getElementById("preview").dataset.wanted);
    decide(make, async () => {
      const reply = await send(make.dataset.make, { ...wanted, matter: matter.trim(), reason: reason.trim() });
      location.href = `${make.dataset.then}${encodeURIComponent((await reply.json()).id)}?made=true`;
    });
  });
}
