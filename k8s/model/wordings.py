"""Varies the wording of a question: other phrases, polite edges, dropped words, typing errors."""

import re
from random import Random

# the first pattern that fits gives the other ways to say the same
PHRASES = [
    (r"what (?:is|are) (?:an? |the )?(?P<x>[^?]+)\??", [
        "what's {x}", "tell me about {x}", "explain {x}", "define {x}", "describe {x}", "{x}",
        "{x}?", "what does {x} mean", "what is {x}", "what is meant by {x}", "what are {x}s",
        "what are {x}s for", "what is the purpose of {x}", "what is the idea of {x}",
        "I do not understand {x}", "can you explain {x}?", "a short definition of {x}",
        "how does {x} work", "who or what is {x}", "why is there {x}", "use of {x}",
        "what is the job of the {x}", "what is {x} good for", "when do I need {x}",
    ]),
    (r"what does (?:an? |the )?(?P<x>.+) (?:do|mean)\??", [
        "{x}", "{x}?", "what is {x} doing", "what is {x}", "the use of {x}", "explain {x}",
        "tell me what {x} does", "what is {x} for", "I see {x}", "what {x} means",
    ]),
    (r"(?:explain|tell me about) (?:an? |the )?(?P<x>.+)", [
        "what is {x}", "describe {x}", "what about {x}", "say something about {x}",
        "I want to learn about {x}", "teach me {x}", "{x} explained", "how do {x} work",
        "{x}, what is that?", "explain what {x} is", "tell me how {x} works", "what are {x}",
    ]),
    (r"how do i (?P<x>[^?]+)\??", [
        "how can I {x}", "how to {x}", "how would I {x}", "I want to {x}", "I need to {x}",
        "what is the command to {x}", "is there a way to {x}", "show me how to {x}", "{x}",
        "can I {x}", "how could one {x}", "how does one {x}", "help me {x}", "how should I {x}",
        "which command do I use to {x}", "the way to {x}", "I would like to {x}", "how I {x}",
    ]),
    (r"why (?P<be>is|are|was|were) (?P<x>[^?]+)\??", [
        "why {be} {x} so", "what is the reason that {x}", "how come {x}", "{x}", "{x}, why?",
        "what if {x}", "what does it mean when {x}", "help, {x}",
    ]),
    (r"my (?P<x>[^?]+)\??", [
        "the {x}", "our {x}", "why my {x}", "help, my {x}", "it seems that my {x}", "{x}",
        "what do I do when my {x}", "what happens when my {x}",
    ]),
]  # fmt: skip
PHRASES = [(re.compile(pattern + "$", re.IGNORECASE), forms) for pattern, forms in PHRASES]

SAME = [
    {"delete", "remove", "erase", "uninstall"},
    {"see", "view", "check", "look at", "inspect", "read"},
    {"list", "show", "display"},
    {"create", "make", "build", "write"},
    {"start", "launch", "begin"},
    {"restart", "reboot"},
    {"pull", "download", "fetch", "get"},
    {"shell", "terminal"},
    {"crash", "crashes", "fail", "fails", "die", "dies"},
    {"crashed", "failed", "died", "broke"},
    {"fast", "quick", "quickly"},
    {"slow", "so slow", "very slow"},
    {"store", "keep", "save", "put"},
    {"more", "additional", "further"},
    {"laptop", "computer", "machine"},
    {"settings", "configuration"},
    {"password", "passwords", "credential"},
    {"undo", "revert", "roll back"},
    {"need", "require"},
    {"loaded", "currently loaded", "running"},
    {"all", "all my", "every", "all the"},
    {"stuck", "waiting", "hanging"},
    {"my", "the", "a", "our", "this"},
    {"find", "discover", "locate"},
    {"many", "lots of"},
    {"image", "container image"},
    {"measure", "test", "compute"},
    {"use", "used for", "using"},
]
DROP_SHARE, LOSE_SHARE, FILL_SHARE = 0.2, 0.3, 0.35
SWAPS = {word: sorted(group - {word}) for group in SAME for word in group}

