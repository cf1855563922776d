// Before the first paint: light or dark like the Airflow around us, also when it changes.
// Outside Airflow's frame the system's preference decides, through `color-scheme` in app.css.
"use strict";

(() => {
  const follow = (outer) => {
    const root = document.documentElement;
    for (const name of ["light", "dark"]) root.classList.toggle(name, outer.classList.contains(name));
  };
  try {
    if (window.parent === window) return;
    const outer = window.parent.document.documentElement;
    follow(outer);
    document.documentElement.classList.add("framed");
    new MutationObserver(() => follow(outer)).observe(outer, { attributes: true, attributeFilter: ["class"] });
  } catch {
    // A foreign page around us (the server forbids it): the system's preference stays.
  }
})();
