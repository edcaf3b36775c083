"""Decoding of texts: as the file states, as UTF-8, else by the encoding whose text looks most like a language.

Each candidate is decoded and rated by its letters: those of one language, common ones first, small ones inside words.
"""

from __future__ import annotations

import codecs
import re
from itertools import pairwise
from typing import NamedTuple

from knet.errors import SourceError

from .notes import Note

SAMPLE = 1 << 16  # bytes that are rated
MAX_CONTROLS = 0.01  # share of control characters in a text
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"<meta[^<>]*+>|<\?xml[^<>]*+>", re.IGNORECASE)
_CHARSET = re.compile(rb"(?:charset|encoding)\s*+=\s*+[\"']?+([a-z0-9_:.\-]{2,40})", re.IGNORECASE)
_META_WITHIN = 4096  # bytes; browsers read 1024
_CONTROLS = bytes(code for code in range(32) if code not in (8, 9, 10, 12, 13, 27))
_WEB = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "ascii": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}  # as browsers read them
_MARKS = ".,;:!?()\"'“”„‘’¿¡ "
_TYPOGRAPHY = "–—‘’‚“”„…•€™©®°§«»·×±²³½ \u00a0\u00ad¿¡"
_SINGLE: dict[str, tuple[tuple[str, str], ...]] = {
    "cp1252": (
        ("äöüßÄÖÜ", "der die das und ist im in den von zu mit bei vor wir nicht für auf ein eine sie es"),
        ("éèàêçâîôûùëïœÉÀÇ", "le la les de des et est un une à du en que qui dans pour sur pas au où"),
        ("áéíóúñüÁÉÍÓÚÑ¿¡", "el la los las de y en que es un una por con para se del al no"),
        ("ãçáéêíóõâàúÃÇÁÉ", "o a os as de e do da em um uma que com para não se é"),
        ("àèéìòùÈÀ", "il la di e che in un una per con non è del della si"),
        ("åäöÅÄÖé", "och att det i en är som för på av med den inte"),
        ("æøåÆØÅé", "og at det i en er som for på af med den ikke til"),
        ("ëéïèöü", "de het een en van is in op te dat die niet zijn met"),
        ("áðéíóúýþæö", "og að í er á sem ekki við um hann"),
    ),
    "cp1250": (
        ("ąćęłńóśźżŁŚŻŹĆ", "i w na się z do jest nie to że o przy jak po od za dla"),
        ("áčďéěíňóřšťúůýžČŘŠŽÚ", "a je v na se že s z do to pro jako po při před už"),
        ("áéíóöőúüűÁÉÖŐÜ", "a az és egy hogy nem is ez meg van már volt előtt"),
        ("čšžćđČŠŽĆĐ", "je in i u na se da za od su ne po kot"),
        ("ăâîşţĂÂÎŞŢ", "și şi de la în a cu nu este un o pe din pentru"),
        ("áäčďéíĺľňóôŕšťúýžČŠŽĽ", "a je v na sa že s z do to pre ako po pri už"),
    ),
    "cp1254": (("çğıöşüİÇŞÖÜĞâ", "bir ve bu için da de ne ile çok daha önce değil var"),),
    "cp1257": (
        ("āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ", "un ir no uz ar par pie kas ka bet lai tas"),
        ("ąčęėįšųūžĄČĘĖĮŠŲŪŽ", "ir yra kad į iš su kaip ne tai ar prieš jau kur apie"),
        ("äõöüšžÄÕÖÜŠŽ", "ja on ei et see ta kui oma mis ka"),
    ),
}  # letters and frequent words of the languages of an encoding
_COMMON = {
    "cyrillic": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґ",
    "greek": "αοιετσνηυρπκμλςωδθγχφβξζψάέήίόύώ",
    "hebrew": "יוהלאתרמבשנעםדחקפגכטסזןצץךף",
    "arabic": "اليمونترسبدعفقكحجهشطصخذضغظزثةىءأإؤئآ",
    "thai": "านรอกเงมยลวดทสตปบคหจชพขแใไโผถฟซึัิ่้ี์ุูะำ็ืฯญณธฐศษภฉ",
}  # the common letters first
_SCRIPTS = {
    "cp1251": "cyrillic",
    "koi8-r": "cyrillic",
    "koi8-u": "cyrillic",
    "cp866": "cyrillic",
    "iso8859-5": "cyrillic",
    "cp1253": "greek",
    "cp1255": "hebrew",
    "cp1256": "arabic",
    "cp874": "thai",
    "iso8859-6": "arabic",
}
_OTHERS = {
    "iso8859-2": "cp1250",
    "iso8859-15": "cp1252",
    "mac_roman": "cp1252",
    "cp850": "cp1252",
    "iso8859-13": "cp1257",
    "cp437": "cp1252",
}
_MULTIBYTE = ("iso2022_jp", "cp932", "euc_jp", "gb18030", "big5", "cp949")
_FREQUENT = {
    "gb18030": (
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所"
        "然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实阀门时启泵压力水打"
    ),
    "big5": (
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡"
        "用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實"
    ),
    "cp932": "のにはをたがでてとしれさるいなあるすもかこ、。",
    "euc_jp": "のにはをたがでてとしれさるいなあるすもかこ、。",
    "iso2022_jp": "のにはをたがでてとしれさるいなあるすもかこ、。",
    "cp949": "이다의가에는을를로한고하지은도기사서자나어리시대인일아들",
}


