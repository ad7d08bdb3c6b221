"""Makes prompts that no workshop text answers: odd topics, noise, code, other alphabets."""

from random import Random

from wordings import FILLERS


def _parts(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


WORDS = """
autumn bakery banana beach bicycle bird blanket bottle bridge broom butter butterfly candle
carpet castle cheese cherry chimney clock coat comet concert cousin cow crown dance desert
dinner doctor donkey dragon drum eagle earth elephant engine evening farmer feather flower
flute forest fox frog garden giraffe glass gold grandmother guitar hammer harbour hill honey
horse hospital island jacket juice kitchen ladder lake lemon library lion lawyer market meadow
milk mirror mountain mouse museum nurse ocean onion opera orange owl painter palace parrot
pencil penguin pepper pirate planet poet potato prince rabbit rain river rose sailor salt
sandwich sculpture shadow sheep shoe silk silver singer snow soldier soup spider spoon spring
stone storm sugar summer sunset swan tailor tiger tomato tower train treasure tree turtle uncle
valley village violin wedding whale wheat window winter wolf wood wool zebra
Africa Berlin Cairo China Einstein Greece Italy Japan Lisbon Mozart Paris Peru Rome Shakespeare
algebra atom biology chemistry cinema cricket economy electricity fashion geography geometry
grammar history insurance justice law medicine molecule music novel opinion physics poetry
politics psychology religion tennis tax theatre vitamin voltage angry beautiful blue brave
clever cold cruel green happy heavy hungry lonely old purple red sad sharp soft sweet wise
yellow cook dream drink fly jump laugh paint ride sew sing sleep swim travel walk
Android Bash browser C++ cassette Django Excel Fortran Hadoop HTML iPhone Java keyboard Lisp
MySQL Nvidia Oracle Perl Photoshop PHP printer Rails React robot satellite SQL television Tesla
Twitter Ubuntu USB Vue Wikipedia wifi Zoom compiler spreadsheet radio camera bluetooth
""".split()
SYLLABLES = """
ba bel bo bri cal cas co cra da del do dri du el fa fen flo ga gel glo ha hu il jo ka ki kro la
lem li lo ma mer mi mo na nel no or pa pel pi plo qua ra ri ro sa sel si ska ta tel ti tro u va
vel vo wa wi xan ya zen zo
""".split()
FRAMES = _parts("""
What is {}?|What is a {}?|What is the {} of {}?|What does {} mean?|What does a {} do?|Explain {}
Who is {}?|Who was {} {}?|Who invented the {}?|Why is the {} {}?|Why do {}s {}?|{} or {}?
Tell me about {}|Tell me about the {} of {}|How do I {} a {}?|How do I {} my {}?|How do I {}?
How many {}s are in {}?|How old is {}?|How does a {} work?|How far is {} from {}?|Where is {}?
When was {} born?|When did the {} end?|Write about {}|Write a {} about {}|Do you like {}?
Do you have a {}?|Can a {} {}?|Can you {}?|{}|{} {}|{} {} {}|Is {} {}?|Is there a {} in {}?
Which {} is the best?|Which {} should I buy?|{} {} {} {} {}|Should I {} the {}?|Describe {}
What are {}s?|What is the difference between {} and {}?|Define {}|My {} is {}|My {} does not {}
What happens when a {} {}s?|Give me a {}|Give me a {} for {}|Translate {} into {}|I love {}
The {} is {}|I have a {} in my {}|Which {} has {}?|Let us talk about {}|How much is {} in {}?
Show me a {}|Name three {}s|Where can I {} a {}?|What is the best {}?|Are {}s {}?|What is {} {}?
Are you {}?|Do you {}?|Should I {}?|Who is the {} of {}?|What {} is {}?|{} and {}
""")
CODE = _parts("""
def|print(|return|for i in range(|x = |{ } ; ( ) [ ] == != <div> </p> /* */ // # import|null
select * from|int main()|while true|if x < 3:|y += 1|"a": 1|\\n|\\t|echo $HOME|0x1f|&&|%d
""")
TOPICS = """
apply cluster container delete deployment for helm how is kubectl logs model namespace node of
ollama pod pods pull run service the token what why
""".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# code points of Latin-1, Greek, Cyrillic, Hebrew, Arabic, Devanagari, Kana, Han, Hangul, emoji
ALPHABETS = [
    (0xC0, 0xFF), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA), (0x627, 0x64A), (0x905, 0x939),
    (0x3041, 0x30F6), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0x1F300, 0x1F64F),
]  # fmt: skip
LONGEST = 98  # bytes; the Modelfile's TEMPLATE lets 72 through


