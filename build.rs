//! Sets `cfg(shared)` where the evaluation data lies beside the checkout, so that tests which need it show as ignored
//! where it does not.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../shared/data");
    if std::path::Path::new("../shared/data/trec-dl21").is_dir() {
        println!("cargo::rustc-cfg=shared");
    }
}
