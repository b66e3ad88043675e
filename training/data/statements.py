"""Makes questions from statements: "You can return goods within 30 days" gives "how can i return goods".

Each question is answered by the sentence that it is made from, so the sentence is a labeled answer.
"""

import re

NAME = r"[A-Z][\w'’-]+(?: (?:of |the |and )?[A-Z][\w'’-]+){0,3}"
SUBJECT = rf"(?:(?:The|A|An) [\w'’ -]{{3,40}}?|{NAME})"
END = r"(?=[,.;(]| which | that | who | because | when | if |$)"
# A pattern, and the forms of the question; each form has the groups of the pattern.
PATTERNS = tuple(
    (re.compile(pattern), forms)
    for pattern, forms in (
        (
            rf"^({SUBJECT}) (was|were) ((?:first |officially |originally )?\w+(?:ed|en|wn|lt|nt|ought))\b[^,.;]{{0,40}}? (?:in|on) [^,.;]{{0,14}}\d{{4}}",
            ("when {1} {0} {2}", "in what year {1} {0} {2}"),
        ),
        (
            rf"^({SUBJECT}) (is|are|was|were) (located|situated|found|based|born|held|grown|produced|built|made) (?:in|on|at|near) ",
            ("where {1} {0} {2}",),
        ),
        (
            rf"^({NAME}) (invented|discovered|founded|wrote|designed|built|painted|composed|directed|developed|introduced) (?:the |a |an )?([\w'’ -]{{4,40}}?){END}",
            ("who {1} {2}", "who {1} the {2}"),
        ),
        (
            r"[Yy]ou (can|may|could) ([a-z]+ (?:your |the |a |an )?[\w'’ -]{4,40}?) (?:by|with|within|in|from|at|through|using|on|for|if|when|until|up to) ",
            ("how can i {1}", "how do i {1}", "can i {1}", "how to {1}"),
        ),
        (
            rf"[Yy]ou (?:must|should|need to|have to|will need to) ([a-z]+ (?:your |the |a |an )?[\w'’ -]{{4,40}}?){END}",
            ("do i need to {0}", "should i {0}", "what do i need to {0}"),
        ),
        (
            r"^To ([a-z]+ (?:your |the |a |an )?[\w'’ -]{4,45}?),",
            ("how do i {0}", "how to {0}", "how can i {0}", "what is the way to {0}"),
        ),
        (r"\b[Ii]f you ([a-z]+ [\w'’ -]{4,40}?), ", ("what happens if i {0}", "what should i do if i {0}")),
        (rf"^({SUBJECT}) (is|are) ([\w'’ -]{{4,30}}?) because ", ("why {1} {0} {2}",)),
        (
            rf"^({SUBJECT}) (?:has|have|contains?|consists? of|includes?) (?:about |over |more than |nearly )?(?:\d[\d,]*|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty) ([a-z'’-]+(?: [a-z'’-]+)?s)\b",
            ("how many {1} does {0} have", "how many {1} are in {0}"),
        ),
        (
            rf"^({SUBJECT}) (takes?|lasts?) (?:about |around |approximately |up to )?(?:\w+ )?(?:to )?(?:\w+ )?(?:minutes|hours|days|weeks|months|years)\b",
            ("how long does {0} take", "how long does {0} last"),
        ),
        (
            rf"^({SUBJECT}) (?:costs?|ranges? from|averages?|sells? for) [^.]{{0,20}}\$",
            ("how much does {0} cost", "what is the price of {0}"),
        ),
        (rf"^({SUBJECT}) (is|are|was|were) (?:a|an|the) ", ("what {1} {0}", "define {0}")),
        (rf"^({SUBJECT}) (?:is|are) caused by ", ("what causes {0}",)),
        (rf"^({SUBJECT}) (?:is|are) used (?:to|for|as|in) ", ("what is {0} used for", "why use {0}")),
    )
)
PRONOUNS = frozenset(
    "it this that there he she they you we i these those one some most many all here his her their its our if when".split()
)
WORDS = (4, 14)
# Words that a sentence has for its neighbors, and forms that the patterns get wrong.
ODD = re.compile(r"(?<= i )(?:also|even|only|just|simply|still|always|then) |(?<= to )(?:also|even|only|just|simply) ")
WRONG = re.compile(r"\bi (?:are|have been|may|can|not|never)\b| (?:it|them|this|that|these|those|him|her|so|be)(?: |\?|$)")


def own_words(subject):
    """Whether a subject names something, instead of standing for it."""
    return subject.split()[0].lower() not in PRONOUNS and subject.split()[-1].lower() not in PRONOUNS


def questions(sentence, random):
    """Returns at most one question that the sentence answers."""
    for pattern, forms in PATTERNS:
        match = pattern.search(sentence)
        if match and own_words(match[1]):
            question = re.sub(r"\s+", " ", random.choice(forms).format(*match.groups())).lower()
            question = ODD.sub("", question.replace("your ", "my "))
            if WORDS[0] <= len(question.split()) <= WORDS[1] and not WRONG.search(question):
                # People type questions with and without the mark.
                return [question + random.choice(("", "?"))]
    return []
