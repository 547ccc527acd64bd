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

  const addHeader = (button) => {
    const row = button.closest(".adder");
    const next = row.cloneNode(true);
    for (const input of next.querySelectorAll("input")) input.value = "";
    button.removeAttribute("data-add");
    button.setAttribute("data-remove", "");
    button.setAttribute("aria-label", `Remove ${row.querySelector("input").value || "this header"}`);
    button.title = button.getAttribute("aria-label");
    const use = button.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace("#plus", "#x"));
    row.after(next);
    next.querySelector("input").focus();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    if ("dismiss" in button.dataset) button.closest(".toast").remove();
    if ("add" in button.dataset) addHeader(button);
    else if ("remove" in button.dataset) button.closest(".adder").remove();
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

  // The tail pauses while somebody reads: scrolled, or with a selection, or a menu open.
  const isReading = () =>
    window.scrollY > 400 || !document.getSelection().isCollapsed || document.querySelector("details.menu[open], dialog[open]");
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const isPaused = isReading();
    if (isPaused) event.preventDefault();
    const note = document.getElementById("paused");
    if (note) note.hidden = !isPaused;
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
  openDialogs();
  tick();
  setInterval(tick, 1000);
}
