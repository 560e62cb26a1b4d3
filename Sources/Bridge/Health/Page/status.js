"use strict";
// Asks for the page again every two seconds, and changes in this one what is different there: what somebody types, selects
// or has read aloud is left alone.
const lost = document.getElementById("lost");
let title = document.title, answeredAt = Date.now(), failed = false;

const patch = (old, fresh) => {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes], after = [...fresh.childNodes];
  after.forEach((node, index) => before[index] ? patch(before[index], node) : old.append(node));
  before.slice(after.length).forEach(node => node.remove());
};

const ask = async () => {
  const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // After an update the script may be another one.
  if (page.documentElement.dataset.version !== document.documentElement.dataset.version) return location.reload();
  patch(document.querySelector("main"), page.querySelector("main"));
  patch(document.querySelector("link[rel=icon]"), page.querySelector("link[rel=icon]"));
  title = page.title;
  answeredAt = Date.now();
};

const show = () => {
  document.title = document.hidden ? `Paused: ${title}` : failed ? `No answer: ${title}` : title;
  document.body.classList.toggle("lost", failed);
  lost.hidden = !failed;
  const seconds = Math.round((Date.now() - answeredAt) / 1000);
  const age = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  lost.querySelector("b").textContent = `${age}, since ${new Date(answeredAt).toLocaleTimeString()}`;
};

const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
const seen = () => new Promise(done => document.addEventListener("visibilitychange", done, { once: true }));

document.addEventListener("visibilitychange", show);
setInterval(show, 1000);
(async () => {
  for (;;) {
    await pause(2000);
    while (document.hidden) await seen();
    failed = await ask().then(() => false, () => true);
    show();
  }
})();
