"""Texts in twenty encodings, read without a statement of theirs."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from knet_indexer.sources.charset import decode

PER_ENCODING = 10
SENTENCES = {
    "de": "Das Ventil öffnet bei drei Bar.|Vor dem Start prüfen wir die Schläuche."
    "|Die Völker fliegen über blühende Wiesen.|Größere Mengen gehören in den Kühlraum.|Der Überdruck fällt nachts.",
    "fr": "La vanne s’ouvre à trois bars.|Le café est fermé à midi.|Vérifiez l’étanchéité après l’arrêt."
    "|Où est la clé ?"
    "|C’était déjà prévu l’année dernière.",
    "es": "La válvula se abre a tres bares.|El niño comió mañana.|¿Dónde está la presión máxima?"
    "|Según el técnico, sí."
    "|La inspección terminó ayer.",
    "pl": "Zawór otwiera się przy trzech barach.|Zażółć gęślą jaźń.|Sprawdź ciśnienie i wąż.|Woda jest już gorąca."
    "|Część główna jest źle położona.",
    "cs": "Ventil se otevírá při třech barech.|Příliš žluťoučký kůň.|Zkontrolujte těsnění před spuštěním."
    "|Voda je už horká.|Hlavní část je špatně umístěna.",
    "hu": "A szelep három bárnál nyílik.|Árvíztűrő tükörfúrógép.|Ellenőrizze a nyomást indítás előtt."
    "|A víz már forró."
    "|Rövid ideig működött a gőz.",
    "ru": "Клапан открывается при трёх барах.|Проверьте давление перед пуском.|Вода уже горячая.|Где находится ключ?"
    "|Основная часть установлена неверно.",
    "el": "Η βαλβίδα ανοίγει στα τρία μπαρ.|Ελέγξτε την πίεση πριν από την εκκίνηση.|Το νερό είναι ζεστό."
    "|Πού είναι το κλειδί;|Το κύριο μέρος δεν είναι σωστό.",
    "tr": "Vana üç barda açılır.|Başlamadan önce basıncı kontrol edin.|Su artık sıcak, dışarısı soğuk."
    "|Anahtar nerede, çocuğum?"
    "|Ana parça yanlış yerleştirilmiş.",
    "he": "השסתום נפתח בשלושה בר.|בדקו את הלחץ לפני ההפעלה.|המים כבר חמים.|איפה המפתח?|החלק הראשי אינו במקומו.",
    "ar": "يفتح الصمام عند ثلاثة بار.|تحقق من الضغط قبل التشغيل.|الماء ساخن الآن.|أين المفتاح؟"
    "|الجزء الرئيسي ليس في مكانه.",
    "lt": "Vožtuvas atsidaro esant trims barams.|Prieš paleidimą patikrinkite slėgį."
    "|Vanduo jau karštas, ąžuolų šaknis."
    "|Kur yra raktas, mieląjį?|Pagrindinė dalis įdėta neteisingai, žiūrėkite.",
    "th": "วาล์วเปิดที่สามบาร์|ตรวจสอบแรงดันก่อนเริ่ม|น้ำร้อนแล้ว|กุญแจอยู่ที่ไหน|ส่วนหลักวางไม่ถูกต้อง",
    "zh": "阀门在三巴时打开。|启动水泵之前请先检查压力。|水已经很热了。|钥匙在哪里？|主要部分的位置不对。",
    "tw": "閥門在三巴時打開。|啟動水泵之前請先檢查壓力。|水已經很熱了。|鑰匙在哪裡？|主要部分的位置不對。",
    "ja": "バルブは三バールで開きます。|始動の前に圧力を確認してください。|水はもう熱いです。"
    "|鍵はどこにありますか。|主な部分の位置が違います。",
    "ko": "밸브는 삼 바에서 열립니다.|시작하기 전에 압력을 확인하십시오.|물은 이미 뜨겁습니다."
    "|열쇠는 어디에 있습니까?|주요 부분의 위치가 잘못되었습니다.",
    "en": "The valve — “main” — costs 5 € and opens at 3 bar.|It’s 20° warm; the café is open…|Smith’s “rule” holds."
    "|A naïve résumé – read twice.|Price: €12 • size: 3½.",
}
ENCODINGS = {
    "cp1252": "en de fr es",
    "iso8859-1": "de es",
    "iso8859-15": "de fr es",
    "mac_roman": "en de fr",
    "cp1250": "pl cs hu",
    "iso8859-2": "pl cs hu",
    "cp1251": "ru",
    "koi8-r": "ru",
    "cp866": "ru",
    "cp1253": "el",
    "cp1254": "tr",
    "cp1255": "he",
    "cp1256": "ar",
    "cp1257": "lt",
    "cp874": "th",
    "gb18030": "zh",
    "big5": "tw",
    "shift_jis": "ja",
    "euc_jp": "ja",
    "euc_kr": "ko",
}


def encodings_part(axes: Axes) -> tuple[dict[str, float], dict[str, Any]]:
    """Read ten texts in each of twenty encodings: single sentences, and pairs of them."""
    right: dict[str, float] = {}
    wrong: list[dict[str, str]] = []
    untold = 0
    for encoding, languages in ENCODINGS.items():
        found = 0
        texts = texts_for(encoding, languages.split())
        for text in texts:
            read = decode(text.encode(encoding), "text")
            found += read.text == text
            if read.text != text:
                untold += not read.notes
                wrong.append({"encoding": encoding, "guess": read.guess, "text": text, "read": read.text})
        right[encoding] = found / len(texts)
    axes.barh(list(right), list(right.values()))
    axes.invert_yaxis()
    axes.set(xlabel="share of texts read to the character", title="Encodings")
    share = sum(right.values()) / len(right)
    return {"encoding_right": round(share, 4), "encoding_untold": untold}, {"right": right, "wrong": wrong}


def texts_for(encoding: str, languages: list[str]) -> list[str]:
    """Return ten texts that an encoding can write, and that are not the same bytes in ASCII."""
    single = [text for language in languages for text in SENTENCES[language].split("|")]
    pairs = [f"{a} {b}" for a, b in zip(single, single[1:] + single[:1], strict=True)]
    fitting = []
    for text in single[::2] + pairs + single[1::2]:
        text = text.replace("’", "'") if encoding.startswith("iso") else text
        try:
            if not text.isascii() and text.encode(encoding).decode(encoding) == text:
                fitting.append(text)
        except UnicodeEncodeError:
            continue
    return fitting[:PER_ENCODING]
