"use strict";
// Refreshes the parts of the page that change, and leaves alone the form, the scroll position and a selection.
const PERIOD_MS = 5000;
const stale = document.getElementById("stale");

async function refresh() {
  const response = await fetch(location.pathname + location.search, {
    cache: "no-store",
    signal: AbortSignal.timeout(PERIOD_MS),
  });
  if (!response.ok) throw new Error(response.statusText);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[id^=live-]")) {
    const table = part.querySelector(".scroll");
    const left = table ? table.scrollLeft : 0;
    part.replaceChildren(...fresh.getElementById(part.id).childNodes);
    if (left) part.querySelector(".scroll")?.scrollTo({ left });
  }
  document.title = fresh.title;
}

async function tick() {
  if (!document.hidden && getSelection().isCollapsed) {
    await refresh().then(() => (stale.hidden = true), () => (stale.hidden = false));
  }
  setTimeout(tick, PERIOD_MS);
}

setTimeout(tick, PERIOD_MS);
