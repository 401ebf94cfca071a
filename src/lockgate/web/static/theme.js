// The theme somebody chose, before the page is drawn; and the button that chooses.
(() => {
  const root = document.documentElement;
  let chosen = null;
  try { chosen = localStorage.getItem("lockgate-theme"); } catch { /* no storage: the system's theme */ }
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  // Once the page is read; what is heard of it with DOMContentLoaded waits for the other scripts too
  document.addEventListener("readystatechange", () => {
    if (document.readyState !== "interactive") return;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
        const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
        root.dataset.theme = next;
        try { localStorage.setItem("lockgate-theme", next); } catch { /* until the page is left */ }
      });
    }
  });
})();
