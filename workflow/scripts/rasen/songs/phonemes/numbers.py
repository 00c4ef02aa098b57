"""Numbers in Chinese characters, as they are spoken."""

DIGITS = "零一二三四五六七八九"
LONGEST = 8  # digits; longer numbers (of telephones, ...) are read digit by digit


def spell_number(digits: str, language: str, year: bool = False) -> str:
    """A string of digits in words of "zh" or "ja": 12 is 十二."""
    if year or len(digits) > LONGEST or (digits[0] == "0" and len(digits) > 1):
        return "".join(DIGITS[int(digit)] for digit in digits)
    number = int(digits)
    if number == 0:
        return DIGITS[0]
    myriads, rest = divmod(number, 10_000)
    words = _below_myriad(myriads, language) + "万" if myriads else ""
    if words and rest and rest < 1000 and language == "zh":
        words += DIGITS[0]
    words += _below_myriad(rest, language, first=not words)
    return words


def _below_myriad(number, language, first=True):
    words, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if digit == 0:
            gap = bool(words)
            continue
        if gap and language == "zh":
            words += DIGITS[0]
        gap = False
        bare = digit == 1 and name and (language == "ja" or (unit == 10 and not words and first))
        words += ("" if bare else DIGITS[digit]) + name
    return words
