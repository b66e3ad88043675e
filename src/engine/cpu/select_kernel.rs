//! Selects the faster dot product in WebAssembly, where only a clock can tell which it is.

use super::kernels::{Epilogue, Kernels, Output, QuantizedRows};
use super::packed_weights::PackedQ8;
use crate::engine::clock::now_ms;

/// Selects one of two sets of kernels: the first, unless the second is clearly faster or the clock does not advance. The
/// second must be good on every processor.
///
/// Takes about ten milliseconds, because a browser compiles a function with optimizations only after many calls, and it
/// may have optimized one of the two before the other.
///
/// Without relaxed SIMD both are the same, and nothing is measured.
pub(super) fn select(first: &'static dyn Kernels, second: &'static dyn Kernels) -> &'static dyn Kernels {
    if first.name() == second.name() {
        return first;
    }
    const ROUNDS: usize = 16;
    const MIN_SPEEDUP: f64 = 1.2;
    const ROWS: usize = 48;
    const INPUTS: usize = 384;
    const OUTPUTS: usize = 768;
    let mut layers = [first, second].map(|kernels| {
        let mut layer = PackedQ8::zeros(INPUTS, OUTPUTS, kernels.panel());
        kernels.arrange(&mut layer);
        let mut input = QuantizedRows::default();
        input.reserve(ROWS, layer.row_stride, std::iter::empty());
        (kernels, layer, input)
    });
    let mut output = vec![0.0; ROWS * OUTPUTS];
    let mut times = [f64::INFINITY; 2];
    // In turns, so that other load on the machine affects both equally.
    for _ in 0..ROUNDS {
        for (time, (kernels, layer, input)) in times.iter_mut().zip(&mut layers) {
            let started = now_ms();
            kernels.linear_q8(layer, input, Output { values: &mut output, epilogue: Epilogue::Store });
            *time = time.min(now_ms() - started);
        }
    }
    let clock_is_frozen = times == [0.0; 2];
    if clock_is_frozen || times[0] > MIN_SPEEDUP * times[1] { second } else { first }
}
