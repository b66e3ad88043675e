//! Words and sentences of a text, as Unicode Standard Annex 29 delimits them.
//!
//! The tables of the annex are larger than all of this crate's own text code, so the classes of characters come from
//! what the standard library and the tokenizers already have. Tests compare the result with `unicode-segmentation`.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use unicode_normalization_alignments::char::is_combining_mark;

/// Where a character may be in a word.
#[derive(Debug, Clone, Copy, PartialEq)]
enum WordClass {
    Letter,
    Digit,
    Katakana,
    /// Joins letters, digits and Katakana: `_`.
    Connector,
    /// A word of its own: ideographs, Hiragana, and letters of scripts whose words only a dictionary tells apart.
    Single,
    /// Inside a word between two letters.
    BetweenLetters,
    /// Inside a word between two digits.
    BetweenDigits,
    /// Inside a word between two letters or two digits.
    BetweenBoth,
    Other,
}

/// Returns the words of a text in bytes, without the punctuation around them.
pub(crate) fn words(text: &str) -> Vec<Range<usize>> {
    use WordClass::{
        BetweenBoth, BetweenDigits, BetweenLetters, Connector, Digit, Katakana, Letter, Other, Single,
    };
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut word: Option<(Range<usize>, WordClass)> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((index, char)) = chars.next() {
        let end = index + char.len_utf8();
        if is_extender(char) {
            word = word.map(|(range, last)| (range.start..end, last));
            continue;
        }
        let class = word_class(char);
        if let Some((range, last)) = &mut word {
            let joins = match (*last, class) {
                (Letter | Digit | Connector, Letter | Digit | Connector)
                | (Katakana | Connector, Katakana | Connector) => true,
                (Letter, BetweenLetters | BetweenBoth) => next_class(&chars) == Letter,
                (Digit, BetweenDigits | BetweenBoth) => next_class(&chars) == Digit,
                _ => false,
            };
            if joins {
                range.end = end;
                if !matches!(class, BetweenLetters | BetweenDigits | BetweenBoth) {
                    *last = class;
                }
                continue;
            }
        }
        words.extend(word.take().map(|(range, _)| range));
        if matches!(class, Letter | Digit | Katakana | Connector | Single) {
            word = Some((index..end, if class == Single { Other } else { class }));
        }
    }
    words.extend(word.map(|(range, _)| range));
    words.retain(|word| text[word.clone()].chars().any(char::is_alphanumeric));
    words
}

/// Returns the class of the next character that is not an extender.
fn next_class(chars: &Peekable<CharIndices>) -> WordClass {
    let next = chars.clone().map(|(_, char)| char).find(|char| !is_extender(*char));
    next.map_or(WordClass::Other, word_class)
}

/// Returns whether a character belongs to the one before it: a combining mark, a joiner, or an invisible format character.
fn is_extender(char: char) -> bool {
    match char {
        '\0'..='\u{ac}' => false,
        '\u{ad}' | '\u{61c}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{1f3fb}'..='\u{1f3ff}' => true,
        _ => is_combining_mark(char),
    }
}

fn word_class(char: char) -> WordClass {
    match char {
        '_'
        | '\u{202f}'
        | '\u{203f}'..='\u{2040}'
        | '\u{2054}'
        | '\u{fe33}'..='\u{fe34}'
        | '\u{fe4d}'..='\u{fe4f}'
        | '\u{ff3f}' => WordClass::Connector,
        '.' | '\'' | '\u{2018}'..='\u{2019}' | '\u{2024}' | '\u{fe52}' | '\u{ff07}' | '\u{ff0e}' => {
            WordClass::BetweenBoth
        }
        ':' | '\u{b7}' | '\u{387}' | '\u{55f}' | '\u{5f4}' | '\u{2027}' | '\u{fe13}' | '\u{fe55}'
        | '\u{ff1a}' => WordClass::BetweenLetters,
        ','
        | ';'
        | '\u{37e}'
        | '\u{589}'
        | '\u{60c}'..='\u{60d}'
        | '\u{66c}'
        | '\u{7f8}'
        | '\u{2044}'
        | '\u{fe50}'
        | '\u{fe54}'
        | '\u{ff0c}'
        | '\u{ff1b}' => WordClass::BetweenDigits,
        '\u{3031}'..='\u{3035}'
        | '\u{309b}'..='\u{309c}'
        | '\u{30a0}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{32d0}'..='\u{32fe}'
        | '\u{3300}'..='\u{3357}'
        | '\u{ff66}'..='\u{ff9d}' => WordClass::Katakana,
        // Hiragana and ideographs.
        '\u{3006}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3038}'..='\u{303a}'
        | '\u{3041}'..='\u{309f}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{1b001}'..='\u{1b11f}'
        | '\u{20000}'..='\u{3ffff}' => single(char),
        // Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham and others.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{19df}'
        | '\u{1a20}'..='\u{1aaf}'
        | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aadf}' => single(char),
        _ if char.is_alphabetic() => WordClass::Letter,
        // The Arabic decimal separator.
        '\u{66b}' => WordClass::Digit,
        _ if char.is_numeric() => WordClass::Digit,
        _ => WordClass::Other,
    }
}

