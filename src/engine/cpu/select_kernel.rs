//! Which dot product is faster here: in WebAssembly nothing but a clock can tell.

use super::kernels::{Epilogue, Kernels, Output, QuantizedRows};
use super::packed_weights::PackedQ8;
use crate::engine::clock::now_ms;

/// Which of two kernels that read the same packed weights to use: the first, unless the second is clearly faster or the
/// clock stands still; then the second, which is to be good everywhere.
///
/// Takes some ten milliseconds, for so long a browser needs to compile for speed what it has seen called often, and it
/// may have done so for one of them alone.
pub(super) fn select(first: &'static dyn Kernels, second: &'static dyn Kernels) -> &'static dyn Kernels {
    const ROUNDS: usize = 16;
    const MIN_SPEEDUP: f64 = 1.2;
    const ROWS: usize = 48;
    const INPUTS: usize = 384;
    const OUTPUTS: usize = 768;
    let layer = PackedQ8::zeros(INPUTS, OUTPUTS, first.panel());
    let mut input = QuantizedRows::default();
    input.reserve(ROWS, INPUTS, std::iter::empty());
    let mut output = vec![0.0; ROWS * OUTPUTS];
    let mut times = [f64::INFINITY; 2];
    // In turns, so that what else the machine does meets both alike.
    for _ in 0..ROUNDS {
        for (time, kernels) in times.iter_mut().zip([first, second]) {
            let started = now_ms();
            kernels.linear_q8(&layer, &mut input, Output { values: &mut output, epilogue: Epilogue::Store });
            *time = time.min(now_ms() - started);
        }
    }
    let clock_is_frozen = times == [0.0; 2];
    if clock_is_frozen || times[0] > MIN_SPEEDUP * times[1] { second } else { first }
}
