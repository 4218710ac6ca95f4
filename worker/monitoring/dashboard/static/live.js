// Keeps the parts of a page up to date that the server sends. Without it, the page shows what was when it was loaded.
"use strict";
const live = document.querySelector("[data-live]");
if (live && "EventSource" in window) {
  const lost = document.querySelector("[data-lost]");
  // The server sends something every two seconds. A connection can also end without anybody being told.
  const silentAfter = 20_000, againAfter = 5_000;
  let source = null, timer = 0, isDone = false;

  function listen() {
    stop();
    // A browser has few connections to a server, so a tab that nobody sees must not hold one.
    if (isDone || document.hidden) return;
    source = new EventSource(live.dataset.live);
    source.onmessage = (event) => {
      lost.hidden = true;
      expect(silentAfter);
      show(JSON.parse(event.data));
    };
    source.onerror = () => miss(againAfter);
    // Nothing changes any more.
    source.addEventListener("done", () => { isDone = true; stop(); });
    // The answer is the log-in, which leads back to this page.
    source.addEventListener("ended", () => { isDone = true; stop(); location.reload(); });
    expect(silentAfter);
  }

  function stop() {
    clearTimeout(timer);
    if (source) source.close();
  }

  function expect(within) {
    clearTimeout(timer);
    timer = setTimeout(() => miss(0), within);
  }

  function miss(again) {
    stop();
    lost.hidden = false;
    timer = setTimeout(listen, again);
  }

  function show(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const fresh of page.querySelectorAll("[data-part]")) {
      const shown = live.querySelector(`[data-part="${fresh.dataset.part}"]`);
      // Somebody fills in a form of it.
      if (!shown || (shown.contains(document.activeElement) && document.activeElement.form)) continue;
      change(shown, fresh);
    }
  }

  // Changes what differs and nothing else: what has the focus, is selected or is scrolled to stays so, and a text that
  // has not changed is not read out again.
  function change(shown, fresh) {
    if (shown.isEqualNode(fresh)) return;
    if (shown.nodeName !== fresh.nodeName) return shown.replaceWith(fresh);
    if (shown.nodeType !== Node.ELEMENT_NODE) { shown.nodeValue = fresh.nodeValue; return; }
    for (const name of shown.getAttributeNames()) if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
    for (const name of fresh.getAttributeNames()) {
      if (shown.getAttribute(name) !== fresh.getAttribute(name)) shown.setAttribute(name, fresh.getAttribute(name));
    }
    const there = [...shown.childNodes], wanted = [...fresh.childNodes];
    wanted.forEach((node, at) => (at < there.length ? change(there[at], node) : shown.append(node)));
    there.slice(wanted.length).forEach((node) => node.remove());
  }

  document.addEventListener("visibilitychange", listen);
  listen();
}
