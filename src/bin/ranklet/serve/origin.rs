//! Origins of pages that may call the server.

/// Reads an origin. Returns it as browsers send it: without a slash at the end, and for http and https in lowercase and
/// without the default port.
///
/// # Errors
/// A message for a text that no browser sends as an origin.
pub(super) fn origin(text: &str) -> Result<String, String> {
    if matches!(text, "*" | "null" | "file://") {
        return Ok(text.to_owned());
    }
    let parts = text.strip_suffix('/').unwrap_or(text).split_once("://");
    let Some((scheme, host)) = parts.filter(|(scheme, host)| is_scheme(scheme) && is_host(host)) else {
        return Err("must be an origin such as https://example.com, without a path, or *".to_owned());
    };
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match &scheme[..] {
        "http" => ":80",
        "https" => ":443",
        _ => return Ok(format!("{scheme}://{host}")),
    };
    let host = host.to_ascii_lowercase();
    Ok(format!("{scheme}://{}", host.strip_suffix(default_port).unwrap_or(&host)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "+.-".contains(char))
}

/// Returns whether a text can be a host with a port. Browsers send a host that is not ASCII in Punycode.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || "-._[]:".contains(char))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::origin;

    #[derive(serde::Deserialize)]
    struct Origins {
        accepted: BTreeMap<String, String>,
        refused: Vec<String>,
    }

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        let table = include_str!("../../../../tests/fixtures/origins.json");
        let Origins { accepted, refused } = serde_json::from_str(table).expect("is a table");
        for (text, sent) in accepted {
            assert_eq!(origin(&text).as_ref(), Ok(&sent), "{text}");
        }
        for text in refused {
            assert!(origin(&text).is_err(), "{text}");
        }
    }
}
