//! The environment variables of HF's own programs.

use std::path::PathBuf;

use hf_hub::Cache;

use super::HubOptions;

/// The Hub's settings in the environment.
pub(super) struct HubEnvironment {
    /// In `HF_HUB_CACHE`, else in `HF_HOME/hub`, else in the home folder.
    pub(super) cache: Cache,
    /// `HF_ENDPOINT`, the URL of the Hub.
    pub(super) endpoint: String,
    /// The access token: `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, else the content of the file `HF_TOKEN_PATH`, else
    /// the token that HF's login saved.
    pub(super) token: Option<String>,
    /// `HF_HUB_OFFLINE`: use the cache and send no requests.
    pub(super) is_offline: bool,
}

impl HubEnvironment {
    pub(super) fn read() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Replaces what the options of a call give.
    pub(super) fn with(mut self, options: HubOptions<'_>) -> Self {
        if let Some(token) = options.token {
            self.token = Some(token.to_owned()).filter(|token| !token.is_empty());
        }
        if let Some(cache) = options.cache {
            self.cache = Cache::new(cache.to_owned());
        }
        self.is_offline |= options.local_files_only;
        self
    }

    /// Reads variables. An empty one counts as unset.
    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let home = get("HF_HOME").map(PathBuf::from);
        let default_cache = match &home {
            Some(home) => Cache::new(home.join("hub")),
            None => Cache::default(),
        };
        let saved_token = || match get("HF_TOKEN_PATH") {
            Some(path) => std::fs::read_to_string(path).ok(),
            None => default_cache.token(),
        };
        let token = get("HF_TOKEN").or_else(|| get("HUGGING_FACE_HUB_TOKEN")).or_else(saved_token);
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self {
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            is_offline: get("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            cache: get("HF_HUB_CACHE").map_or(default_cache, |path| Cache::new(path.into())),
        }
    }
}

/// Returns whether the value of a variable means "yes" to HF's own programs.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> HubEnvironment {
        HubEnvironment::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_token_comes_from_the_first_variable_that_is_set() {
        let home = tempfile::tempdir().unwrap();
        let home_path = home.path().to_str().unwrap();
        std::fs::write(home.path().join("token"), "saved\n").unwrap();
        let path = home.path().join("other");
        std::fs::write(&path, "in-file\n").unwrap();
        let all = [
            ("HF_TOKEN", "first"),
            ("HUGGING_FACE_HUB_TOKEN", "second"),
            ("HF_TOKEN_PATH", path.to_str().unwrap()),
            ("HF_HOME", home_path),
        ];
        for (skipped, token) in ["first", "second", "in-file", "saved"].into_iter().enumerate() {
            assert_eq!(read(&all[skipped..]).token.as_deref(), Some(token));
        }
        for (option, token) in [(None, Some("first")), (Some("other"), Some("other")), (Some(""), None)] {
            let options = HubOptions { token: option, ..HubOptions::default() };
            assert_eq!(read(&all).with(options).token.as_deref(), token);
        }
        let elsewhere = [("HF_HOME", "/nonexistent"), ("HF_TOKEN", " ")];
        assert_eq!(read(&elsewhere).token, None);
    }

    #[test]
    fn the_endpoint_the_cache_and_offline_have_their_variables() {
        let environment = read(&[("HF_HOME", "/home"), ("HF_ENDPOINT", "http://mirror/")]);
        assert_eq!(environment.endpoint, "http://mirror");
        assert_eq!(environment.cache.path(), Path::new("/home/hub"));
        assert!(!environment.is_offline);
        let environment =
            read(&[("HF_HOME", "/home"), ("HF_HUB_CACHE", "/cache"), ("HF_HUB_OFFLINE", "True")]);
        assert_eq!(environment.endpoint, "https://huggingface.co");
        assert_eq!(environment.cache.path(), Path::new("/cache"));
        assert!(environment.is_offline);
        assert!(!read(&[("HF_HUB_OFFLINE", "0")]).is_offline);
    }
}
