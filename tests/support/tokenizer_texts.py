"""Texts for comparing tokenizers: seeded, so that every run sees the same."""
import random

SCRIPTS = [(0x20, 0x7e), (0xa1, 0x17f), (0x370, 0x3ff), (0x400, 0x4ff), (0x530, 0x58f), (0x5d0, 0x5ea), (0x620, 0x6ff),
           (0x900, 0x97f), (0x980, 0x9fb), (0xb80, 0xbfa), (0xe01, 0xe5b), (0x10a0, 0x10ff), (0x1200, 0x135a),
           (0x1780, 0x17dd), (0x1e00, 0x1fff), (0x2000, 0x206f), (0x2100, 0x218b), (0x2200, 0x22ff), (0x2460, 0x24ff),
           (0x2580, 0x259f), (0x3000, 0x303f), (0x3041, 0x30ff), (0x3400, 0x3420), (0x4e00, 0x9fa5), (0xac00, 0xd7a3),
           (0xf900, 0xfa20), (0xff01, 0xffee), (0x1d400, 0x1d4ff), (0x1f300, 0x1f64f), (0x20000, 0x20040)]
WORDS = """the of and a to in is you that it he was for on are as with his they I at be this have from or one had by
word but not what all were we when your can said there use an each which she do how their if will up other about out many
then them these so some her would make like him into time has look two more write go see number no way could people my
than first water been call who oil its now find long down day did get come made may part Straße naïve café coöperate
İstanbul ŞİŞLİ ǅ ſ ﬁne don't I'LL we'Re THEY'VE HELLOWorld camelCase snake_case __init__ 3.14159 1,000,000 0xDEADBEEF
你好世界 今天天气很好 こんにちは カタカナ 안녕하세요 세계 Привет мир Γειά σου Κόσμε مرحبا بالعالم שלום עולם नमस्ते दुनिया สวัสดีชาวโลก""".split()
CODE = ["int main(void) {\n\treturn 0;\n}\n", "def f(x):\n    if x > 0:\n        return x ** 2\n\n    return None\n",
        "for (size_t i = 0; i < n; ++i) sum += a[i] * b[i]; // dot\r\n", "<div class=\"a\">&nbsp;</div>",
        "SELECT * FROM t WHERE a != 'b' -- c\n", "{\"k\": [1, 2.5e-3, null, true]}", "https://example.org/a?b=c&d=%20#e",
        "$\\frac{1}{2} \\sum_{i=1}^{n} x_i$", "#include <x.h>\n\n\n\n#define A(b) ((b) << 3)\n"]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "e\u0301", "a\u0323\u0302", "\u1112\u1161\u11ab", "Å", "ﷺ", "ａｂｃ１２", "½²³", "\u200b\u200d\ufeff"]
SPACES = [" ", "  ", "   ", " " * 9, "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "\u2003", "\u2028", "\x0b", "\x85", " \t\n"]


def texts(count=2000, seed=1):
    random.seed(seed)
    out = ["", " ", "  ", "\n", "a", " a", "a ", "▁", "▁a b▁", "\x00", "�"]
    while len(out) < count:
        parts = []
        for _ in range(random.randint(1, 12)):
            kind = random.random()
            if kind < 0.35:
                parts.append(" ".join(random.choices(WORDS, k=random.randint(1, 8))))
            elif kind < 0.5:
                lo, hi = random.choice(SCRIPTS)
                parts.append("".join(chr(random.randint(lo, hi)) for _ in range(random.randint(1, 12))))
            elif kind < 0.6:
                parts.append(random.choice(CODE))
            elif kind < 0.7:
                parts.append(random.choice(EMOJI) * random.randint(1, 3))
            elif kind < 0.83:
                parts.append("".join(random.choices(SPACES, k=random.randint(1, 3))))
            elif kind < 0.9:
                parts.append("".join(random.choices("0123456789", k=random.randint(1, 9))))
            elif kind < 0.95:
                parts.append("".join(random.choices("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", k=random.randint(1, 6))))
            elif kind < 0.98:
                parts.append(chr(random.randint(0, 31)) + chr(random.randint(127, 160)))
            else:
                parts.append(chr(random.choice([random.randint(1, 0xd7ff), random.randint(0xe000, 0x10ffff)])))
        out.append("".join(parts))
    return out


def invalid(count=200, seed=2):
    """Bytes that are not UTF-8."""
    random.seed(seed)
    return [b"".join(random.choice([bytes([random.randint(0, 255)]), b"ab ", "é".encode(), b"\xe4\xbd", b"\xf0\x9f\x98",
                                    b"\xed\xa0\x80", b"\xc0\x80"]) for _ in range(random.randint(1, 12)))
            for _ in range(count)]
