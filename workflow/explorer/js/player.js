"use strict";
// Long sound: an <audio> that plays a file in place. One plays at a time; it stops when its view goes.
{
  let current = null;
  const LINKED =
    "Sound is linked where it lies, not copied: open this page beside the results, or set " +
    "explorer: {media: copy} in the config.";

  /** 75.3 -> 1:15 */
  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };
  rasen.clock = clock;

  /**
   * name: what is heard; src: address; start, seconds: the part of the file that is played
   * ontime(seconds from start): while it plays and when it is moved;  cure: where it is not there
   * Returns {node, audio, seek(seconds), toggle(), play(), pause(), time(), open(src, title, its length)}.
   */
  rasen.player = ({ name, src = "", start = 0, seconds = 0, ontime = () => {}, cure = LINKED }) => {
    const { el } = rasen;
    let address = src;
    let wanted = 0; // where to go as soon as the file is known
    let known = seconds; // its length, before it is opened
    let frame = null;
    const audio = el("audio", { preload: "none" });
    const button = el("button", { type: "button", class: "play", onclick: toggle }, "Play");
    const told = el("output", { class: "quiet clock" });
    const fault = el("p", { class: "told", role: "alert", hidden: true });
    const node = el("div", { class: "player" }, button, told, audio, fault);
    named(name);

    function named(title) {
      button.setAttribute("aria-label", `Play ${title}`);
    }

    const length = () => known || (Number.isFinite(audio.duration) ? audio.duration - start : 0);
    const ready = () => audio.readyState >= HTMLMediaElement.HAVE_METADATA;
    const time = () => (ready() ? Math.max(0, audio.currentTime - start) : wanted);

    const count = () => (told.textContent = `${clock(time())} / ${clock(length())}`);

    function tell() {
      count();
      ontime(time());
    }

    function tick() {
      tell();
      if (seconds && time() >= seconds) pause();
      frame = audio.paused ? null : requestAnimationFrame(tick);
    }

    async function play() {
      if (!audio.getAttribute("src")) audio.src = address;
      fault.hidden = true;
      if (current && current !== audio) current.pause();
      current = audio;
      if (seconds && time() >= seconds - 0.05) seek(0);
      try {
        await audio.play();
      } catch (error) {
        if (error.name !== "AbortError" && !audio.error) told.textContent = error.message;
      }
    }

    function pause() {
      audio.pause();
    }

    function toggle() {
      return audio.paused ? play() : pause();
    }

    function seek(to) {
      wanted = Math.max(0, Math.min(to, length() || to));
      if (ready()) audio.currentTime = start + wanted;
      tell();
    }

    function open(next, title, lasts = 0) {
      const [at, playing] = [time(), !audio.paused];
      address = next;
      known = lasts;
      fault.hidden = true;
      audio.removeAttribute("src");
      audio.load();
      wanted = at;
      named(title);
      count();
      if (playing) play();
    }

    audio.addEventListener("loadedmetadata", () => {
      if (start || wanted) audio.currentTime = start + wanted;
      tell();
    });
    audio.addEventListener("play", () => {
      button.textContent = "Pause";
      frame ??= requestAnimationFrame(tick);
    });
    audio.addEventListener("pause", () => (button.textContent = "Play"));
    audio.addEventListener("timeupdate", tell);
    audio.addEventListener("seeked", tell);
    audio.addEventListener("error", () => {
      if (!audio.getAttribute("src")) return;
      fault.textContent = `${decodeURI(audio.getAttribute("src"))} cannot be played from here. ${cure}`;
      fault.hidden = false;
    });
    count();
    return { node, audio, seek, toggle, play, pause, time, open };
  };
}
