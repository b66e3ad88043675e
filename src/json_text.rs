//! JSON from programs whose strings are UTF-16.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

const REPLACEMENT: &[u8; 6] = br"\ufffd";

/// Parses JSON. The escape of a lone surrogate becomes U+FFFD, as in `TextEncoder`; serde_json rejects it. `JSON.stringify`
/// and Python's `json.dumps` write such escapes for a text that was cut inside an emoji.
///
/// # Errors
/// The errors of serde_json.
pub fn parse_json<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&replace_lone_surrogates(json))
}

/// Replaces the escapes of lone surrogates. All places stay the same, because both escapes have six bytes.
fn replace_lone_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        let next = at + 6;
        let surrogate = code_unit(&json[at..]).filter(|unit| (0xd800..0xe000).contains(unit));
        at = match surrogate {
            // A backslash hides the byte after it.
            None => json.len().min(at + 2),
            Some(0xd800..0xdc00)
                if code_unit(&json[next..]).is_some_and(|unit| (0xdc00..0xe000).contains(&unit)) =>
            {
                next + 6
            }
            Some(_) => {
                text.to_mut()[at..next].copy_from_slice(REPLACEMENT);
                next
            }
        };
    }
    text
}

/// Returns the value of an escape `\uXXXX` at the beginning of some JSON.
fn code_unit(json: &[u8]) -> Option<u32> {
    let digits = json.strip_prefix(br"\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::parse_json;

    #[test]
    fn escapes_of_lone_surrogates_are_replaced() {
        for (json, text) in [
            (r#""half \ud83d emoji""#, "half \u{fffd} emoji"),
            (r#""\ude00 low""#, "\u{fffd} low"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\uD83D\uDE00 \u00e9""#, "\u{1f600} \u{e9}"),
            (r#""a \\ud83d b""#, r"a \ud83d b"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            assert_eq!(parse_json::<String>(json.as_bytes()).unwrap(), text, "{json}");
        }
    }

    #[test]
    fn wrong_json_stays_wrong() {
        for json in [r#""\ud8"#, r#""\u+123""#, r#""\ud83d"#, "\"\\", "\"\\u", "\\"] {
            assert!(parse_json::<String>(json.as_bytes()).is_err(), "{json}");
        }
        let error = parse_json::<Vec<String>>(br#"["\ud83d", 1]"#).unwrap_err();
        assert_eq!(error.column(), 12);
        assert!(parse_json::<String>(b"\"\xff\"").is_err());
    }
}
