// Asks for the page again when something has changed, and puts what it shows in place of what was;
// and shows what a run writes while it does. Pages are complete without it.
"use strict";

const parts = ["main", "known"];
let isAsking = false;
let isStale = false;

async function refresh() {
  if (document.hidden || isBusy()) return;
  if (isAsking) { isStale = true; return; }
  isAsking = true;
  isStale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) replace(document.getElementById(id), page.getElementById(id));
    follow();
  } catch { /* the server is away: EventSource tries again, and then this does */ }
  finally { isAsking = false; }
  if (isStale) refresh();
}

function replace(old, fresh) {
  if (!old || !fresh || old.innerHTML === fresh.innerHTML) return;
  const focused = document.activeElement && old.contains(document.activeElement) ? pathOf(old, document.activeElement) : null;
  // What is written live is not in the page that comes: it stays.
  for (const live of fresh.querySelectorAll("[data-live]")) {
    const known = document.getElementById(live.id);
    if (known) live.replaceWith(known);
  }
  const open = new Set([...old.querySelectorAll("details[open][id]")].map((one) => one.id));
  for (const one of fresh.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
  old.replaceChildren(...fresh.childNodes);
  if (focused) (at(old, focused) || old).focus({ preventScroll: true });
}

// Where somebody is with the keyboard stays where it is: the same place in the same tree.
function pathOf(root, element) {
  const path = [];
  for (let one = element; one !== root; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  return path;
}

function at(root, path) {
  return path.reduce((one, index) => one && one.children[index], root);
}

// Somebody who types, has filled in a form, or has marked a text, is not to lose it.
function isBusy() {
  const one = document.activeElement;
  const isTyping = one && ["INPUT", "SELECT", "TEXTAREA"].includes(one.tagName);
  const isFilled = [...document.querySelectorAll("form.act input, input[form]")].some(
    (field) => (field.type === "checkbox" ? field.checked : field.value));
  return isTyping || isFilled || String(getSelection()) !== "";
}

// A browser has few connections to one place: a page that nobody sees keeps none.
let events = null;

function listen() {
  if (document.hidden) {
    if (events) events.close();
    events = null;
  } else if (!events) {
    events = new EventSource("/events");
    events.addEventListener("changed", refresh);
    events.addEventListener("open", refresh);
  }
}

listen();
document.addEventListener("visibilitychange", listen);
// What is said relative to now ("3 s ago") is said anew, though nothing has changed.
setInterval(refresh, 15000);

// -- what a run writes -----------------------------------------------------------------------

let live = null;

function follow() {
  const place = document.querySelector("[data-live]");
  if (!place) { if (live) live.close(); live = null; return; }
  if (live) return;
  live = new EventSource(place.dataset.live);
  live.addEventListener("begin", () => { for (const one of document.querySelectorAll("[data-live]")) one.replaceChildren(); });
  live.addEventListener("message", (event) => show(JSON.parse(event.data)));
}

function show(said) {
  const note = document.getElementById("live-note");
  if (said.problem) {
    if (note) note.textContent = said.problem;
    live.close();
    return;
  }
  const place = document.getElementById(`live-${said.attempt}`);
  if (!place) return;
  const isAtEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 8;
  for (const [classes, text] of said.pieces) {
    const piece = document.createElement("span");
    piece.className = classes;
    piece.textContent = text;
    place.append(piece);
  }
  while (place.childNodes.length > 5000) place.firstChild.remove();
  if (isAtEnd) place.scrollTop = place.scrollHeight;
}

follow();

// -- all of a list ---------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const all = event.target.closest("[data-all]");
  if (!all) return;
  const boxes = [...document.querySelectorAll(`input[type="checkbox"][name="${all.dataset.all}"]`)];
  const isOn = boxes.some((box) => !box.checked);
  for (const box of boxes) box.checked = isOn;
});

// -- keys ------------------------------------------------------------------------------------

const pages = { o: "/", j: "/jobs", r: "/runs", d: "/discarded", c: "/crontab", w: "/workers", a: "/audit" };
let isGoing = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isBusy()) return;
  if (event.key === "/") {
    const field = document.querySelector('[data-key="/"]');
    if (field) { event.preventDefault(); field.focus(); }
  } else if (isGoing && pages[event.key]) {
    location.href = pages[event.key];
  }
  isGoing = event.key === "g";
});
