//! Sets `cfg(shared)` if the evaluation data is next to the checkout. Without it, tests that need the data are ignored.
//! Sets `cfg(avx512_vnni)` if this processor has AVX-512 VNNI. Without it, tests that need it are ignored.
//! Copies the WGSL of the GPU engine without its comments, which would take a quarter of its size in a WebAssembly file.

use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shared)");
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo would run this script for each build if the path did not exist.
    if Path::new("../shared/data/trec-dl21").is_dir() {
        println!("cargo::rerun-if-changed=../shared/data");
        println!("cargo::rustc-cfg=shared");
    }
    println!("cargo::rustc-check-cfg=cfg(avx512_vnni)");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512vnni") {
        println!("cargo::rustc-cfg=avx512_vnni");
    }
    if let Err(error) = copy_shaders(Path::new("src/engine/gpu/shader")) {
        println!("cargo::error=the WGSL cannot be copied: {error}");
    }
}

/// Copies each `.wgsl` file to the build's output, without comments, indentation and empty lines.
fn copy_shaders(folder: &Path) -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let output = std::env::var_os("OUT_DIR").ok_or(std::io::ErrorKind::NotFound)?;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|of| of == "wgsl")) else {
            continue;
        };
        let text = std::fs::read_to_string(&path)?;
        // WGSL has no string literals, so two slashes always begin a comment.
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        let code: String = lines.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
        std::fs::write(Path::new(&output).join(name), code)?;
    }
    Ok(())
}
