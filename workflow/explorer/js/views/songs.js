"use strict";
{
const NAMED = 6; // songs of a reason that are named
const UNSPACED = ["ja", "zh"]; // written without spaces between words
const LYRICS = { given: "lyrics given", asr: "lyrics written by Whisper", none: "instrumental" };
const WAYS = {
  lrc: "placed by the times of the LRC file",
  recognised: "placed by the words that Whisper heard",
  turns: "placed among the turns of the voice",
};

rasen.view({
  name: "songs",
  title: "Songs",
  sentence:
    "The songs of the training set and those that were rejected: the waveform with its sections, " +
    "stems to listen to, and the words that were found, lit while they are sung.",
  needs: ["songs", "quarantine"],
  config: ["songs"],

  async build(place) {
    const { el, words } = rasen;
    const [songs, rejected] = (
      await Promise.all(["songs", "quarantine"].map((name) => rasen.data.load(name)))
    ).map(rasen.data.rows);
    const reasons = new Map();
    for (const row of rejected) reasons.set(row.song, [...(reasons.get(row.song) || []), row]);
    const places = new Map(songs.map((row, index) => [row.song, index]));
    const outcome = (row) =>
      row.accepted ? row.split || "accepted" : `rejected: ${reasons.get(row.song)?.[0].reason ?? "?"}`;

    const list = rasen.table(
      [
        { name: "Song", values: (row) => songs[row].song, wide: true },
        { name: "Artist", values: (row) => songs[row].artist },
        { name: "Outcome", values: (row) => outcome(songs[row]), about: "split of the training set, or why it was rejected" },
        { name: "Length", values: (row) => songs[row].seconds, show: (value) => (value === null ? "–" : rasen.clock(value)) },
        { name: "Language", values: (row) => songs[row].language },
        { name: "Words", values: (row) => songs[row].match_ratio, show: (value) => (value === null ? "–" : `${Math.round(100 * value)} %`), about: rasen.data.about("songs").match_ratio },
      ],
      { rows: songs.length, name: "songs", search: true, pick: (row) => rasen.state.set({ song: songs[row].song, t: null }) },
    );
    const player = rasen.player({ name: "the song", ontime: moved });
    const wave = rasen.wave({ onseek: player.seek, ontoggle: player.toggle });
    const sound = rasen.choice("Sound", (value) => player.open(value, shown, songs[places.get(shown)].seconds));
    const panel = rasen.panel({
      title: "Waveform, sections and words",
      name: "song",
      wide: true,
      svg: () => rasen.svgText(wave.svg),
      rows: behind,
    });
    const title = el("h3", { class: "song-title" });
    const facts = el("p", { class: "quiet" });
    const faults = el("div", {});
    const lyrics = el("div", { class: "lyrics", "aria-label": "Lyrics" });
    const blank = el("p", { class: "quiet" });
    panel.body.append(el("div", { class: "controls" }, player.node, sound.node), wave.node, blank, lyrics);
    place.append(list.node, el("section", { class: "song", "aria-live": "off" }, title, facts, faults, panel.node), quarantine());

    /** Rejected songs to be opened, the first of many. */
    function names(rows) {
      const some = [...new Set(rows.map((row) => row.song))];
      const links = some.slice(0, NAMED).map((song) =>
        el("button", { type: "button", onclick: () => rasen.state.set({ song, t: null }) }, song),
      );
      return some.length > NAMED ? [...links, `and ${some.length - NAMED} more`] : links;
    }

    let sung = []; // words by their start: {start, end, node}
    let lit = null;
    let lines = [];
    let shown = null;
    let sought = ""; // time that the address named last
    let sections = [];

    function quarantine() {
      const table = rasen.panel({
        title: "Quarantine",
        about: rejected.length
          ? `Songs that were rejected, by reason (${rejected.length}), each with what can be done.`
          : "No song was rejected.",
        name: "quarantine",
        wide: true,
        rows: () => ({
          columns: ["song", "stage", "reason", "meaning", "detail", "cure"],
          rows: rejected.map((row) => [row.song, row.stage, row.reason, row.meaning, row.detail, row.cure]),
        }),
      });
      const counts = new Map();
      for (const row of rejected) counts.set(row.reason, [...(counts.get(row.reason) || []), row]);
      table.body.append(
        el(
          "dl",
          { class: "pairs cures" },
          ...[...counts]
            .sort((a, b) => b[1].length - a[1].length)
            .flatMap(([, rows]) => [
              el("dt", {}, `${rows.length} × ${rows[0].meaning}`),
              el("dd", {}, el("b", {}, "Cure: "), rows[0].cure, el("p", {}, ...names(rows))),
            ]),
        ),
      );
      return table.node;
    }

    /** Sections and words of the song that is shown, in order of time. */
    function behind() {
      const parts = [
        ...sections.map((one) => ["section", one.start, one.end, one.label]),
        ...sung.map((one) => ["word", one.start, one.end, one.node.textContent]),
      ];
      return { columns: ["what", "start (s)", "end (s)", "text"], rows: parts.sort((a, b) => a[1] - b[1]) };
    }

    function moved(seconds) {
      wave?.time(seconds);
      let [low, high] = [0, sung.length]; // the last word that has begun
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sung[middle].start <= seconds) low = middle + 1;
        else high = middle;
      }
      const word = low && seconds < sung[low - 1].end ? sung[low - 1] : null;
      if (word === lit) return;
      lit?.node.classList.remove("lit");
      word?.node.classList.add("lit");
      if (lit?.line !== word?.line) {
        lit?.line.classList.remove("now");
        word?.line.classList.add("now");
        if (word && !player.audio.paused) follow(word.line);
      }
      lit = word;
    }

    /** Move the lyrics alone, not the page. */
    function follow(line) {
      lyrics.scrollTop = line.offsetTop - lyrics.clientHeight / 2;
    }

    function fillLyrics(data, spaced) {
      const { columns, sizes } = data;
      const at = (name, row) => rasen.valueOf(columns[name], row);
      lines = Array.from({ length: sizes.lines }, (_, row) => {
        const kept = at("line_kept", row);
        const start = at("line_start", row);
        const node = el("p", { class: kept ? "line" : "line dropped" });
        if (kept && start !== null)
          node.append(
            el("button", { type: "button", class: "quiet from", "aria-label": `Play from ${rasen.clock(start)}`, onclick: () => player.seek(start) }, rasen.clock(start)),
          );
        else node.append(el("span", { class: "quiet from", title: at("line_reason", row) }, "not found"), at("line_text", row));
        if (at("line_backing", row)) node.append(el("span", { class: "quiet" }, "(backing) "));
        return node;
      });
      sung = [];
      for (let row = 0; row < sizes.words; row++) {
        const line = lines[at("word_line", row)];
        const recovered = at("word_source", row) === "recovered";
        const word = el("span", { class: recovered ? "word recovered" : "word", title: recovered ? "heard, not in the lyrics" : null }, at("word_word", row));
        line.append(word, spaced ? " " : "");
        const [start, end] = [at("word_start", row), at("word_end", row)];
        if (start !== null) sung.push({ start, end, node: word, line });
      }
      sung.sort((a, b) => a.start - b.start);
      lyrics.replaceChildren(...lines);
    }

    async function open(row) {
      title.textContent = row.song;
      facts.textContent = [
        row.artist === row.song ? null : row.artist,
        row.seconds === null ? null : rasen.clock(row.seconds),
        row.language || null,
        row.music_key || null,
        row.tempo ? `${words.number(row.tempo)} beats a minute` : null,
        row.loudness === null ? null : `${words.number(row.loudness).replace("-", "−")} LUFS`,
        row.license || null,
        LYRICS[row.lyrics],
        WAYS[row.way],
      ].filter(Boolean).join(" · ");
      faults.replaceChildren(
        ...(reasons.get(row.song) || []).map((one) =>
          el("p", { class: "told" }, el("b", {}, `Rejected at ${one.stage}: ${one.meaning}. `), `${one.detail}. `, el("i", {}, `Cure: ${one.cure}.`)),
        ),
      );
      player.pause();
      [sung, lit, lines, sections] = [[], null, [], []];
      lyrics.replaceChildren();
      panel.node.hidden = !row.drawn;
      if (!row.drawn) return;
      const names = { mix: "recording", vocals: "voice", accompaniment: "accompaniment" };
      const there = Object.keys(names).filter((name) => row[name]);
      sound.set(there.map((name) => ({ value: row[name], text: names[name] })), row[there[0]]);
      player.open(row[there[0]] || "", row.song, row.seconds);
      const { columns, sizes, values } = await rasen.data.load("song_wave", { song: row.song });
      if (shown !== row.song) return;
      sections = Array.from({ length: sizes.sections }, (_, one) => ({
        start: columns.section_start[one],
        end: columns.section_end[one],
        label: rasen.valueOf(columns.section_label, one),
      }));
      panel.told(
        "Pale: the recording; strong: the separated voice. Above: the sections that were found. " +
          "Click, drag or use the arrow keys to move; the space bar plays.",
      );
      wave.show({
        seconds: values.seconds,
        columnsS: values.columns_s,
        sounds: ["mix", "vocals"].map((name) => ({ name, bytes: columns[name] })),
        sections,
      });
      blank.textContent = "";
      const known = rasen.data.parts("song_lyrics").some((part) => part.song === row.song);
      if (!known) blank.textContent = row.lyrics === "none" ? "An instrumental." : "No words of this song are in these results.";
      else {
        try {
          const data = await rasen.data.load("song_lyrics", { song: row.song });
          if (shown !== row.song) return;
          fillLyrics(data, !UNSPACED.includes(row.language));
        } catch (error) {
          if (shown !== row.song) return;
          // an archive has no lyrics unless they are asked for
          blank.textContent = `The lyrics are not in this copy (share: {with: [lyrics]} packs them): ${error.message}`;
        }
      }
      if (shown !== row.song) return;
      player.seek(Number(rasen.state.get("t", 0)) || 0);
      panel.refresh();
    }

    return {
      async show() {
        const song = rasen.state.choose("song", [...places.keys()]);
        const time = rasen.state.get("t");
        if (song === shown && time && time !== sought) player.seek(Number(time) || 0); // a link into this song
        sought = time;
        if (song === shown || song === undefined) return;
        shown = song;
        list.select(places.get(song));
        await open(songs[places.get(song)]);
      },
    };
  },
});
}
