//! Checks the regular expressions of a `tokenizer.json`, which a hostile file could make exponential.
//!
//! The accepted ones are alternatives of simple sequences, such as ` ?\p{L}+|\s+(?!\S)|\s+`. They take time linear in
//! the text, and mean the same to fancy-regex as to Oniguruma, which the Python release of `tokenizers` uses. So `\w`,
//! `$` and Oniguruma's other dialect are not accepted.

use std::ops::ControlFlow;

/// Maximum length of a pattern in bytes. GPT-4o's has 380.
const MAX_PATTERN_BYTES: usize = 2000;
/// Maximum number of items of a pattern, where `a{3}` counts as three. The time per character grows with it.
const MAX_ITEMS: usize = 300;
/// Maximum depth of groups.
const MAX_DEPTH: usize = 4;

/// Unicode's general categories and scripts. The ones that contain unassigned characters are missing, because they
/// depend on the version of Unicode.
const PROPERTIES: &str = "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Cc Han \
    Hiragana Katakana Hangul Latin Greek Cyrillic Arabic Hebrew Thai Devanagari";

/// English contractions after or with their apostrophe: the only text that may be matched in any case, because
/// Oniguruma folds some pairs of letters into one character.
const CONTRACTIONS: [&str; 13] =
    ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "[sdmt]", "[sdtm]", "re", "ve", "ll", "m"];

/// Returns whether a pattern is accepted.
pub(super) fn is_supported(pattern: &str) -> bool {
    if pattern.len() > MAX_PATTERN_BYTES {
        return false;
    }
    let mut parser = Parser { rest: pattern, items: 0 };
    match parser.alternatives(0) {
        Some(branches) if parser.rest.is_empty() => is_linear(&branches),
        _ => false,
    }
}

/// An alternative: a sequence of items.
type Branch<'a> = Vec<Item<'a>>;

/// A character class or a group, and how often it is repeated.
#[derive(Debug)]
struct Item<'a> {
    atom: Atom<'a>,
    min: usize,
    /// `None` for no limit.
    max: Option<usize>,
    /// Whether it never gives back what it has matched.
    is_possessive: bool,
}

#[derive(Debug, PartialEq)]
enum Atom<'a> {
    /// A character or a class, as the pattern spells it.
    Class(&'a str),
    /// A group. It may be repeated at most once.
    Group { text: &'a str, is_bounded: bool },
    /// `(?!\S)`.
    BeforeSpace,
}

struct Repetition {
    min: usize,
    max: Option<usize>,
    is_possessive: bool,
}

struct Parser<'a> {
    rest: &'a str,
    /// The number of items so far, counted repetitions included.
    items: usize,
}

