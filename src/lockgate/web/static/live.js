// What makes pages live: news from the hub, logs as they are written, files dropped. All works without it.
(() => {
  const body = document.body;
  const MENUS = "details.menu[open], details.sure[open]";

  // A stream that comes back: the browser sees to a connection that broke, this to an answer that was an error
  const listen = (address, told, state = () => {}) => {
    let source = null, timer = null, wait = 2000, isOver = false;
    const open = () => {
      clearTimeout(timer);
      source = new EventSource(address());
      source.addEventListener("open", () => { wait = 2000; state(true); });
      source.addEventListener("error", () => {
        state(false);
        if (source.readyState !== EventSource.CLOSED || isOver) return;
        timer = setTimeout(open, wait * (0.75 + Math.random() / 2));
        wait = Math.min(2 * wait, 60000);
      });
      for (const [name, hear] of Object.entries(told)) source.addEventListener(name, hear);
    };
    const close = () => { clearTimeout(timer); source.close(); state(false); };
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => { if (event.persisted && !isOver) open(); });
    open();
    return () => { isOver = true; close(); };
  };

  // News: at most one look a second, none while nobody looks at the page
  const address = body.dataset.live;
  if (address) {
    let due = 0, timer = null, isMissed = false;
    const tell = () => {
      timer = null;
      if (document.hidden) { isMissed = true; return; }
      due = Date.now() + 1000;
      body.dispatchEvent(new CustomEvent("lockgate:news"));
    };
    const soon = () => { if (timer === null) timer = setTimeout(tell, Math.max(50, due - Date.now())); };
    document.addEventListener("visibilitychange", () => { if (!document.hidden && isMissed) { isMissed = false; soon(); } });
    let isOn = false;
    const show = () => document.querySelectorAll("[data-live-dot]").forEach((dot) => dot.classList.toggle("on", isOn));
    const dots = (is) => { isOn = is; show(); if (is) soon(); };
    const close = listen(() => address, { news: soon, progress: soon, end: () => { close(); soon(); } }, dots);
    body.addEventListener("htmx:afterSettle", () => { show(); document.querySelectorAll("pre.log").forEach(watch); });
    // What somebody has unfolded stays so
    const folds = new Map();
    document.addEventListener("toggle", (event) => { if (event.target.id) folds.set(event.target.id, event.target.open); }, true);
    const unfold = () => folds.forEach((isOpen, id) => { const fold = document.getElementById(id); if (fold) fold.open = isOpen; });
    for (const name of ["htmx:afterSwap", "htmx:oobAfterSwap"]) body.addEventListener(name, unfold);
    // Who walks by keyboard keeps their place: htmx sees to what has an id, this to links and buttons without one
    const REACHED = "a[href], button, summary, [tabindex]";
    const goal = (element) => ["href", "name", "value", "aria-label"].map((name) => element.getAttribute(name)).join("\n");
    const alike = (element) => [...document.querySelectorAll(REACHED)].filter((other) => other.tagName === element.tagName && goal(other) === goal(element));
    let held = null;
    for (const name of ["htmx:beforeSwap", "htmx:oobBeforeSwap"]) body.addEventListener(name, () => {
      const element = document.activeElement;
      if (element.matches(REACHED) && !element.id) held = { element, at: alike(element).indexOf(element) };
    });
    for (const name of ["htmx:afterSwap", "htmx:oobAfterSwap"]) body.addEventListener(name, () => {
      if (!held || held.element.isConnected || document.activeElement !== body) return;
      const now = alike(held.element);
      if (now.length) now[Math.min(held.at, now.length - 1)].focus({ preventScroll: true });
      held = null;
    });
    // A log that is being written stays in place, with what its reader scrolled to
    body.addEventListener("htmx:oobBeforeSwap", (event) => {
      const now = event.detail.target.querySelector("pre[data-log]");
      const next = event.detail.fragment.querySelector("pre[data-log]");
      if (now && next && now.dataset.stage === next.dataset.stage) event.detail.shouldSwap = false;
    });
  }

  // Logs: text with a terminal's colours into spans, never markup
  const ESCAPE = /\x1b\[([0-9;:?<=>]*)[ -\/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -\/]*[0-~]?/g;
  const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
  class Screen {
    constructor(pre) { this.pre = pre; this.style = {}; this.line = null; this.isReturned = false; this.held = ""; }
    classes() {
      const s = this.style;
      return [s.f != null ? "f" + s.f : "", s.b ? "b" : "", s.d ? "d" : "", s.i ? "i" : "", s.u ? "u" : ""].filter(Boolean).join(" ");
    }
    put(text) {
      text = text.replace(CONTROL, "");
      if (!text) return;
      if (this.line === null) this.line = this.pre.appendChild(document.createElement("span"));
      if (this.isReturned) { this.line.textContent = ""; this.isReturned = false; }
      const span = document.createElement("span");
      span.className = this.classes();
      span.textContent = text;
      this.line.append(span);
    }
    colours(codes) {
      const numbers = codes.replace(/:/g, ";").split(";").map((c) => Number(c) || 0);
      for (let at = 0; at < numbers.length; at++) {
        const code = numbers[at], s = this.style;
        if (code === 38 || code === 48) at += numbers[at + 1] === 5 ? 2 : 4;
        else if (code === 0) this.style = {};
        else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) s.f = code % 10;
        else if (code === 1) s.b = true; else if (code === 2) s.d = true; else if (code === 3) s.i = true; else if (code === 4) s.u = true;
        else if (code === 22) s.b = s.d = false; else if (code === 23) s.i = false; else if (code === 24) s.u = false; else if (code === 39) s.f = null;
      }
    }
    write(text) {
      const isAtEnd = this.pre.scrollHeight - this.pre.scrollTop - this.pre.clientHeight < 40;
      text = this.held + text;
      const cut = text.lastIndexOf("\x1b");
      const isBroken = cut >= 0 && cut > text.length - 32 && !/^\x1b(\[[0-9;:?<=>]*[ -\/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[^\[\]])/.test(text.slice(cut));
      this.held = isBroken ? text.slice(cut) : "";
      if (isBroken) text = text.slice(0, cut);
      for (const [n, row] of text.replace(/\r\n/g, "\n").split("\n").entries()) {
        if (n > 0) { this.pre.append("\n"); this.line = null; this.isReturned = false; }
        for (const [m, piece] of row.split("\r").entries()) {
          if (m > 0) this.isReturned = this.line !== null;
          let at = 0;
          for (const match of piece.matchAll(ESCAPE)) {
            this.put(piece.slice(at, match.index));
            at = match.index + match[0].length;
            if (match[2] === "m") this.colours(match[1]);
          }
          this.put(piece.slice(at));
        }
      }
      while (this.pre.childNodes.length > 20000) this.pre.firstChild.remove();
      if (isAtEnd) this.pre.scrollTop = this.pre.scrollHeight;
    }
  }
  const watch = (pre) => {
    if (pre.dataset.watched) return;
    pre.dataset.watched = "1";
    pre.scrollTop = pre.scrollHeight;
    if (!pre.dataset.log) return;
    const screen = new Screen(pre);
    const address = new URL(pre.dataset.log, location);
    const close = listen(() => address, {
      log: (event) => {
        if (!pre.isConnected) return close();
        if (event.lastEventId) address.searchParams.set("offset", event.lastEventId);
        screen.write(JSON.parse(event.data).text);
      },
      end: () => close(),
    });
  };
  document.querySelectorAll("pre.log").forEach(watch);

  // Choosing is asking
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
  for (const select of document.querySelectorAll("[data-submit]")) {
    for (const button of select.form.querySelectorAll("[type=submit]")) button.classList.add("hide");
  }

  // One press is one: a second one right after it was meant as the same
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (Date.now() - (sent.get(form) || 0) < 3000) { event.preventDefault(); return; }
    sent.set(form, Date.now());
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });

  // Menus close by Escape and by a click elsewhere
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll(MENUS)) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll(MENUS)) if (!menu.contains(event.target)) menu.open = false;
  });

  // Dropping a file is choosing it
  for (const zone of document.querySelectorAll("[data-drop]")) {
    const input = zone.querySelector("input[type=file]");
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; input.form.requestSubmit(); }
    });
    input.addEventListener("change", () => { if (input.files.length) input.form.requestSubmit(); });
  }
})();
