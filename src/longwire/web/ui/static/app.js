// What pages cannot do with links and forms alone. Everything works without it.
"use strict";
{
  const say = (text) => {
    const toasts = document.getElementById("toasts");
    const line = document.createElement("span");
    line.className = "vh";
    line.textContent = text;
    toasts.append(line);
    setTimeout(() => line.remove(), 3000);
  };

  const left = (until) => {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    const hours = Math.floor(seconds / 3600);
    const minutes = String(Math.floor(seconds / 60) % 60).padStart(hours ? 2 : 1, "0");
    return `${hours ? hours + ":" : ""}${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  };

  const tick = () => {
    for (const time of document.querySelectorAll("time[data-countdown]")) {
      time.textContent = left(Date.parse(time.dateTime));
    }
  };

  const copy = async (button) => {
    const text = document.querySelector(button.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    say("Copied");
    button.dataset.done = "";
    setTimeout(() => delete button.dataset.done, 2000);
  };

  const openDialogs = () => {
    for (const dialog of document.querySelectorAll("dialog[data-modal][open]")) {
      dialog.removeAttribute("open");
      dialog.showModal();
      dialog.querySelector("[data-close]").focus();
      dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        dialog.querySelector("[data-close]").click();
      });
    }
  };

  const selectTab = (tab) => {
    for (const each of tab.parentElement.children) {
      const isIt = each === tab;
      each.setAttribute("aria-selected", String(isIt));
      each.tabIndex = isIt ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !isIt;
    }
    tab.focus();
  };

  // A header that was typed becomes a chip; the server does the same without script.
  const addHeader = (button) => {
    const [name, value] = button.closest(".adder").querySelectorAll("input");
    name.focus();
    if (!name.value) return;
    const chip = document.getElementById("chip").content.cloneNode(true);
    const [keptName, keptValue] = chip.querySelectorAll("input");
    const remove = chip.querySelector("button");
    const isSecret = /auth|cookie|key|secret|token/i.test(name.value);
    chip.querySelector("code").textContent = `${name.value}: ${isSecret ? "*****" : value.value}`;
    keptName.value = remove.value = name.value;
    keptValue.value = value.value;
    remove.setAttribute("aria-label", `Remove ${name.value}`);
    button.closest("fieldset").querySelector("[data-chips]").append(chip);
    name.value = value.value = "";
    name.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const removeHeader = (button) => {
    const fields = button.closest("fieldset");
    button.closest("li").remove();
    fields.querySelector(".adder input").focus();
    fields.dispatchEvent(new Event("input"));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    if ("dismiss" in button.dataset) button.closest(".toast").remove();
    if ("add" in button.dataset || "remove" in button.dataset) event.preventDefault();
    if ("add" in button.dataset) addHeader(button);
    if ("remove" in button.dataset) removeHeader(button);
    if (button.role === "tab" || button.getAttribute("role") === "tab") selectTab(button);
  });

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) {
      const tabs = [...tab.parentElement.children];
      const at = tabs.indexOf(tab);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        selectTab(tabs[(to + tabs.length) % tabs.length]);
      }
    }
    if (event.key === "Escape") document.querySelector("#edit [data-cancel]")?.click();
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
    if (event.key === "Enter" && event.target.closest(".adder")) {
      event.preventDefault();
      event.target.closest(".adder").querySelector("[data-add]")?.click();
    }
  });

  // What was typed on while a value was judged is judged next; the answer before it is too old to show.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const input = detail.target.querySelector?.(":scope > .ctl > [name]");
    if (input && detail.requestConfig.parameters[input.name] !== input.value) detail.shouldSwap = false;
  });

  // The tail pauses while somebody reads: scrolled, or with a selection, or a menu open.
  const isReading = () =>
    window.scrollY > 400 || !document.getSelection().isCollapsed || document.querySelector("details.menu[open], dialog[open]");
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const isPaused = isReading();
    if (isPaused) event.preventDefault();
    const note = document.getElementById("paused");
    if (note) note.hidden = !isPaused;
  });

  document.addEventListener("htmx:sseMessage", tick);

  // Keys of one hand; off while somebody types. `?` lists them.
  let isGoing = false;
  const goTo = (key) => document.querySelector(`nav [data-key="${key}"]`)?.click();
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (isGoing) goTo(event.key);
    isGoing = event.key === "g" && !isGoing;
    const search = event.key === "/" && document.querySelector("main input[type=search]");
    if (search) event.preventDefault();
    if (search) search.focus();
    if (event.key === "?") document.getElementById("keys").showModal();
  });

  // A server that does not answer is told, and the page goes on by itself when it does again.
  const lost = () => {
    if (document.getElementById("lost")) return;
    const note = document.createElement("div");
    note.id = "lost";
    note.className = "note warn";
    note.setAttribute("role", "alert");
    const time = new Date().toISOString().slice(11, 19);
    note.textContent = `The server does not answer. What you see is from ${time} UTC. Trying again every few seconds.`;
    document.getElementById("main").prepend(note);
  };
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:sseError", lost);
  document.addEventListener("htmx:sseOpen", () => document.getElementById("lost")?.remove());
  document.addEventListener("htmx:afterOnLoad", () => document.getElementById("lost")?.remove());

  for (const toast of document.querySelectorAll(".toast.ok")) {
    setTimeout(() => toast.matches(":hover, :focus-within") || toast.remove(), 5000);
  }
  const address = new URL(location.href);
  if (address.searchParams.has("toast")) {
    address.searchParams.delete("toast");
    history.replaceState(null, "", address);
  }
  // With a fragment in the address browsers leave `autofocus` alone, and take the focus away until all is loaded.
  addEventListener("load", () => {
    const field = document.querySelector("#edit [autofocus]");
    field?.focus();
    field?.select?.();
  });
  openDialogs();
  tick();
  setInterval(tick, 1000);
}
