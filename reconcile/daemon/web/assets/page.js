// When the daemon has made a pass, the page is asked for again and what differs is
// put in its place; where the reader is and what they type stays as it is.
"use strict";
(() => {
  let shown = document.documentElement.dataset.number;
  let busy = false, wanted = false;

  async function renew() {
    if (busy) { wanted = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, {cache: "no-store"});
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["glance", "state", "content"]) {
        const old = document.getElementById(id), fresh = next.getElementById(id);
        if (old && fresh && old.innerHTML !== fresh.innerHTML && !old.contains(document.activeElement)) {
          old.replaceChildren(...fresh.childNodes);
        }
      }
      shown = next.documentElement.dataset.number;
    } catch { /* the line above says that it is not live */ }
    busy = false;
    if (wanted) { wanted = false; renew(); }
  }

  const live = document.getElementById("live");
  const source = new EventSource("/events");
  source.addEventListener("view", (event) => { if (event.data !== shown) { renew(); } });
  source.onopen = () => { live.textContent = "live"; };
  source.onerror = () => { live.textContent = "not connected"; };
})();