fn single(char: char) -> WordClass {
    if char.is_alphabetic() { WordClass::Single } else { WordClass::Other }
}

/// Returns the sentences of a text in bytes, without the white space around them. A line break ends a sentence.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut sentences: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    let mut end_at = |end: usize| {
        let sentence = &text[start..end];
        let trimmed = sentence.trim_start();
        let begin = end - trimmed.len();
        if !trimmed.trim_end().is_empty() {
            sentences.push(begin..begin + trimmed.trim_end().len());
        }
        start = end;
    };
    // The last character that is not an extender.
    let mut previous = ' ';
    for (index, char) in text.char_indices() {
        if is_extender(char) {
            continue;
        }
        let after = index + char.len_utf8();
        if is_line_break(char) {
            end_at(after);
        } else if let Some(rest) = after_end(char, previous, &text[after..]) {
            end_at(text.len() - rest.len());
        }
        previous = char;
    }
    end_at(text.len());
    sentences
}

fn is_line_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns the text after a sentence that ends with `char`, without the marks and white space after that; `None` if no
/// sentence ends here.
fn after_end(char: char, previous: char, rest: &str) -> Option<&str> {
    let may_be_inside = is_full_stop(char);
    if !may_be_inside && !is_sentence_end(char) {
        return None;
    }
    let is_space = |char: char| char.is_whitespace() && !is_line_break(char);
    let closed = rest.trim_start_matches(|char| is_extender(char) || is_closing(char));
    let next_sentence = closed.trim_start_matches(|char| is_extender(char) || is_space(char));
    let next = next_sentence.chars().next()?;
    let is_end = |char: char| is_full_stop(char) || is_sentence_end(char);
    if is_line_break(next) || is_end(next) || continues_sentence(next) {
        return None;
    }
    if may_be_inside {
        let is_inside = next_sentence.len() == rest.len();
        let is_cased = |char: char| char.is_uppercase() || is_lowercase(char);
        if is_inside && (next.is_numeric() || is_cased(previous) && next.is_uppercase()) {
            return None;
        }
        let decides = |char: &char| char.is_alphabetic() || is_line_break(*char) || is_end(*char);
        if next_sentence.chars().find(decides).is_some_and(is_lowercase) {
            return None;
        }
    }
    Some(next_sentence)
}

fn is_full_stop(char: char) -> bool {
    matches!(char, '.' | '\u{2024}' | '\u{fe52}' | '\u{ff0e}')
}