class Decoded(NamedTuple):
    """A text, and the encoding that was guessed for it, else empty."""

    text: str
    guess: str = ""

    @property
    def notes(self) -> tuple[Note, ...]:
        return (Note(kind="guessed_encoding", detail=self.guess),) if self.guess else ()


def decode(data: bytes, where: str, *, stated: str = "", markup: bool = False) -> Decoded:
    """Return the text of some bytes. ``stated`` is the encoding that the owner or a server names.

    Order: ``stated``, a byte order mark, what ``markup`` says of itself, UTF-8, and a guess. Raises SourceError for
    bytes that are not a text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark) and not (encoding == "utf-16" and stated):
            return Decoded(_strict(data, encoding, where))
    if stated:
        return Decoded(_strict(data, known_encoding(stated, where), where))
    if wide := _wide(data):
        return Decoded(_strict(data, wide, where), wide)
    if b"\0" in data or sum(data[:SAMPLE].count(code) for code in _CONTROLS) > MAX_CONTROLS * len(data[:SAMPLE]):
        raise SourceError(f"{where} holds binary data, not text.", hint="Leave it out.")
    tags = _META.findall(data, 0, _META_WITHIN) if markup else []
    named = next(filter(None, map(_CHARSET.search, tags)), None)
    try:
        if not named:
            return Decoded(_utf8(data))
        return Decoded(data.decode(known_encoding(named[1].decode(), where)))
    except (UnicodeDecodeError, SourceError):
        return _guessed(data, where)


def _utf8(data: bytes) -> str:
    if b"\x1b$" in data[:SAMPLE] or b"\x1b(" in data[:SAMPLE]:  # the shifts of ISO-2022-JP are ASCII too
        try:
            return data.decode("iso2022_jp")
        except UnicodeDecodeError:
            pass
    return data.decode()


def known_encoding(name: str, where: str) -> str:
    """Return the encoding with this name, as browsers understand it. Raises SourceError."""
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise SourceError(
            f"{where}: there is no encoding {name!r}.", hint="Name one as in `-o encoding=cp1252`."
        ) from error
    return _WEB.get(found, _WEB.get(name.lower(), found))


def _strict(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise SourceError(
            f"{where} is not a text in {encoding}.", hint="Name its encoding with `-o encoding=`."
        ) from error


def _wide(data: bytes) -> str:
    """Return the kind of UTF-16 whose high bytes are zero where it writes ASCII, or ``""``."""
    sample = data[:SAMPLE]
    if len(sample) < 4 or len(data) % 2:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > 0.4 * half and even < 0.02 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.02 * half else ""


def _guessed(data: bytes, where: str) -> Decoded:
    sample = data[:SAMPLE]
    best, found = 0.0, ""
    for encoding in (*_MULTIBYTE, *_SINGLE, *_SCRIPTS, *_OTHERS):
        score = _score(sample, encoding, whole=len(data) <= SAMPLE)
        if score > best + 0.01:
            best, found = score, encoding
    if not found:
        raise SourceError(
            f"{where} has an unknown text encoding.", hint="Save it as UTF-8, or name it with `-o encoding=`."
        )
    return Decoded(data.decode(found, "replace"), found)


def _score(sample: bytes, encoding: str, *, whole: bool) -> float:
    """Return how much a text looks like a language in this encoding, from 0 to about 1."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        return 0.0
    foreign = [character for character in text if character > "\x7f"]
    if not foreign or any("\x80" <= character <= "\x9f" or character == "\ufffd" for character in foreign):
        return 0.0
    if encoding in _MULTIBYTE:
        return _of_asia(text, foreign, encoding)
    if encoding in _SCRIPTS:
        return _of_script(text, foreign, _COMMON[_SCRIPTS[encoding]])
    usual = encoding if encoding in _SINGLE else _OTHERS[encoding]
    found = [word.strip(_MARKS) for word in text.casefold().split()]
    score = max(_of_language(foreign, letters, found, words) for letters, words in _SINGLE[usual])
    return score * _shape(text) * (1.0 if encoding in ("cp1252", "cp1250") else 0.97 if encoding in _SINGLE else 0.9)


