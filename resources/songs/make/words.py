"""The fixture songs' words, and the small lexicon that the models are trained on.

A line has its text as written, and is spoken word by word: English words, Japanese characters as
kana, Chinese characters as pinyin with tones.
"""

from typing import NamedTuple

PINYIN = """
    月:yue4 光:guang1 照:zhao4 在:zai4 小:xiao3 河:he2 上:shang4 夜:ye4 风:feng1 轻:qing1
    吹:chui1 过:guo4 来:lai2 我:wo3 唱:chang4 一:yi4 首:shou3 歌:ge1 给:gei3 你:ni3
    请:qing3 和:he2 起:qi3 飞:fei1 高:gao1 山:shan1 之:zhi1 有:you3 白:bai2 云:yun2
    大:da4 海:hai3 那:na4 边:bian1 是:shi4 家:jia1 天:tian1 花:hua1 开:kai1 心:xin1
"""
SPOKEN = {
    "ja": {"月": "つき", "山": "やま", "を": "お"},
    "zh": dict(pair.split(":") for pair in PINYIN.split()),
}
VOICES = {"en": "en-us", "ja": "ja", "zh": "cmn-latn-pinyin"}


class Song(NamedTuple):
    language: str
    beat: float  # seconds; four beats a bar, four bars a section
    form: tuple  # sections in their order
    words: dict  # section, with a number where it comes with other words: its lines
    speed: int
    pitch: int  # of a verse; a chorus is sung higher
    voice: str = ""  # variant of espeak-ng's voice


SONGS = {
    "river": Song(
        "en",
        0.5,
        ("intro", "verse 1", "chorus", "verse 2", "chorus", "outro"),
        {
            "verse 1": (
                "over the river the morning is gold",
                "down by the water my story is told",
            ),
            "chorus": (
                "sing with me river and carry me home",
                "under the silver moon never alone",
            ),
            "verse 2": (
                "over the mountain the evening is blue",
                "here near the valley I wait for you",
            ),
        },
        speed=112,
        pitch=45,
    ),
    "tsuki": Song(
        "ja",
        0.45,
        ("intro", "verse 1", "chorus", "verse 2", "bridge", "chorus", "outro"),
        {
            "verse 1": ("よるのそらに月がのぼる", "かわのみずにほしがうつる"),
            "chorus": ("うたえうたえ月のうた", "たかい山にとどくまで"),
            "verse 2": ("あさのかぜにとりがうたう", "はなのみちをひとがあるく"),
            "bridge": ("ゆめのなかできみにあう", "そらのいろをわすれない"),
        },
        speed=135,
        pitch=60,
    ),
    "yue": Song(
        "zh",
        0.52,
        ("intro", "verse 1", "chorus", "verse 2", "chorus", "outro"),
        {
            "verse 1": ("月光照在小河上", "夜风轻轻吹过来"),
            "chorus": ("我唱一首歌给你", "请你和我一起飞"),
            "verse 2": ("高山之上有白云", "大海那边是我家"),
        },
        speed=120,
        pitch=50,
    ),
}

# A song that no model was trained on: other lines, some new words, another voice and tempo.
HELD_OUT = {
    "lantern": Song(
        "en",
        0.6,
        ("intro", "verse 1", "chorus", "verse 2", "chorus", "bridge", "outro"),
        {
            "verse 1": (
                "little star above the winter sea",
                "we wait together here in silver rain",
            ),
            "chorus": ("my heart is a lantern carry the light", "day and night I dream for you"),
            "verse 2": (
                "morning sun is gold over the mountain",
                "blue water never told my story",
            ),
            "bridge": ("love is waiting under the moon", "stars are near the evening sky"),
        },
        speed=125,
        pitch=40,
        voice="+f3",
    ),
}


def spell(line, language):
    """The words of a line as (shown, spoken)."""
    shown = line.split() if language == "en" else [letter for letter in line if letter != " "]
    return [(word, SPOKEN.get(language, {}).get(word, word)) for word in shown]


def lines(language):
    """Every different line of a language's songs."""
    return sorted(
        {
            line
            for song in SONGS.values()
            if song.language == language
            for section in song.words.values()
            for line in section
        }
    )


def lexicon(language):
    """Every word of a language as (shown, spoken): the songs' and a few more."""
    words = {pair for line in lines(language) for pair in spell(line, language)}
    if language == "en":
        words |= {(word, word) for word in MORE.split()}
    else:
        words |= set(SPOKEN[language].items())
        if language == "ja":
            words |= {(kana, kana) for kana in KANA}
    return sorted(words)


MORE = "love light dream star sky rain sun heart night day we are in a of to and little sea"
KANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよ"
    "らりるれろわんがぎぐげござじずぜぞだでどばびぶべぼ"
)
