"""Makes queries from passages: their questions, definitions, headings and frequent phrases.

The teachers score any pair, so a query needs no labeled answer. It should look like what people type.
"""

import re

SENTENCE = re.compile(r"(?<=[.!?:])\s+")
DEFINITION = re.compile(
    r"^(?:The |A |An )?([A-Z]?[\w'’ -]{3,45}?) "
    r"(is|are|was|were|refers to|means|causes?|costs?|takes?|happens?|helps?|contains?|requires?) "
)
PRONOUNS = frozenset(
    "it this that there he she they you we i these those one some most many all here his her their its our your my if when".split()
)
QUESTION_FORMS = {
    "is": "what is {}",
    "are": "what are {}",
    "was": "what was {}",
    "were": "what were {}",
    "refers to": "define {}",
    "means": "what does {} mean",
    "cause": "what do {} cause",
    "causes": "what does {} cause",
    "cost": "how much do {} cost",
    "costs": "how much does {} cost",
    "take": "how long do {} take",
    "takes": "how long does {} take",
    "happens": "when does {} happen",
    "helps": "how does {} help",
    "contains": "what does {} contain",
    "requires": "what does {} require",
}
PHRASE_FORMS = (
    "{}",
    "what is {}",
    "{} definition",
    "how does {} work",
    "types of {}",
    "{} cost",
    "benefits of {}",
    "where is {}",
    "why is {} important",
    "how to {}",
    "{} symptoms",
    "difference between {} and other",
)
STOP = frozenset(
    "a an and are as at be but by for from had has have he her his how if in into is it its no not of on or she so such than that "
    "the their then there these they this to was we were what when where which who why will with you your can may more most also "
    "about after all any been being both do does during each first get his i like many much must new one other our out over own "
    "same should some them through too two under up use used very who within without would".split()
)


def tidy(text):
    """Returns a query in lowercase with single spaces."""
    return re.sub(r"\s+", " ", text).strip(" .?!,;:-\"'").lower()


def own_questions(text):
    """Returns the questions that a passage contains."""
    found = []
    for sentence in SENTENCE.split(text):
        if sentence.endswith("?") and 4 <= len(sentence.split()) <= 16:
            found.append(tidy(sentence))
    return found


def definitions(text):
    """Returns questions that the passage's sentences answer: "Dew is ..." gives "what is dew"."""
    found = []
    for sentence in SENTENCE.split(text)[:5]:
        match = DEFINITION.match(sentence)
        if match and match[1].split()[0].lower() not in PRONOUNS and len(match[1].split()) <= 6:
            form = QUESTION_FORMS.get(match[2], "what {} " + match[2])
            found.append(form.format(match[1].lower()))
    return found


def headings(text):
    """Returns short first parts that end with a colon or begin a list of sentences."""
    first = SENTENCE.split(text)[0]
    return [tidy(first)] if 3 <= len(first.split()) <= 10 and not first.endswith("?") else []


def phrases(text):
    """Returns runs of two to four words that occur at least twice and contain no stop word."""
    words = re.findall(r"[a-z][a-z'’-]+|[0-9]+|[.,;:!?()]", text.lower())
    counts = {}
    for size in (4, 3, 2):
        for start in range(len(words) - size + 1):
            run = words[start : start + size]
            if all(word[0].isalpha() and word not in STOP for word in run):
                counts[" ".join(run)] = counts.get(" ".join(run), 0) + 1
    repeated = [phrase for phrase, count in counts.items() if count >= 2]
    return sorted(repeated, key=lambda phrase: -len(phrase))[:2]


def from_passage(text, random):
    """Returns at most two queries of different kinds for a passage."""
    candidates = own_questions(text)[:2] or definitions(text)[:2]
    found = phrases(text)
    if found:
        candidates.append(random.choice(PHRASE_FORMS).format(random.choice(found)))
    if not candidates:
        candidates = headings(text)
    random.shuffle(candidates)
    return candidates[:2]


def from_passages(passages, count, random):
    """Returns up to `count` distinct queries."""
    order = list(passages)
    random.shuffle(order)
    found = {}
    for text in order:
        for query in from_passage(text, random):
            found.setdefault(query, None)
        if len(found) >= count:
            break
    return list(found)[:count]
