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

  // The server's time: this machine's clock may be wrong.
  const ahead = Date.parse(document.body.dataset.now) - Date.now() || 0;
  const now = () => Date.now() + ahead;

  const left = (until) => {
    const seconds = Math.max(0, Math.round((until - now()) / 1000));
    const hours = Math.floor(seconds / 3600);
    const minutes = String(Math.floor(seconds / 60) % 60).padStart(hours ? 2 : 1, "0");
    return `${hours ? hours + ":" : ""}${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  };

  // As render.duration does.
  const passed = (since) => {
    const seconds = Math.max(0, Math.floor((now() - since) / 1000));
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor(seconds / 3600) % 24;
    const minutes = Math.floor(seconds / 60) % 60;
    if (days) return `${days} day${days > 1 ? "s" : ""}${hours ? ` ${hours} h` : ""}`;
    if (hours) return `${hours} h ${minutes} min`;
    return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
  };

  const tick = () => {
    for (const time of document.querySelectorAll("time[data-countdown]")) {
      time.textContent = left(Date.parse(time.dateTime));
    }
    for (const time of document.querySelectorAll("time[data-since]")) {
      time.textContent = passed(Date.parse(time.dateTime));
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

  // What is read is not taken away: a part waits while it has a selection or an open menu, and the tail while it has
  // the focus or somebody has scrolled down in it. What came meanwhile is shown then. Elsewhere the focus stays.
  const held = new Map();
  const isRead = (part) => {
    const selection = document.getSelection();
    return (
      (!selection.isCollapsed && part.contains(selection.anchorNode)) ||
      part.querySelector("details.menu[open]") ||
      document.querySelector("dialog[open]") ||
      ("tail" in part.dataset &&
        (part.contains(document.activeElement) || part.getBoundingClientRect().top < -40))
    );
  };
  const stops = (part) => [...part.querySelectorAll("a, button, summary, input, select, textarea")];
  const keepFocus = (part, swap) => {
    const at = stops(part).indexOf(document.activeElement);
    swap();
    if (at >= 0) stops(part)[at]?.focus({ preventScroll: true });
  };
  const tellHeld = () => {
    const note = document.getElementById("paused");
    if (note) note.hidden = ![...held.keys()].some((part) => "tail" in part.dataset);
  };
  const release = () => {
    for (const [part, text] of held) {
      if (isRead(part)) continue;
      held.delete(part);
      keepFocus(part, () => htmx.swap(part, text, { swapStyle: "innerHTML" }));
    }
    tellHeld();
    tick();
  };
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    event.preventDefault();
    held.set(event.target, event.detail.data);
    release();
  });
  document.addEventListener("scroll", release, { passive: true });
  document.addEventListener("selectionchange", release);
  document.getElementById("paused")?.addEventListener("click", (event) => {
    event.currentTarget.closest("section").scrollIntoView();
    document.getSelection().empty();
    document.activeElement.blur();
    release();
  });

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
  const tell = (id, text) => {
    if (document.getElementById(id)) return;
    const note = document.createElement("div");
    note.id = id;
    note.className = "note warn";
    note.setAttribute("role", "alert");
    note.append(text);
    document.getElementById("main").prepend(note);
    return note;
  };
  const clock = () => new Date(now()).toISOString().slice(11, 19);
  const lost = () =>
    tell("lost", `The server does not answer. What you see is from ${clock()} UTC. Trying again every few seconds.`);
  const found = () => document.getElementById("lost")?.remove();
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:sseError", lost);
  document.addEventListener("htmx:sseOpen", found);
  document.addEventListener("htmx:afterOnLoad", found);
  document.addEventListener("htmx:sseClose", ({ detail }) => {
    if (detail.type !== "message") return;
    const note = tell("ended", `This page is no longer live: what you see is from ${clock()} UTC. `);
    const link = document.createElement("a");
    link.href = location.pathname + location.search;
    link.textContent = "Load it again";
    note?.append(link);
  });
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (detail.xhr.status === 401) tell("out", "You are signed out. Sign in again in another tab, then go on here.");
  });

  // A form that is on its way is not sent twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.ariaBusy === "true") event.preventDefault();
    form.ariaBusy = "true";
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    for (const form of document.forms) form.ariaBusy = null;
    if (document.querySelector("[sse-connect]")) location.reload();
  });

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
  setInterval(release, 1000);
}
