"use strict";
// Notes to be heard: an instrument's keys lie one after the other in one MP3, decoded when it is first
// wanted. Web Audio plays the part of a key; nothing is loaded but the script that holds it.
{
  const NAMES = ["note_sounds", "recorded_sounds"];
  const KEPT = 6; // instruments in memory
  const FADE = 0.02; // s, so that a note does not end with a click
  const decoded = new Map();
  let context = null;
  let playing = null;

  function find(stimuli, instrument) {
    for (const name of NAMES) {
      const parts = rasen.data.parts(name).filter((of) => of.stimuli === stimuli);
      // the mean over instruments has no sound of its own: the first is heard in its place
      const of = instrument === "pooled" ? parts[0] : parts.find((one) => one.instrument === instrument);
      if (of) return { name, of };
    }
    return null;
  }

  async function open({ name, of }) {
    const { values, columns } = await rasen.data.load(name, of);
    context ??= new AudioContext();
    // a copy: the buffer that is decoded is taken away
    const buffer = await context.decodeAudioData(columns.mp3.slice().buffer);
    return { buffer, values };
  }

  function follow(source, seconds, ontime) {
    const begun = context.currentTime;
    let ended = false;
    source.onended = () => (ended = true);
    const step = () => {
      ontime(Math.min(seconds, context.currentTime - begun));
      if (!ended) requestAnimationFrame(step);
    };
    step();
  }

  rasen.notes = {
    /** Whether a note of these can be heard. */
    has: (stimuli, instrument) => Boolean(find(stimuli, instrument)),

    /** The sound of an instrument: {buffer, values: {lowest, keys, seconds}}. */
    sound(stimuli, instrument) {
      const found = find(stimuli, instrument);
      if (!found) return Promise.resolve(null);
      const key = JSON.stringify(found);
      if (!decoded.has(key)) decoded.set(key, open(found));
      const sound = decoded.get(key);
      sound.catch(() => decoded.delete(key));
      if (decoded.size > KEPT) decoded.delete(decoded.keys().next().value);
      return sound;
    },

    /**
     * Play a note; what to tell: the instrument that is heard, or why none is.
     * ontime(seconds): while it sounds.
     */
    async play(stimuli, instrument, pitch, ontime) {
      const found = find(stimuli, instrument);
      if (!found) return "these results have no sounds of notes";
      let sound;
      try {
        sound = await rasen.notes.sound(stimuli, instrument);
      } catch (error) {
        return error.message;
      }
      const key = pitch - sound.values.lowest;
      if (key < 0 || key >= sound.values.keys) return "this note has no sound";
      await context.resume(); // before there is a source that has not started: it cannot be stopped
      playing?.stop();
      playing = context.createBufferSource();
      playing.buffer = sound.buffer;
      const gain = context.createGain();
      const end = context.currentTime + sound.values.seconds;
      gain.gain.setValueAtTime(1, end - FADE);
      gain.gain.linearRampToValueAtTime(0, end);
      playing.connect(gain).connect(context.destination);
      playing.start(0, key * sound.values.seconds, sound.values.seconds);
      if (ontime) follow(playing, sound.values.seconds, ontime);
      return instrument === "pooled" ? `heard: ${found.of.instrument}` : `heard: ${instrument}`;
    },
  };
}