/// Returns whether a character ends a sentence, whatever follows. Rare scripts beyond U+FFFF are left out.
fn is_sentence_end(char: char) -> bool {
    matches!(
        char,
        '!' | '?' | '\u{589}' | '\u{61d}'..='\u{61f}' | '\u{6d4}' | '\u{700}'..='\u{702}' | '\u{7f9}'
        | '\u{837}' | '\u{839}' | '\u{83d}'..='\u{83e}' | '\u{964}'..='\u{965}' | '\u{104a}'..='\u{104b}'
        | '\u{1362}' | '\u{1367}'..='\u{1368}' | '\u{166e}' | '\u{1735}'..='\u{1736}'
        | '\u{17d4}'..='\u{17d5}' | '\u{1803}' | '\u{1809}' | '\u{1944}'..='\u{1945}'
        | '\u{1aa8}'..='\u{1aab}' | '\u{1b4e}'..='\u{1b4f}' | '\u{1b5a}'..='\u{1b5b}'
        | '\u{1b5e}'..='\u{1b5f}' | '\u{1b7d}'..='\u{1b7f}' | '\u{1c3b}'..='\u{1c3c}'
        | '\u{1c7e}'..='\u{1c7f}' | '\u{203c}'..='\u{203d}' | '\u{2047}'..='\u{2049}'
        | '\u{2cf9}'..='\u{2cfb}' | '\u{2e2e}' | '\u{2e3c}' | '\u{2e53}'..='\u{2e54}' | '\u{3002}'
        | '\u{a4ff}' | '\u{a60e}'..='\u{a60f}' | '\u{a6f3}' | '\u{a6f7}' | '\u{a876}'..='\u{a877}'
        | '\u{a8ce}'..='\u{a8cf}' | '\u{a92f}' | '\u{a9c8}'..='\u{a9c9}' | '\u{aa5d}'..='\u{aa5f}'
        | '\u{aaf0}'..='\u{aaf1}' | '\u{abeb}' | '\u{fe12}' | '\u{fe15}'..='\u{fe16}'
        | '\u{fe56}'..='\u{fe57}' | '\u{ff01}' | '\u{ff1f}' | '\u{ff61}'
    )
}

/// Returns whether a character after the end of a sentence shows that it goes on.
fn continues_sentence(char: char) -> bool {
    matches!(
        char,
        ','..='-' | ':'..=';' | '\u{37e}' | '\u{55d}' | '\u{60c}'..='\u{60d}' | '\u{7f8}' | '\u{1802}'
        | '\u{1808}' | '\u{2013}'..='\u{2014}' | '\u{3001}' | '\u{fe10}'..='\u{fe11}'
        | '\u{fe13}'..='\u{fe14}' | '\u{fe31}'..='\u{fe32}' | '\u{fe50}'..='\u{fe51}'
        | '\u{fe54}'..='\u{fe55}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0c}'..='\u{ff0d}'
        | '\u{ff1a}'..='\u{ff1b}' | '\u{ff64}'
    )
}

/// Returns whether a character is a quotation mark or a bracket, which belongs to the sentence that ends before it.
fn is_closing(char: char) -> bool {
    matches!(
        char,
        '"' | '\''..=')' | '[' | ']' | '{' | '}' | '\u{ab}' | '\u{bb}' | '\u{f3a}'..='\u{f3d}'
        | '\u{169b}'..='\u{169c}' | '\u{2018}'..='\u{201f}' | '\u{2039}'..='\u{203a}'
        | '\u{2045}'..='\u{2046}' | '\u{207d}'..='\u{207e}' | '\u{208d}'..='\u{208e}'
        | '\u{2308}'..='\u{230b}' | '\u{2329}'..='\u{232a}' | '\u{275b}'..='\u{2760}'
        | '\u{2768}'..='\u{2775}' | '\u{27c5}'..='\u{27c6}' | '\u{27e6}'..='\u{27ef}'
        | '\u{2983}'..='\u{2998}' | '\u{29d8}'..='\u{29db}' | '\u{29fc}'..='\u{29fd}'
        | '\u{2e00}'..='\u{2e0d}' | '\u{2e1c}'..='\u{2e1d}' | '\u{2e20}'..='\u{2e29}' | '\u{2e42}'
        | '\u{2e55}'..='\u{2e5c}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301b}'
        | '\u{301d}'..='\u{301f}' | '\u{fd3e}'..='\u{fd3f}' | '\u{fe17}'..='\u{fe18}'
        | '\u{fe35}'..='\u{fe44}' | '\u{fe47}'..='\u{fe48}' | '\u{fe59}'..='\u{fe5e}'
        | '\u{ff08}'..='\u{ff09}' | '\u{ff3b}' | '\u{ff3d}' | '\u{ff5b}' | '\u{ff5d}'
        | '\u{ff5f}'..='\u{ff60}' | '\u{ff62}'..='\u{ff63}'
    )
}

/// Returns whether a character is a lowercase letter of a script in which sentences begin with uppercase ones.
fn is_lowercase(char: char) -> bool {
    char.is_lowercase() && !matches!(char, '\u{10d0}'..='\u{10ff}')
}

