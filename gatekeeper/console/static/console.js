// Action dialogs: a button opens its dialog, which sends the act and shows the answer.
"use strict";

(() => {
  const DONE = "gatekeeper-done";

  const say = (form, text) => {
    const place = form.querySelector("[role=alert]");
    place.textContent = text.replaceAll("`", ""); // messages mark commands with them
    place.hidden = !text;
  };

  const order = (form) => {
    const fields = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    if (form.dataset.generation) fields.generation = Number(form.dataset.generation);
    return fields;
  };

  const sent = async (form) => {
    const answer = await fetch(form.dataset.act, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Gatekeeper-Act": "1" },
      body: JSON.stringify(order(form)),
    });
    const result = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(result.detail ?? `The server answered ${answer.status} ${answer.statusText}.`);
    return result.message;
  };

  const send = async (form) => {
    const reason = form.elements.reason;
    if (!reason.value.trim()) {
      say(form, "Give a reason; it is recorded in the history.");
      reason.setAttribute("aria-invalid", "true");
      reason.focus();
      return;
    }
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    say(form, "");
    try {
      sessionStorage.setItem(DONE, await sent(form));
      location.reload();
    } catch (fault) {
      say(form, fault.message === "Failed to fetch" ? "The server did not answer. Reload the page to see whether anything changed." : fault.message);
      button.disabled = false;
    }
  };

  for (const button of document.querySelectorAll("[data-opens]")) {
    const dialog = document.getElementById(button.dataset.opens);
    const form = dialog.querySelector("form");
    button.hidden = false;
    button.addEventListener("click", () => dialog.showModal());
    dialog.querySelector("[data-closes]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      say(form, "");
      form.elements.reason.removeAttribute("aria-invalid");
      button.focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }

  const done = document.querySelector("[data-done]");
  const message = sessionStorage.getItem(DONE);
  if (message) {
    sessionStorage.removeItem(DONE);
    done.hidden = false;
    done.textContent = message;
  }

  for (const chooser of document.querySelectorAll("details.chooser")) {
    document.addEventListener("click", (event) => {
      if (!chooser.contains(event.target)) chooser.open = false;
    });
    chooser.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      chooser.open = false;
      chooser.querySelector("summary").focus();
    });
  }
})();
