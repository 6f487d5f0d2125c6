"""What the courses of the big dataset are called and say: plausible words, the same for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

LEVELS = ("beginner", "intermediate", "advanced")
LEVEL_SHARES = (50, 35, 15)

TOPICS: dict[str, tuple[str, ...]] = {
    "Computer science": (
        "algorithms", "operating systems", "compilers", "databases", "distributed systems", "networks",
        "functional programming", "Python", "Rust", "JavaScript", "testing", "software architecture",
    ),
    "Data": (
        "statistics", "machine learning", "data visualisation", "forecasting", "SQL", "neural networks",
        "natural language processing", "computer vision", "experiments", "spreadsheets",
    ),
    "Mathematics": (
        "linear algebra", "calculus", "probability", "number theory", "topology", "geometry", "optimisation",
        "graph theory", "logic", "differential equations",
    ),
    "Natural science": (
        "genetics", "organic chemistry", "astronomy", "thermodynamics", "ecology", "neuroscience",
        "quantum mechanics",
        "geology", "microbiology", "climate",
    ),
    "Engineering": (
        "bridges", "robotics", "control systems", "signal processing", "fluid mechanics", "materials",
        "electronics", "energy storage", "aerodynamics", "manufacturing",
    ),
    "Business": (
        "accounting", "negotiation", "marketing", "strategy", "project planning", "supply chains",
        "leadership",
        "entrepreneurship", "pricing", "corporate finance",
    ),
    "Design": (
        "typography", "interface design", "colour", "illustration", "product design", "animation",
        "photography",
        "architecture", "design research", "lettering",
    ),
    "Humanities": (
        "ancient history", "philosophy", "ethics", "linguistics", "poetry", "archaeology", "film",
        "mythology",
        "rhetoric", "world literature",
    ),
    "Languages": (
        "Spanish", "German", "Japanese", "French", "Arabic", "Mandarin", "Portuguese", "Italian", "Latin",
        "Swahili",
    ),
    "Health": (
        "nutrition", "anatomy", "first aid", "sleep", "epidemiology", "physiotherapy", "pharmacology",
        "nursing",
        "public health", "mental health",
    ),
    "Music": (
        "harmony", "guitar", "piano", "music theory", "songwriting", "mixing", "jazz", "orchestration",
        "rhythm",
        "singing",
    ),
    "Society": (
        "economics", "law", "political science", "sociology", "urban planning", "journalism", "education",
        "human rights", "psychology", "international relations",
    ),
}  # fmt: skip

TITLES: dict[str, tuple[str, ...]] = {
    "en": (
        "Introduction to {a}", "{a} in practice", "{a} for {n}", "A short course in {a}", "{a} and {b}",
        "Understanding {a}",
        "The art of {a}", "{a} from scratch", "Advanced {a}: {n}", "{a}, step by step",
        "Hands-on {a} with {n}", "Why {a} matters",
    ),
    "de": (
        "Einführung in {a}", "{a} verstehen", "{a} für {n}", "Grundlagen: {a}", "{a} und {b} in der Praxis",
        "Die Kunst von {a}",
    ),
    "es": ("Introducción a {a}", "{a} en la práctica", "Curso de {a}", "{a} para {n}",
    "{a} y {b} paso a paso"),
    "fr": ("Introduction à {a}", "Comprendre {a}", "{a} en pratique", "Les bases de {a}",
    "{a} et {b} pour {n}"),
}  # fmt: skip

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "This course takes you from the first ideas of {a} to work of your own.",
        "We read, build and measure: {n}, {m} and what lies between them.",
        "Each week has two lectures, a handout and a small quiz on {b}.",
        "You will learn how {a} is used in {n}, and where it fails.",
        "No earlier knowledge of {b} is needed; curiosity about {m} helps.",
        "At the end stands a project on {n} that you present to the others.",
        "The examples come from {m}, from industry and from the history of {b}.",
        "Exercises are graded by your peers, who study {a} as you do.",
    ),
    "de": (
        "Dieser Kurs führt von den ersten Begriffen zu eigenen Arbeiten über {a}.",
        "Jede Woche gibt es zwei Vorlesungen, ein Skript und Übungen zu {b}.",
        "Vorkenntnisse in {m} werden nicht verlangt, Neugier auf {n} hilft.",
        "Am Ende steht ein Projekt, das alle Teilnehmenden gemeinsam besprechen.",
    ),
    "es": (
        "Este curso lleva de las primeras ideas de {a} a un trabajo propio.",
        "Cada semana hay dos lecciones, un texto y ejercicios sobre {b}.",
        "No se necesitan conocimientos de {m}, pero ayuda la curiosidad por {n}.",
    ),
    "fr": (
        "Ce cours mène des premières idées de {a} à un travail personnel.",
        "Chaque semaine propose deux leçons, un texte et des exercices sur {b}.",
        "Aucune connaissance de {m} n'est requise; la curiosité pour {n} aide.",
    ),
}

SECTIONS = (
    "Foundations",
    "First steps",
    "{a} at work",
    "Going deeper",
    "{b} beside {a}",
    "Case studies",
    "{n}",
    "Project",
)

LANGUAGES = ("en", "de", "es", "fr", "")
LANGUAGE_SHARES = (78, 8, 6, 5, 3)

_SYLLABLES = (
    "ba", "cor", "dal", "en", "fir", "gan", "hel", "is", "jor", "kel", "lum", "mar", "nor", "or", "pel",
    "quin", "ras", "sol",
    "tan", "ul", "ver", "wen", "xan", "yor", "zel",
)  # fmt: skip
_FIRST = (
    "Ada",
    "Ben",
    "Chen",
    "Dana",
    "Elif",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jun",
    "Kofi",
    "Lena",
    "Mira",
    "Noor",
)
_VOCABULARY = 20_000


@dataclass(frozen=True, slots=True)
class Words:
    """What one course says."""

    title: str
    description: str
    instructor: str
    category: str
    difficulty: str
    language: str
    sections: tuple[str, ...]


class Writer:
    """Writes courses. Beside the topics stand names nobody else has: a few are everywhere, most are rare."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        syllables = _SYLLABLES
        self._names = [
            syllables[n % 25]
            + syllables[n // 25 % 25]
            + (syllables[n // 625 % 25] if n % 3 else "")
            + "s"[: n % 2]
            for n in range(_VOCABULARY)
        ]
        self._categories = [*TOPICS]

    def course(self) -> Words:
        """The next course."""
        chance = self._random
        category = chance.choice(self._categories)
        language = chance.choices(LANGUAGES, LANGUAGE_SHARES)[0]
        spoken = language or "en"
        said = {
            "a": chance.choice(TOPICS[category]),
            "b": chance.choice(TOPICS[chance.choice(self._categories)]),
        }
        said |= {"n": self._name(), "m": self._name()}
        sentences = SENTENCES[spoken]
        count = min(len(sentences), chance.randint(3, 6))
        title = self._fill(TITLES[spoken], said)
        return Words(
            title=title[0].upper() + title[1:],
            description=" ".join(one.format(**said) for one in chance.sample(sentences, count)),
            instructor=f"{chance.choice(_FIRST)} {self._name().title()}",
            category=category,
            difficulty=chance.choices(LEVELS, LEVEL_SHARES)[0],
            language=language,
            sections=tuple(one.format(**said) for one in chance.sample(SECTIONS, chance.randint(2, 4))),
        )

    def _fill(self, patterns: Sequence[str], said: dict[str, str]) -> str:
        return self._random.choice(patterns).format(**said)

    def _name(self) -> str:
        return self._names[int(_VOCABULARY * self._random.random() ** 3)]
