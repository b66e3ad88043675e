"""The sentences of the passages of TREC DL22, as short documents, with questions that they answer.

Passages of TREC DL22 have 60 to 100 words. Help pages, product texts and the sentences of an article have 10 to 30.
"""

import random
import re

from data.queries import SENTENCE, from_passage
from data.sources import Collection, Query
from data.statements import questions

# Passages without a question from one of their sentences, and queries that are made from whole passages.
OTHER_PASSAGES, OTHER_QUERIES = 1500, 2500
# Words of a sentence.
SHORTEST, LONGEST = 7, 45


def sentences(text):
    """Returns the sentences of a passage that are long enough to say something."""
    found = (re.sub(r"\s+", " ", sentence).strip() for sentence in SENTENCE.split(text))
    return [sentence for sentence in found if SHORTEST <= len(sentence.split()) <= LONGEST and not sentence.endswith("?")]


def collection(web, seed):
    """Returns the collection "sentences": questions made from single sentences, and some queries made from passages."""
    rng = random.Random(f"{seed}-sentences")
    made = Collection("sentences")
    asked, others, names, plain = {}, {}, {}, 0
    texts = list(web.passages.values())
    rng.shuffle(texts)
    for text in texts:
        found = sentences(text)
        pairs = [(question, sentence) for sentence in found for question in questions(sentence, rng)]
        if not pairs:
            plain += 1
            if plain > OTHER_PASSAGES:
                continue
        for sentence in found:
            name = names.setdefault(sentence, f"sentence-{len(names)}")
            made.passages[name] = sentence
        for question, sentence in pairs:
            asked.setdefault(question, []).append(names[sentence])
        for query in from_passage(text, rng):
            others.setdefault(query, None)
    made.queries = [Query(question, list(dict.fromkeys(answers))) for question, answers in asked.items()]
    made.queries += [Query(query) for query in rng.sample(list(others), min(len(others), OTHER_QUERIES))]
    return made