#[cfg(test)]
mod tests {
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    const TEXTS: [&str; 30] = [
        "Don't panic, said 3.5 people! Is it 1,000? e.g. this; \"Really?\" (Yes.) No... It's a_b: ok:not.",
        "Dr. Brown lives at 5 p.m. in the U.S.A. today. She has v2.0.1 of x=3;4 and user@host.example.com.",
        "Größe ist „wichtig“. Straße, Äpfel und 1.000,50 € z.B. heute! »Ja.« Nein…",
        "¿Dónde está mañana? ¡Aquí! El niño dijo: «sí». Año 2020.",
        "Ou\u{300} est l\u{2019}e\u{301}cole ? Aujourd'hui, c'est fermé. Qu'est-ce que c'est ?",
        "İstanbul'da yaşıyor. IĞDIR ığdır. 5'inci gün!",
        "Thủ đô là Hà Nội. Ở đó có gì? To\u{302}\u{301}i bie\u{302}\u{301}t.",
        "Москва — столица. Её население: 12,6 млн. чел. Й и\u{306}.",
        "Η Αθήνα είναι πόλη; Ναι. Στ΄ αλήθεια· τι;",
        "القُدْس مدينة قديمة. هل هذا صحيح؟ نعم، ١٢٫٥.",
        "عاصمة\u{640} مصر؛ القاهرة\u{60c} والنيل.",
        "दिल्ली राजधानी है। क्या आप जानते हैं? क़लम ज़रूर नमस्ते॥",
        "বাংলাদেশের রাজধানী ঢাকা। এটা কি?",
        "தமிழ்நாடு ஒரு மாநிலம். సత్యం ಕನ್ನಡ മലയാളം.",
        "北京是首都。它很大！是吗？是的，《书》。",
        "東京は都市です。カタカナのテスト、スーパー・マーケットへ行く。ﾊﾝｶｸ",
        "서울은 수도입니다. 그렇습니까? 네!",
        "กรุงเทพเป็นเมืองหลวง มันใหญ่มาก 25 ปี",
        "ວຽງຈັນ ភ្នំពេញ ရန်ကုန်မြို့။ ဟုတ်ကဲ့။",
        "שָׁלוֹם עוֹלָם. צה״ל וג'ירפה. מה?",
        "Հայաստան։ Երևան՝ մայրաքաղաք։ Ով է։",
        "საქართველო. თბილისი!",
        "አዲስ አበባ። ነው፧ አዎ፡ እሺ።",
        "🦀 rusty 👩‍👩‍👧 family 👍🏽 ok 🇩🇪 flag. Next!",
        "soft\u{ad}hyphen zero\u{200d}joiner word\u{2060}joiner a\u{200b}b \u{feff}bom",
        "One line\nTwo lines\r\nThree.\u{2029}Four\u{85}Five  \n\n  Six.",
        "100% of a/b & c+d = 5 × 10^3 — en–dash… ½ cup, x + y",
        "(He said \"Stop.\") Then left. 'Why?' he asked. \"No!\" she said. Yahoo! is it? i.e. That.",
        "A.B. c. d? e! F. 1. 2.a b.C D.e ... . . ! ?! ... end",
        " \t ... ",
    ];

    #[test]
    fn words_are_those_of_the_unicode_standard() {
        for text in TEXTS {
            let found: Vec<&str> = words(text).into_iter().map(|word| &text[word]).collect();
            assert_eq!(found, text.unicode_words().collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn sentences_are_those_of_the_unicode_standard() {
        for text in TEXTS {
            let found: Vec<&str> = sentences(text).into_iter().map(|sentence| &text[sentence]).collect();
            let expected =
                text.split_sentence_bounds().map(str::trim).filter(|sentence| !sentence.is_empty());
            assert_eq!(found, expected.collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn words_and_sentences_have_no_punctuation_or_space_around_them() {
        let text = " Berlin isn't 3.5 km².\n\nIs it?";
        let found = |ranges: Vec<Range<usize>>| -> Vec<&str> {
            ranges.into_iter().map(|range| &text[range]).collect()
        };
        assert_eq!(found(words(text)), ["Berlin", "isn't", "3.5", "km²", "Is", "it"]);
        assert_eq!(found(sentences(text)), ["Berlin isn't 3.5 km².", "Is it?"]);
    }
}
