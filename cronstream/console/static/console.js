// Asks for the page again when something has changed, and puts what it shows in place of what was.
// Pages are complete without it.
"use strict";

const parts = ["main", "known"];
let isAsking = false;
let isStale = false;

async function refresh() {
  if (isAsking || document.hidden || isBusy()) { isStale = true; return; }
  isAsking = true;
  isStale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) {
      const old = document.getElementById(id);
      const fresh = page.getElementById(id);
      if (old && fresh && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
    }
  } catch { /* the server is away: EventSource tries again, and then this does */ }
  isAsking = false;
}

// Somebody who types, or has marked a text, is not to lose it.
function isBusy() {
  const at = document.activeElement;
  const isTyping = at && ["INPUT", "SELECT", "TEXTAREA"].includes(at.tagName);
  return isTyping || String(getSelection()) !== "";
}

const events = new EventSource("/events");
events.addEventListener("changed", refresh);
events.addEventListener("open", refresh);
document.addEventListener("visibilitychange", () => { if (isStale) refresh(); });
// What is said relative to now ("3 s ago") is said anew, though nothing has changed.
setInterval(refresh, 15000);

const pages = { o: "/", j: "/jobs", r: "/runs", d: "/discarded", w: "/workers" };
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
