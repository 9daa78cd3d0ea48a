"""Replies that say in other words that the passages do not hold the answer.

Prompts ask for NOT FOUND, but small models write "The passages do not mention it." Taken for an answer, such a reply
leaves the user with a wrong status. The forms are few and cover a whole sentence from its start: a sentence that only
contains a denial ("The mill was not mentioned in the will of 1742") is an answer. Seen in replies of SmolLM2-135M and
in public reports; in English, German, French, Spanish, Italian, Portuguese and Dutch.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from lcrag.text.sentences import sentences

LONGEST: Final = 40
"""Words of a sentence that may be a refusal: longer ones say something else too."""

WORDS: Final = {
    "GIVEN": "provided given supplied available retrieved above following these this the any",
    "TEXTS": "passage passages document documents text texts context notes source sources excerpt excerpts information"
    " material article",
    "HOLD": "contain hold mention provide include say state specify give have answer discuss indicate reveal cover"
    " address tell describe explain list offer suffice refer show name identify directly explicitly seem appear",
    "KNOWLEDGE": "information mention answer evidence indication reference data detail details statement record",
    "SAID": "mentioned stated specified provided given found included available known clear possible",
    "FIND": "find determine answer know see locate tell provide have identify say",
    "TEXTE": "passagen dokumente dokumenten texte texten abschnitte abschnitten quellen auszüge auszügen text dokument",
    "EXTRAITS": "passage passages document documents extrait extraits texte textes source sources informations",
    "TEXTOS": "pasajes documentos documento textos texto fragmentos fuentes información",
    "TESTI": "passaggi brani brano documenti documento testi testo fonti",
    "TRECHOS": "passagens trechos trecho documentos documento textos texto fontes",
    "TEKSTEN": "passages documenten document teksten tekst bronnen",
}
FORMS: Final = (
    # English
    "(GIVEN )*TEXTS( GIVEN)?( you provided)? (do|does|did) not HOLD .*",
    "(GIVEN )*TEXTS( GIVEN)?( you provided)? (don.t|doesn.t|didn.t|fails? to|cannot|can.t) HOLD .*",
    "(GIVEN )*TEXTS( GIVEN)?( you provided)? (has|have|contains?|gives?|provides?|mentions?|lacks?) no .*",
    "none of (GIVEN )*TEXTS HOLDs? .*",
    r"(based on|according to|from|in) (GIVEN )*TEXTS( GIVEN)?, (it is not|there is no|i can.?not|i could not|no) .*",
    r"there (is|are|was|were) (no|not enough|insufficient) (\w+ ){0,2}KNOWLEDGE .*",
    r"(no|not enough|insufficient) (\w+ ){0,2}KNOWLEDGE .*",
    r"(it|this|that|the answer|the information) (is|was) not (\w+ly )?(SAID|in (GIVEN )*TEXTS) .*",
    "(i|we) (can ?not|can.t|could not|couldn.t|am unable to|was unable to|do not|don.t|did not|didn.t) FIND .*",
    "(the answer is )?not (SAID( (in|by) (GIVEN )*TEXTS| anywhere| here| there)?|in (GIVEN )*TEXTS)",
    "not enough KNOWLEDGE .*",
    "(unanswerable|unknown|n/?a|none)",
    # German
    r"((die|der|das|den|diesen|bereitgestellten|in) )+TEXTE .*(nicht|keine?n?|nichts).*",
    r"(nicht gefunden|keine (angaben?|informationen?|antwort)|es gibt (dazu )?keine|das steht (\w+ ){0,2}nicht) .*",
    "ich (kann|konnte|habe) .*(nicht|keine).*",
    # French
    r"((les|le|ces|dans|d.après|fournis) )+EXTRAITS .*n(e |.)(\w+ )+(pas|aucune?|rien).*",
    "(non trouvé|aucune? (information|mention|réponse)|il n.y a (pas|aucune?)|je ne (peux|trouve|sais|dispose)) .*",
    # Spanish
    r"((los|las|el|la|en) )+TEXTOS no .*",
    r"(no encontrad[oa]|no hay (información|mención|respuesta|datos)|no se (menciona|encuentra|especifica|indica)) .*",
    # Italian
    r"((i|gli|il|nei) )+TESTI non .*",
    "(non trovato|non ci sono informazioni|non è (menzionato|specificato|indicato)|nessuna informazione) .*",
    # Portuguese
    r"((os|as|o|nos) )+TRECHOS não .*",
    "(não encontrad[oa]|não há informaç.*|não é mencionad[oa]|não foi encontrad[oa]|nenhuma informação) .*",
    # Dutch
    r"((de|het|in) )+TEKSTEN .*(niet|geen).*",
    "(niet gevonden|geen (informatie|antwoord|vermelding)|er is geen) .*",
)
"""Sentences without their final mark. Words in capitals stand for any of ``WORDS``; " .*" for the rest, if any."""

_POLITE: Final = r"(?:(?:i.?m sorry|i am sorry|sorry|unfortunately|however|leider|désolé|lo siento),? (?:but )?)?"


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled at the first reply: it takes 6 ms, which every command would pay at import."""
    forms = "|".join(f"(?:{form})" for form in FORMS).replace(" .*", r"\b.*")
    for name, words in WORDS.items():
        forms = re.sub(rf"\b{name}", f"(?:{'|'.join(words.split())})", forms)
    return re.compile(f"{_POLITE}(?:{forms})", re.IGNORECASE)


def refuses(text: str) -> bool:
    """Whether every sentence of a reply says that the answer is not there. False for an empty reply.

    Markers count for nothing: models cite what does not hold the answer.
    """
    bare = re.sub(r"\[\d+\]", "", text).strip().strip("*_\"'“”")
    spans = sentences(bare)
    return bool(spans) and all(is_refusal(bare[start:end]) for start, end in spans if bare[start:end].strip())


def is_refusal(sentence: str) -> bool:
    """Whether one sentence says that the answer is not there."""
    words = " ".join(sentence.split()).strip(" .!*_\"'“”")
    return len(words.split()) <= LONGEST and _pattern().fullmatch(words) is not None
