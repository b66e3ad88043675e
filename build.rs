//! Sets `cfg(shared)` if the evaluation data is next to the checkout. Without it, tests that need the data are ignored.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../shared/data");
    if std::path::Path::new("../shared/data/trec-dl21").is_dir() {
        println!("cargo::rustc-cfg=shared");
    }
}