/// Reads the parts of a pattern. Each function returns `None` for syntax that is not accepted.
impl<'a> Parser<'a> {
    fn alternatives(&mut self, depth: usize) -> Option<Vec<Branch<'a>>> {
        let mut branches = vec![Vec::new()];
        loop {
            match self.rest.chars().next() {
                None | Some(')') => return Some(branches),
                Some('|') => {
                    self.rest = &self.rest[1..];
                    branches.push(Vec::new());
                }
                Some(_) => {
                    let item = self.item(depth)?;
                    branches.last_mut()?.push(item);
                }
            }
        }
    }

    fn item(&mut self, depth: usize) -> Option<Item<'a>> {
        let atom = self.atom(depth)?;
        let Repetition { min, max, is_possessive } = self.repetition()?;
        self.items += max.unwrap_or(min).max(1);
        match &atom {
            _ if self.items > MAX_ITEMS => return None,
            Atom::Class(_) => {}
            Atom::Group { is_bounded: true, .. } if max == Some(1) => {}
            Atom::Group { .. } | Atom::BeforeSpace => (min == 1 && max == Some(1)).then_some(())?,
        }
        Some(Item { atom, min, max, is_possessive })
    }

    fn atom(&mut self, depth: usize) -> Option<Atom<'a>> {
        if self.skip(r"(?!\S)") {
            return Some(Atom::BeforeSpace);
        }
        if self.skip("(?i:") {
            let (text, rest) = self.rest.split_once(')')?;
            self.rest = rest;
            let is_known = text.split('|').all(|part| CONTRACTIONS.contains(&part));
            return is_known.then_some(Atom::Group { text, is_bounded: true });
        }
        let start = self.rest;
        if self.skip("(?:") || (!start.starts_with("(?") && self.skip("(")) {
            let branches = (depth < MAX_DEPTH).then(|| self.alternatives(depth + 1))??;
            let text = &start[..start.len() - self.rest.len()];
            self.skip(")").then_some(())?;
            let items = || branches.iter().flatten();
            (items().all(|item| item.atom != Atom::BeforeSpace) && is_linear(&branches)).then_some(())?;
            let is_bounded = items().all(Item::is_bounded);
            return Some(Atom::Group { text, is_bounded });
        }
        self.class()?;
        Some(Atom::Class(&start[..start.len() - self.rest.len()]))
    }

    /// Skips a character, an escape or a bracketed class.
    fn class(&mut self) -> Option<()> {
        if self.skip("[") {
            self.skip("^");
            (!self.rest.starts_with(']')).then_some(())?;
            while !self.skip("]") {
                if ["&&", "--", "~~", "[:"].iter().any(|operator| self.rest.starts_with(operator)) {
                    return None;
                }
                match self.rest.chars().next()? {
                    '[' => self.class()?,
                    '\\' => self.escape()?,
                    char => self.rest = &self.rest[char.len_utf8()..],
                }
            }
            return Some(());
        }
        match self.rest.chars().next()? {
            '\\' => self.escape(),
            '^' | '$' | '(' | ')' | ']' | '*' | '+' | '?' | '{' | '}' => None,
            char => {
                self.rest = &self.rest[char.len_utf8()..];
                Some(())
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.skip("\\");
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        match char {
            's' | 'S' | 'd' | 'D' | 'r' | 'n' | 't' | 'f' => Some(()),
            'p' | 'P' => {
                let (name, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
                self.rest = rest;
                PROPERTIES.split(' ').any(|known| known == name).then_some(())
            }
            'u' => {
                let (digits, rest) = self.rest.split_at_checked(4)?;
                self.rest = rest;
                digits.chars().all(|digit| digit.is_ascii_hexdigit()).then_some(())
            }
            '<' | '>' => None,
            char => char.is_ascii_punctuation().then_some(()),
        }
    }

    /// Reads how often the last atom is repeated. `+` after `?`, `*` or `+` forbids backtracking.
    fn repetition(&mut self) -> Option<Repetition> {
        let is_count = self.rest.starts_with('{');
        let (min, max) = if self.skip("?") {
            (0, Some(1))
        } else if self.skip("*") {
            (0, None)
        } else if self.skip("+") {
            (1, None)
        } else if self.skip("{") {
            let (counts, rest) = self.rest.split_once('}')?;
            self.rest = rest;
            let count = |digits: &str| digits.parse().ok().filter(|count| *count <= MAX_ITEMS);
            match counts.split_once(',') {
                None => (count(counts)?, Some(count(counts)?)),
                Some((min, "")) => (count(min)?, None),
                Some((min, max)) => (count(min)?, Some(count(max)?)),
            }
        } else {
            (1, Some(1))
        };
        let is_possessive = !is_count && (min, max) != (1, Some(1)) && self.skip("+");
        let is_repeated = self.rest.starts_with(['?', '*', '+', '{']);
        let is_valid = !is_repeated && max.is_none_or(|max| max > 0 && min <= max);
        is_valid.then_some(Repetition { min, max, is_possessive })
    }

    fn skip(&mut self, prefix: &str) -> bool {
        self.rest.strip_prefix(prefix).map(|rest| self.rest = rest).is_some()
    }
}

impl Item<'_> {
    fn is_class(&self) -> bool {
        matches!(self.atom, Atom::Class(_))
    }

    fn is_bounded(&self) -> bool {
        self.max.is_some() && !matches!(self.atom, Atom::Group { is_bounded: false, .. })
    }
}

/// Returns whether matching a whole text takes linear time: every match consumes all characters that it scans, except
/// for a bounded number.
fn is_linear(branches: &[Branch]) -> bool {
    branches.iter().enumerate().all(|(index, branch)| match consumes_what_it_scans(branch) {
        ControlFlow::Continue(()) => true,
        ControlFlow::Break(None) => false,
        // `X*Y` scans a run of X and fails. Then an alternative `X+`, which must come next, matches the run.
        ControlFlow::Break(Some(unbounded)) => branches[index + 1..]
            .iter()
            .map_while(|next| {
                let is_same = has_prefix(next, &branch[..unbounded], &branch[unbounded]);
                is_same.then(|| consumes_what_it_scans(next).is_continue())
            })
            .any(|consumes| consumes),
    })
}

/// Returns whether `branch` is `prefix`, followed by a run of the atom of `repeated`.
fn has_prefix(branch: &Branch, prefix: &[Item], repeated: &Item) -> bool {
    let is_same = |(a, b): (&Item, &Item)| a.atom == b.atom && (a.min, a.max) == (b.min, b.max);
    branch.len() > prefix.len()
        && branch.iter().zip(prefix).all(is_same)
        && branch[prefix.len()].atom == repeated.atom
        && branch[prefix.len()].max.is_none()
        && branch[prefix.len()].min <= 1
}

/// Returns `Continue` if everything after the first unlimited repetition is optional. If exactly one item after it is
/// required, returns `Break` with the index of the repetition; in all other cases `Break(None)`.
fn consumes_what_it_scans(branch: &Branch) -> ControlFlow<Option<usize>> {
    let matches_something = branch.iter().any(|item| item.min > 0 && item.atom != Atom::BeforeSpace);
    if !matches_something {
        return ControlFlow::Break(None);
    }
    if !backtracks_little(branch) {
        return ControlFlow::Break(None);
    }
    let is_before_space = |item: &Item| item.atom == Atom::BeforeSpace;
    if branch.iter().any(is_before_space) {
        // Only after a run of spaces: there it gives back at most one of them.
        let is_run = matches!(
            branch.as_slice(),
            [Item { atom: Atom::Class(r"\s"), min: 1, max: None, is_possessive: false }, _]
        );
        let is_accepted = is_run && is_before_space(&branch[1]);
        return if is_accepted { ControlFlow::Continue(()) } else { ControlFlow::Break(None) };
    }
    let Some(unbounded) = branch.iter().position(|item| !item.is_bounded()) else {
        return ControlFlow::Continue(());
    };
    let required = branch[unbounded + 1..].iter().filter(|item| item.min > 0).count();
    match required {
        0 => ControlFlow::Continue(()),
        1 if branch[unbounded].is_class() && branch[unbounded + 1].min == 1 => {
            ControlFlow::Break(Some(unbounded))
        }
        _ => ControlFlow::Break(None),
    }
}

/// Returns whether fancy-regex backtracks little in the branch. It matches a branch with possessive items by
/// backtracking, so at most one of its items may give characters back.
fn backtracks_little(branch: &Branch) -> bool {
    let can_give_back =
        |item: &&Item| !item.is_possessive && (item.max != Some(item.min) || !item.is_class());
    !branch.iter().any(|item| item.is_possessive) || branch.iter().filter(can_give_back).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns of published tokenizers.
    const PUBLISHED: [(&str, &str); 12] = [
        ("GPT-2", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"),
        ("GPT-2, shorter", r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"),
        (
            "Llama 3",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        (
            "Qwen 3.5",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        (
            "GPT-4o",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        (
            "Mistral Nemo",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        (
            "DeepSeek",
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
        ),
        ("DeepSeek's Chinese", "[一-龥\u{3040}-ゟ゠-ヿ]+"),
        ("CLIP", r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
        ("BLOOM", r" ?[^(\s|[.,!?…。，、।۔،])]+"),
        ("Falcon", "[0-9][0-9][0-9]"),
        (
            "possessive",
            r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]|\s+(?!\S)|\s",
        ),
    ];

    #[test]
    fn patterns_of_published_tokenizers_are_accepted() {
        for (name, pattern) in PUBLISHED {
            assert!(is_supported(pattern), "{name}");
        }
        for pattern in [r"\s+", r"\d", r"(\s)", r"\s{2,}|[\n\r\t]", " {2,}", r"\p{Han}", r"(?:\p{L}+|\p{N}+)"]
        {
            assert!(is_supported(pattern), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_could_take_more_than_linear_time_are_refused() {
        let patterns = r"(a*)*b
            (a|aa)+
            (a+)+
            a*a*b
            a+b
            \s*[\r\n]+
            \s*[\r\n]+|\s|\s+
            a*b+|a+c
            (\s+a)
            x+(?!\S)
            \s+(?=a)
            (a)\1
            (?<=a)b
            (?>a)
            a+?
            (a*b)?
            ((((((a))))))
            a?a?a?b++";
        for pattern in patterns.lines() {
            assert!(!is_supported(pattern.trim_start()), "{pattern}");
        }
        for pattern in
            ["a?".repeat(301) + "b", "a".repeat(2001), "a{301}".to_owned(), r"\p{L}{100}".repeat(4)]
        {
            assert!(!is_supported(&pattern), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_mean_something_else_to_oniguruma_are_refused() {
        let patterns = r"
            a*
            a|
            a?|b
            \w+
            \bword
            ^a
            \s+$
            a{1,3}+
            a{,3}
            [a&&b]
            [[:punct:]]
            [a--b]
            \p{Punct}
            \p{Cn}
            (?i:ss)
            (?i)a
            \h
            a**
            a{0}
            a{3,2}
            []a]
            (a
            a)
            \";
        for pattern in patterns.lines() {
            assert!(!is_supported(pattern.trim_start()), "{pattern}");
        }
    }
}