BEFORE = [
    "please ", "could you please ", "can you tell me ", "I wonder ", "hi, ", "hello, ", "ok, ",
    "so, ", "well, ", "quick question: ", "question: ", "now ", "and ", "sorry, ", "again: ",
    "in short, ", "do you know ", "I ask you ", "remind me, ", "one thing: ", "my question is ",
    "I would like to know ", "let me know ", "just ", "could you explain ", "for me: ",
]  # fmt: skip
AFTER = [
    " please", " thanks", "!", "...", " then", " now", " exactly", " in short", " again", " here",
    " for a beginner", " in one sentence", " in Kubernetes", " in my cluster", " in the lab",
    " really", " for me", " today", "? anyone", " what now", " if you can", " from here",
]  # fmt: skip
SMALL = set("a an the do does did is are was i my me to of in on it for with and from".split())
HOLLOW = SMALL | set("what why how which who where when can will you tell about explain".split())
# common words that change nothing: the model must learn to look past what it has never seen
FILLERS = """
able about actually after again all already also always any anyone anything around as ask at away
back because been before being best better between big bit both but by called came cannot case
certain clear come could course day days deal did different doing done down during each easy else
enough even ever every everything exact example fact far feel few first following found full
further general give goes going gone good got great had half happens hard has have having he her
here him his hours however idea if instead into it's its itself job just keep kind know known last
later least less let like likely little live long look lot main make matter may maybe mean meaning
means might mind minute minutes moment more most much must myself name need never new next nice no
nor nothing often old once one only or order other our out over own part people perhaps place
point possible problem proper purpose question quite rather real really reason right said same say
says second seems seen sense several shall short should show side simple simply since small so some
somebody someone something sometimes somewhere soon sort still such sure take talk tell term than
that that's their them then there these they thing things think this those though thought through
time times together too topic tried true try trying turn two under understand until up upon us
usual usually very want was way we week well went were whole wish within without word words work
world would year yes yet you your
""".split()
TYPO_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def vary(question: str, random: Random) -> str:
    """The question, said otherwise: what it asks for stays, how it is asked changes."""
    if random.random() < 0.45:
        question = rephrase(question, random)
    if random.random() < 0.3:
        question = swap_word(question, random)
    if random.random() < DROP_SHARE:
        question = drop_words(question, random)
    if random.random() < LOSE_SHARE:
        question = lose_words(question, random)
    if random.random() < FILL_SHARE:
        question = fill(question, random)
    return roughen(question, random)


def roughen(question: str, random: Random) -> str:
    """The same words with other edges, case, punctuation and typing errors."""
    if random.random() < 0.18:
        question = random.choice(BEFORE) + question
    if random.random() < 0.14:
        question = question.rstrip("?") + random.choice(AFTER)
    chance = random.random()
    if chance < 0.5:
        question = question.lower()
    elif chance < 0.53:
        question = question.upper()
    if random.random() < 0.35:
        question = question.rstrip("?")
    elif random.random() < 0.15 and question[-1:].isalnum():
        question += random.choice("?.!")
    if random.random() < 0.14 and len(question) > 8:
        question = mistype(question, random)
    return question


def rephrase(question: str, random: Random) -> str:
    for pattern, forms in PHRASES:
        fits = pattern.match(question)
        if fits:
            return random.choice(forms).format(**fits.groupdict())
    return question


def swap_word(question: str, random: Random) -> str:
    words = question.split(" ")
    places = [n for n, word in enumerate(words) if word.lower().rstrip("?") in SWAPS]
    if places:
        n = random.choice(places)
        words[n] = random.choice(SWAPS[words[n].lower().rstrip("?")])
    return " ".join(words)


def drop_words(question: str, random: Random) -> str:
    """Without one small word, or (sometimes) nothing but the words that carry the meaning."""
    words = question.split(" ")
    if random.random() < 0.35:
        core = [word for word in words if word.lower().rstrip("?") not in HOLLOW]
        return " ".join(core) if sum(map(len, core)) > 5 else question
    places = [n for n, word in enumerate(words) if word.lower() in SMALL]
    if places and len(words) > 2:
        del words[random.choice(places)]
    return " ".join(words)


def lose_words(question: str, random: Random) -> str:
    """Without about one word in seven, whichever: no answer may hang on a single word."""
    words = question.split(" ")
    kept = [word for word in words if random.random() > 1 / 7]
    return " ".join(kept) if len(kept) > 1 else question


def fill(question: str, random: Random) -> str:
    words = question.split(" ")
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        words.insert(random.randint(0, len(words)), random.choice(FILLERS))
    return " ".join(words)


def mistype(question: str, random: Random) -> str:
    n = random.randrange(1, len(question) - 1)
    before, here, after = question[:n], question[n], question[n + 1 :]
    return random.choice([
        before + after,
        before + here + here + after,
        before + after[0] + here + after[1:],
        before + random.choice(TYPO_LETTERS) + after,
    ])  # fmt: skip