def _of_language(foreign: list[str], letters: str, found: list[str], frequent: str) -> float:
    known = sum(character in letters for character in foreign)
    marks = sum(character in _TYPOGRAPHY and character not in letters for character in foreign)
    usual = set(frequent.split())
    share = sum(word in usual for word in found) / max(1, len(found))
    rare = 0.9 if "þ" in letters else 1.0  # Icelandic has the letters that others have in their own encodings
    return rare * ((known + 0.95 * marks) / len(foreign) + 0.3 * min(share, 0.4))


def _of_script(text: str, foreign: list[str], common: str) -> float:
    letters = [character.lower() for character in foreign if character.isalpha() or character in common]
    if 2 * len(letters) < len(foreign):
        return 0.0
    rank = {character: 1 - position / (2 * len(common)) for position, character in enumerate(common)}
    marks = sum(character in _TYPOGRAPHY for character in foreign)
    if _is_mixed(text, len(letters)) or _in_capitals(text):
        return 0.0
    return (sum(rank.get(letter, 0.0) for letter in letters) * 1.25 + marks) / len(foreign) * _shape(text)


def _of_asia(text: str, foreign: list[str], encoding: str) -> float:
    usual = set(_FREQUENT[encoding])
    known = sum(
        "\u3000" <= character <= "\u30ff"
        or "\u4e00" <= character <= "\u9fff"
        or "\uac00" <= character <= "\ud7a3"
        or "\uff00" <= character <= "\uff60"
        for character in foreign
    )
    frequent = sum(character in usual for character in foreign)
    if _is_mixed(text, len(foreign)):
        return 0.0
    return 0.55 * known / len(foreign) + min(0.7, 3 * frequent / len(foreign))


def _is_mixed(text: str, letters: int) -> bool:
    """Tell if many words have letters of two scripts, or if those of the other script are single letters."""
    pairs = [(a > "\x7f", b > "\x7f") for a, b in pairwise(text) if a.isalpha() and b.isalpha()]
    mixed = sum(a != b for a, b in pairs)
    return 4 * mixed > letters or sum(a and b for a, b in pairs) < 0.3 * letters


def _in_capitals(text: str) -> bool:
    """Tell if nearly all letters beyond ASCII are capitals: the small ones of another encoding."""
    upper = sum(character > "\x7f" and character.isupper() for character in text)
    return upper > 4 * sum(character > "\x7f" and character.islower() for character in text) and upper > 3


def _shape(text: str) -> float:
    """Return a penalty for capital letters after small ones, and for marks inside words."""
    bad = pairs = 0
    for before, after, following in zip(text, text[1:], text[2:] + " ", strict=False):
        if max(before, after) <= "\x7f" or not before.isalpha():
            continue
        pairs += 1
        if after.isalpha():
            bad += before.islower() and after.isupper()
        elif after > "\x7f" and following.isalpha() and after not in "’—–\u00ad·":
            bad += 1
    return max(0.0, 1 - 2 * bad / pairs) if pairs else 1.0
