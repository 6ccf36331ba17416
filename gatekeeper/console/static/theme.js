// Colour theme: Airflow's inside its page, else the system's. Also marks that scripts run here.
"use strict";

(() => {
  const own = document.documentElement;
  own.classList.add("scripted");
  if (window.parent === window) return;
  own.classList.add("framed");
  let outer;
  try {
    outer = window.parent.document.documentElement;
  } catch {
    return; // framed by a page that isn't ours to look at
  }
  const follow = () => {
    own.dataset.theme = ["dark", "light"].find((look) => outer.classList.contains(look)) ?? "";
  };
  follow();
  new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
})();
