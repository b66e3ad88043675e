//! The clock of deadlines and of comparisons between engines and kernels.

/// Returns the time since an arbitrary origin, in milliseconds.
///
/// Browsers round it to 0.1 or 1 ms; deployed Cloudflare Workers stop it while they compute.
#[cfg(target_arch = "wasm32")]
pub(crate) fn now_ms() -> f64 {
    use wasm_bindgen::JsCast;
    // Windows, workers and Node have `performance` as a property of the global object; which of them this is does not
    // matter to the binding.
    let global = js_sys::global().unchecked_into::<web_sys::WorkerGlobalScope>();
    global.performance().map_or(0.0, |performance| performance.now())
}

/// Returns the time since an arbitrary origin, in milliseconds.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn now_ms() -> f64 {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}
