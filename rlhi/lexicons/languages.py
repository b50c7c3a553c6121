"""Languages by name: what logs and users call them, and their ISO 639-1 codes."""

from __future__ import annotations

import re

from rlhi.lexicons import WHOLE

CODES: dict[str, str] = {
    "Arabic": "ar", "Bengali": "bn", "Bulgarian": "bg", "Catalan": "ca", "Chinese": "zh", "Croatian": "hr",
    "Czech": "cs", "Danish": "da", "Dutch": "nl", "English": "en", "Estonian": "et", "Finnish": "fi",
    "French": "fr", "German": "de", "Greek": "el", "Hebrew": "he", "Hindi": "hi", "Hungarian": "hu",
    "Indonesian": "id", "Italian": "it", "Japanese": "ja", "Korean": "ko", "Latin": "la", "Latvian": "lv",
    "Lithuanian": "lt", "Malay": "ms", "Norwegian": "no", "Persian": "fa", "Polish": "pl", "Portuguese": "pt",
    "Romanian": "ro", "Russian": "ru", "Serbian": "sr", "Slovak": "sk", "Slovenian": "sl", "Spanish": "es",
    "Swahili": "sw", "Swedish": "sv", "Tagalog": "tl", "Tamil": "ta", "Thai": "th", "Turkish": "tr",
    "Ukrainian": "uk", "Urdu": "ur", "Vietnamese": "vi", "Welsh": "cy",
}  # fmt: skip

ALIASES: dict[str, str] = {
    "mandarin": "Chinese", "cantonese": "Chinese", "farsi": "Persian", "castilian": "Spanish", "filipino": "Tagalog",
    "bahasa": "Indonesian", "brazilian": "Portuguese", "flemish": "Dutch", "español": "Spanish", "espanol": "Spanish",
    "castellano": "Spanish", "deutsch": "German", "français": "French", "francais": "French", "italiano": "Italian",
    "português": "Portuguese", "portugues": "Portuguese", "nederlands": "Dutch", "polski": "Polish",
    "по-русски": "Russian", "русском": "Russian", "中文": "Chinese", "日本語": "Japanese", "한국어": "Korean",
    "svenska": "Swedish", "türkçe": "Turkish", "turkce": "Turkish",
}  # fmt: skip

NAMES: dict[str, str] = {name.lower(): name for name in CODES} | ALIASES


def is_unread(language: str | None) -> bool:
    """Whether a language is known, and no rule reads it: it has no whole lexicon.

    >>> is_unread("de"), is_unread("de-at"), is_unread("en-us"), is_unread("und"), is_unread(None)
    (True, True, False, False, False)
    """
    code = re.split("[-_]", language or "")[0]
    return code in CODES.values() and code not in WHOLE


def language_code(name: str | None) -> str | None:
    """The code of a language given by name or code; an unknown one is kept in lower case, None stays None.

    >>> language_code("English"), language_code("fr"), language_code("Klingon"), language_code(None)
    ('en', 'fr', 'klingon', None)
    """
    if not name or not name.strip():
        return None
    known = NAMES.get(name.strip().lower())
    return CODES[known] if known else name.strip().lower()
