//! Checks versions in Cargo.toml that must match those of other dependencies.

/// Returns the first entry with this name in Cargo.lock.
fn locked(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(path).unwrap();
    let found = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    found.unwrap_or_else(|| panic!("Cargo.lock has no {name}")).to_owned()
}

fn dependency<'a>(entry: &'a str, name: &str) -> &'a str {
    let is_wanted = |line: &&str| line.trim().trim_start_matches('"').starts_with(name);
    entry.lines().find(is_wanted).unwrap_or_else(|| panic!("{entry} does not depend on {name}")).trim()
}

#[test]
fn base64_and_ureq_are_of_the_versions_that_other_dependencies_use() {
    for (name, user) in [("base64", "spm_precompiled"), ("ureq", "hf-hub")] {
        assert_eq!(dependency(&locked("ranklet"), name), dependency(&locked(user), name), "{name}");
    }
}
