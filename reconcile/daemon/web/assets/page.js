// When the daemon has made a pass, the page is asked for again and what differs is
// put in its place; where the reader is and what they type stays as it is.
"use strict";
(() => {
  let shown = document.documentElement.dataset.number;
  let busy = false, wanted = false, waiting = false;

  // What can be scrolled or has the focus is found again by what it is called.
  const named = (e) => e.id ? "#" + CSS.escape(e.id)
    : e.hasAttribute("href") ? `[href="${CSS.escape(e.getAttribute("href"))}"]`
    : `[aria-label="${CSS.escape(e.getAttribute("aria-label") || "")}"]`;

  // put replaces what is shown, but not while somebody is in a form of it.
  function put(old, fresh) {
    const at = old.contains(document.activeElement) ? document.activeElement : null;
    if (at && at.closest("form")) { waiting = true; return; }
    const typed = [...old.querySelectorAll("[name]")].map((e) => [e.name, e.value]);
    const scrolled = [...old.querySelectorAll(".scroll")].map((e) => [named(e), e.scrollLeft, e.scrollTop]);
    old.replaceChildren(...fresh.childNodes);
    for (const [name, value] of typed) {
      const e = old.querySelector(`[name="${CSS.escape(name)}"]`);
      if (e) { e.value = value; }
    }
    for (const [name, left, top] of scrolled) { old.querySelector(name)?.scrollTo(left, top); }
    if (at) { old.querySelector(named(at))?.focus({preventScroll: true}); }
  }

  async function renew() {
    if (busy) { wanted = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, {cache: "no-store"});
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      waiting = false;
      for (const id of ["glance", "state", "content"]) {
        const old = document.getElementById(id), fresh = next.getElementById(id);
        if (old && fresh && old.innerHTML !== fresh.innerHTML) { put(old, fresh); }
      }
      shown = next.documentElement.dataset.number;
    } catch { /* the line above says that it is not live */ }
    busy = false;
    if (wanted) { wanted = false; renew(); }
  }

  // Who has left a form sees what came meanwhile.
  document.addEventListener("focusout", (event) => {
    if (waiting && !event.relatedTarget?.closest("form")) { renew(); }
  });

  const live = document.getElementById("live");
  const source = new EventSource("/events");
  source.addEventListener("view", (event) => { if (event.data !== shown) { renew(); } });
  source.onopen = () => { live.textContent = "live"; };
  source.onerror = () => { live.textContent = "not connected"; };
})();
