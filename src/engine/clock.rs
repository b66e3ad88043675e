//! Time, for choosing between what computes the same.

/// Milliseconds since some moment. Browsers round them to 0.1 or 1; deployed Workers stop them while computing.
#[cfg(target_arch = "wasm32")]
pub(crate) fn now_ms() -> f64 {
    #[wasm_bindgen::prelude::wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance, js_name = now)]
        fn now() -> f64;
    }
    now()
}

/// Milliseconds since some moment.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) fn now_ms() -> f64 {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}
