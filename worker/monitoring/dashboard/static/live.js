// Keeps the parts of a page up to date that the server sends. Without it, the page shows what was when it was loaded.
"use strict";
const live = document.querySelector("[data-live]");
if (live && "EventSource" in window) {
  const source = new EventSource(live.dataset.live);
  source.onmessage = (event) => {
    const page = new DOMParser().parseFromString(JSON.parse(event.data), "text/html");
    for (const fresh of page.querySelectorAll("[data-part]")) {
      const shown = live.querySelector(`[data-part="${fresh.dataset.part}"]`);
      // What has the focus stays, so that the keyboard does not lose its place.
      if (!shown || shown.contains(document.activeElement)) continue;
      if (shown.className !== fresh.className) shown.className = fresh.className;
      // A text that has not changed is not read out again.
      if (shown.innerHTML !== fresh.innerHTML) shown.innerHTML = fresh.innerHTML;
    }
  };
  // Nothing changes any more.
  source.addEventListener("done", () => source.close());
  source.addEventListener("ended", () => {
    source.close();
    location.assign("/login");
  });
}