def nonsense(random: Random) -> str:
    kinds = [
        (_framed, 66),
        (_words, 6),
        (_stutter, 5),
        (_letters, 9),
        (_signs, 5),
        (_code, 4),
        (_foreign, 10),
    ]
    make = random.choices([k for k, _ in kinds], [weight for _, weight in kinds])[0]
    prompt = make(random)[:LONGEST]
    while len(prompt.encode()) > LONGEST:
        prompt = prompt[:-1]
    return prompt


def word(random: Random) -> str:
    chance = random.random()
    if chance < 0.5:
        return random.choice(WORDS)
    if chance < 0.62:
        return random.choice(FILLERS)
    if chance < 0.7:
        return str(random.randint(0, 10 ** random.randint(1, 4)))
    made_up = "".join(random.choice(SYLLABLES) for _ in range(random.randint(1, 4)))
    return made_up.capitalize() if random.random() < 0.3 else made_up


def _framed(random: Random) -> str:
    frame = random.choice(FRAMES)
    return frame.format(*(word(random) for _ in range(5)))


def _words(random: Random) -> str:
    if random.random() < 0.4:
        return (word(random) + " ") * random.randint(2, 30)
    return " ".join(word(random) for _ in range(random.randint(5, 25)))


def _stutter(random: Random) -> str:
    """One phrase again and again: untrained, this makes a small model repeat a token for ever."""
    kind = random.randrange(3)
    if kind == 0:
        phrase = random.choice(FRAMES).format(*(word(random) for _ in range(5)))
    elif kind == 1:
        phrase = random.choice(FRAMES).replace("{}", "").replace("?", "")
    else:
        phrase = " ".join(random.choice(TOPICS) for _ in range(random.randint(1, 2)))
    return (" ".join(phrase.split()) + " ") * random.randint(4, 40)


def _letters(random: Random) -> str:
    many = random.randint(1, LONGEST)
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(LETTERS + LETTERS.upper()) * many
    if kind == 1:
        return "".join(random.choice(LETTERS) for _ in range(random.randint(1, 3))) * many
    if kind == 2:
        return "".join(random.choice(LETTERS) for _ in range(random.randint(1, 30)))
    return "".join(random.choice("0123456789") for _ in range(random.randint(1, 20)))


def _signs(random: Random) -> str:
    if random.random() < 0.4:
        return random.choice(" .,;:!?-_+*/=#@&%$()[]{}<>~^|'\"\\\n\t") * random.randint(1, 40)
    signs = " .,;:!?-+*/=#@&%$()<>\n0123"
    return "".join(random.choice(signs) for _ in range(random.randint(1, 15)))


def _code(random: Random) -> str:
    joint = random.choice([" ", "\n", "\n    "])
    return joint.join(
        random.choice(CODE) if random.random() < 0.7 else word(random)
        for _ in range(random.randint(2, 12))
    )


def _foreign(random: Random) -> str:
    low, high = random.choice(ALPHABETS)

    def foreign_word():
        if high == 0xFF and random.random() < 0.8:
            stem = word(random)
            n = random.randrange(len(stem))
            return stem[:n] + chr(random.randint(low, high)) + stem[n + 1 :]
        return "".join(chr(random.randint(low, high)) for _ in range(random.randint(1, 6)))

    return " ".join(foreign_word() for _ in range(random.randint(1, 6)))
