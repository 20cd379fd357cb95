import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.language.tokenizer import BLOCK_CHARACTERS, UNKNOWN, Tokenizer, UnknownTokens

FABLE = Path(__file__).parents[3] / "shared" / "data" / "belling_the_cat.txt"
WORDS = Tokenizer(unit="word", vocabulary=(UNKNOWN,), unknown=UNKNOWN)
CHARS = Tokenizer(unit="char", vocabulary=(UNKNOWN,), unknown=UNKNOWN)


@pytest.mark.skipif(not FABLE.exists(), reason="the fable's text is not next to this checkout")
def test_the_fable_has_204_tokens_of_112_symbols() -> None:
    text = FABLE.read_text()
    tokenizer = Tokenizer.fit(text)
    encoded = tokenizer.encode(text)
    assert len(encoded.ids) == 204
    assert len(tokenizer) == 112
    assert encoded.unknown == ()
    # Commas, then "the", the most frequent word.
    assert tokenizer.vocabulary[:2] == (",", "the")
    assert tokenizer.text(encoded.ids) == text.strip()


def test_ids_follow_frequency_and_ties_first_appearance() -> None:
    tokenizer = Tokenizer.fit("b a c a, c a d")
    assert tokenizer.vocabulary == ("a", "c", "b", ",", "d")
    assert tokenizer.encode("d c b a").ids.tolist() == [4, 1, 2, 0]
    assert tokenizer.encode("d").ids.dtype == np.int64


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Long ago, the MICE.", "long ago , the mice ."),
        ("don't don’t 'tis ’tis rock'n'roll", "don't don't ' tis ’ tis rock'n'roll"),
        ("$3.14 1,657,300 v2.0.1 end.2 1. ,5", "$ 3.14 1,657,300 v2.0.1 end . 2 1 . , 5"),
        ("well-known snake_case e.g.", "well - known snake _ case e . g ."),
        ("co\u00adop \ufeffa\u200bb\x00c", "coop a b c"),
        ("Cafe\u0301 café", "café café"),
        ("हिन्दी में", "हिन्दी में"),
        ("我喜欢猫。abc", "我 喜 欢 猫 。 abc"),
        ("ดีครับ", "ดี ค รั บ"),
        ("ok👩‍💻👍🏽!", "ok 👩‍💻 👍🏽 !"),
        ("ΟΔΟΣ", "οδος"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_words_of_many_kinds_of_text(text: str, tokens: str) -> None:
    assert WORDS.tokens(text) == tokens.split()


def test_characters_keep_case_and_line_ends() -> None:
    tokenizer = Tokenizer.fit("hello", unit="char")
    assert tokenizer.vocabulary == ("l", "h", "e", "o")
    assert tokenizer.text(tokenizer.encode("hello").ids) == "hello"
    assert CHARS.tokens("A b\nC") == ["A", " ", "b", "\n", "C"]


def test_words_are_joined_by_spaces_and_spaceless_scripts_are_not() -> None:
    assert WORDS.decode(["long", "ago", ",", "the", "mice"]) == "long ago , the mice"
    assert WORDS.decode(["我", "喜", "。", "cat", "猫"]) == "我喜。 cat 猫"
    assert WORDS.decode([]) == ""


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=80))
def test_decoded_words_tokenise_to_themselves(text: str) -> None:
    tokens = WORDS.tokens(text)
    assert WORDS.tokens(WORDS.decode(tokens)) == tokens


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=80))
def test_words_do_not_depend_on_the_normal_form(text: str) -> None:
    for form in ("NFC", "NFD"):
        # Lower-cased first: "ΐ".upper() and similar have no case pair in every normal form.
        assert WORDS.tokens(unicodedata.normalize(form, text.lower())) == WORDS.tokens(text.lower())


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="aZ09é'’.,-_ \n猫ส\u0301\u200d<unk>", max_size=60))
def test_no_visible_sign_is_lost(text: str) -> None:
    def visible(of: str) -> list[str]:
        kept = of.lower().replace("’", "'").replace(UNKNOWN, "").replace("\u200d", "")
        return list(unicodedata.normalize("NFC", "".join(kept.split())))

    # Marks after a space are separate tokens, so compare without joining across spaces.
    joined = "".join(WORDS.tokens(text))
    assert visible(joined) == visible(text)


def test_rare_words_fold_into_the_unknown_symbol_where_its_count_puts_it() -> None:
    tokenizer = Tokenizer.fit("a a a a b c b d", min_count=2)
    assert tokenizer.vocabulary == ("a", "b", UNKNOWN)
    encoded = tokenizer.encode("a c zebra")
    assert encoded.ids.tolist() == [0, 2, 2]
    assert [(entry.token, entry.position) for entry in encoded.unknown] == [("c", 1), ("zebra", 2)]
    assert Tokenizer.fit("x y z w w", min_count=2).vocabulary == (UNKNOWN, "w")


def test_an_unknown_symbol_can_be_asked_for_where_nothing_is_rare() -> None:
    tokenizer = Tokenizer.fit("b a a", unknown=True)
    assert tokenizer.vocabulary == ("a", "b", UNKNOWN)
    assert tokenizer.unknown_id == 2


def test_a_written_unknown_symbol_is_itself() -> None:
    tokenizer = Tokenizer.fit("the <unk> sat <unk> <UNK>", unknown=True)
    assert tokenizer.vocabulary == (UNKNOWN, "the", "sat")
    assert tokenizer.encode("sat<unk>").unknown == ()
    assert Tokenizer.fit("<unk>").vocabulary == ("<", "unk", ">")


def test_a_strict_tokenizer_names_the_words_it_does_not_know() -> None:
    tokenizer = Tokenizer.fit("a b")
    with pytest.raises(UnknownTokens, match=r"not in the vocabulary: 'dog', 'cat'$") as caught:
        tokenizer.encode("a dog b cat dog")
    assert [(entry.token, entry.position) for entry in caught.value.unknown] == [
        ("dog", 1),
        ("cat", 3),
        ("dog", 4),
    ]
    with pytest.raises(UnknownTokens, match="'q', 'r', 's', 't', 'u' and 2 more"):
        tokenizer.encode("q r s t u v w")
    with pytest.raises(UnknownTokens, match=r"'t', 'u'$"):
        tokenizer.encode("q r s t u")


def test_a_tokenizer_is_rebuilt_from_its_vocabulary() -> None:
    fitted = Tokenizer.fit("a a b c", min_count=2)
    rebuilt = Tokenizer(unit="word", vocabulary=fitted.vocabulary, unknown=fitted.unknown)
    assert rebuilt == fitted
    assert rebuilt.encode("c a").ids.tolist() == fitted.encode("c a").ids.tolist()


def test_a_text_larger_than_a_block_is_read_whole() -> None:
    words = [f"w{number}" for number in range(400_000)]
    text = " ".join(words)
    assert len(text) > 2 * BLOCK_CHARACTERS
    assert WORDS.tokens(text) == words
    assert "".join(CHARS.tokens(text)) == text


@pytest.mark.parametrize(
    "hostile",
    [
        "a" + "\u0300\u0316" * 200_000,  # NFC sorts such runs in quadratic time
        "a'" * 200_000,
        "1.," * 150_000,
        "\u200d" * 400_000,
        "'" * 400_000 + "Σ",
        "<unk" * 100_000,
    ],
    ids=["marks", "apostrophes", "points", "joiners", "sigma", "unknown"],
)
@pytest.mark.timeout(60)
def test_hostile_texts_take_linear_time(hostile: str) -> None:
    # In quadratic time, each would take minutes.
    assert WORDS.encode(hostile).ids.ndim == 1
    assert len(CHARS.encode(hostile).ids) >= len(hostile) // 2


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no tokens"):
        Tokenizer.fit(" \n")
    with pytest.raises(ValueError, match="no token occurs 2 times"):
        Tokenizer.fit("a b c", min_count=2)
    with pytest.raises(ValueError, match="min_count 2 needs"):
        Tokenizer.fit("a", min_count=2, unknown=False)
    with pytest.raises(ValueError, match="has 'a' twice"):
        Tokenizer(unit="word", vocabulary=("b", "a", "a"))
    with pytest.raises(ValueError, match="vocabulary is empty"):
        Tokenizer(unit="word", vocabulary=())
    with pytest.raises(ValueError, match="'<unk>' is not in the vocabulary"):
        Tokenizer(unit="word", vocabulary=("a",), unknown="<unk>")


SPELLING = Tokenizer.fit_spelling("Aa, aA\nä b", min_count=2)


def test_a_rare_or_new_character_is_spelled_in_its_bytes() -> None:
    assert SPELLING.tokens("aä") == ["a", "<0xC3>", "<0xA4>"]
    encoded = SPELLING.encode("日本\u200d🎭<0x41>")
    assert encoded.unknown == ()
    assert SPELLING.text(encoded.ids) == "日本\u200d🎭<0x41>"


def test_spelling_keeps_case_and_reads_any_line_end_as_a_line_feed() -> None:
    assert SPELLING.text(SPELLING.encode("A,\r\nB\ra").ids) == "A,\nB\na"


def test_bytes_that_are_no_character_are_marked() -> None:
    assert SPELLING.decode(["a", "<0xC3>", "a"]) == "a\ufffda"


def test_a_vocabulary_that_spells_has_every_byte() -> None:
    with pytest.raises(ValueError, match="each byte"):
        Tokenizer(unit="char", vocabulary=("a", "<0x41>"), spells=True)
