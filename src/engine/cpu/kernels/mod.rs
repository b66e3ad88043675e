//! The kernels of the CPU engine: written once over [`Isa`], compiled for each instruction set, chosen at run time.

mod attention;
mod glu;
mod lanes;
mod linear;
mod norm;
mod quantize;
#[cfg(test)]
mod tests;

pub(super) use attention::{
    AttentionCall, AttentionScratch, PackedPositions, Positions, Qkv, RelativePositions, RowsView,
};
pub(super) use linear::{Epilogue, Output};
pub(super) use norm::Norm;
pub(super) use quantize::QuantizedRows;

use super::arch::Isa;
use super::packed_weights::{PackedF32, PackedQ8};
use crate::checkpoint::Activation;

/// Every kernel for one instruction set.
pub(super) struct Kernels {
    /// What the instruction set is called.
    pub(super) name: &'static str,
    /// Columns of a panel of packed weights.
    pub(super) panel: usize,
    pub(super) norm: fn(&mut [f32], &Norm) -> bool,
    pub(super) quantize: fn(&[f32], usize, &[f32], &mut QuantizedRows),
    pub(super) linear_q8: fn(&PackedQ8, &mut QuantizedRows, Output),
    pub(super) linear_f32: fn(&PackedF32, &[f32], usize, Output),
    /// The product inside a gated feed-forward block.
    pub(super) glu: fn(&mut [f32], usize, Activation),
    /// Attention over 16-bit integers, the same bits everywhere.
    pub(super) attend_i16: fn(AttentionCall),
    pub(super) attend_f32: fn(AttentionCall),
    /// Relative positions as `attend_i16` reads them.
    pub(super) pack_i16: fn(RowsView, usize, usize) -> PackedPositions,
    /// Relative positions as `attend_f32` reads them.
    pub(super) pack_f32: fn(RowsView, usize, usize) -> PackedPositions,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The kernels for an instruction set that is there whatever the processor.
const fn portable<S: Isa>(name: &'static str) -> Kernels {
    Kernels {
        name,
        panel: S::PANEL,
        norm: norm::norm::<S>,
        quantize: quantize::quantize::<S>,
        linear_q8: linear::linear_q8::<S>,
        linear_f32: linear::linear_f32::<S>,
        glu: glu::glu::<S>,
        attend_i16: attention::attend_i16::<S>,
        attend_f32: attention::attend_f32::<S>,
        pack_i16: attention::pack_i16::<S>,
        pack_f32: attention::pack_f32::<S>,
    }
}

/// Kernels for which the processor has instructions, fastest first; the last are always there.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn available() -> Vec<&'static Kernels> {
    let mut list = native();
    list.push(&SCALAR);
    list
}

#[cfg(not(target_arch = "wasm32"))]
static SCALAR: Kernels = portable::<super::arch::scalar::Scalar>("scalar");

#[cfg(not(any(target_arch = "aarch64", target_arch = "wasm32", target_arch = "x86_64")))]
fn native() -> Vec<&'static Kernels> {
    Vec::new()
}

#[cfg(target_arch = "aarch64")]
fn native() -> Vec<&'static Kernels> {
    use super::arch::aarch64::{DotProd, Neon, WideningMul};
    static DOT_PRODUCT: Kernels = portable::<Neon<DotProd>>("neon dot product");
    static NEON: Kernels = portable::<Neon<WideningMul>>("neon");
    let mut list: Vec<&'static Kernels> = vec![&NEON];
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        list.insert(0, &DOT_PRODUCT);
    }
    list
}

/// The kernels of this build, which read the same packed weights: the fastest on some processors, and those that are good
/// everywhere.
#[cfg(target_arch = "wasm32")]
pub(super) fn candidates() -> [&'static Kernels; 2] {
    wasm32::CANDIDATES
}

#[cfg(target_arch = "wasm32")]
mod wasm32 {
    use super::{Kernels, portable};
    use crate::engine::cpu::arch::wasm32::*;

    #[cfg(feature = "relaxed-simd")]
    pub(super) static CANDIDATES: [&Kernels; 2] = {
        static FOUR: Kernels = portable::<Wasm<RelaxedDot4>>("wasm relaxed-simd");
        static TWO: Kernels = portable::<Wasm<RelaxedDot2>>("wasm relaxed-simd, pairs");
        [&FOUR, &TWO]
    };

    #[cfg(not(feature = "relaxed-simd"))]
    pub(super) static CANDIDATES: [&Kernels; 2] = {
        static WORDS: Kernels = portable::<Wasm<WidenedDot>>("wasm simd128");
        [&WORDS, &WORDS]
    };
}

#[cfg(target_arch = "x86_64")]
fn native() -> Vec<&'static Kernels> {
    let mut list: Vec<&'static Kernels> = Vec::new();
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            list.push(&x86_64::AVX512_VNNI);
        }
        if is_x86_feature_detected!("avxvnni") {
            list.push(&x86_64::AVX_VNNI);
        }
        list.push(&x86_64::AVX2);
    }
    list
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "native() hands these out only where their instructions are")]
mod x86_64 {
    use super::*;
    use crate::engine::cpu::arch::x86_64::*;

    /// The kernels for a token, compiled with AVX2: a function of its own each, for only with a name can it be told
    /// which instructions it may use.
    macro_rules! kernels {
        ($name:ident, $text:literal, $token:ty) => {
            pub(super) static $name: Kernels = {
                #[target_feature(enable = "avx2,fma")]
                fn norm(rows: &mut [f32], norm: &Norm) -> bool {
                    norm::norm::<$token>(rows, norm)
                }
                #[target_feature(enable = "avx2,fma")]
                fn quantize(rows: &[f32], columns: usize, factors: &[f32], out: &mut QuantizedRows) {
                    quantize::quantize::<$token>(rows, columns, factors, out);
                }
                #[target_feature(enable = "avx2,fma")]
                fn linear_q8(layer: &PackedQ8, input: &mut QuantizedRows, output: Output) {
                    linear::linear_q8::<$token>(layer, input, output);
                }
                #[target_feature(enable = "avx2,fma")]
                fn linear_f32(layer: &PackedF32, input: &[f32], rows: usize, output: Output) {
                    linear::linear_f32::<$token>(layer, input, rows, output);
                }
                #[target_feature(enable = "avx2,fma")]
                fn glu(rows: &mut [f32], columns: usize, activation: Activation) {
                    glu::glu::<$token>(rows, columns, activation);
                }
                #[target_feature(enable = "avx2,fma")]
                fn attend_i16(attend: AttentionCall) {
                    attention::attend_i16::<$token>(attend);
                }
                #[target_feature(enable = "avx2,fma")]
                fn attend_f32(attend: AttentionCall) {
                    attention::attend_f32::<$token>(attend);
                }
                #[target_feature(enable = "avx2,fma")]
                fn pack_i16(rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
                    attention::pack_i16::<$token>(rows, heads, head_dim)
                }
                #[target_feature(enable = "avx2,fma")]
                fn pack_f32(rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
                    attention::pack_f32::<$token>(rows, heads, head_dim)
                }
                // SAFETY, of all: `native` has asked the processor.
                Kernels {
                    name: $text,
                    panel: <$token as Isa>::PANEL,
                    norm: |rows, weights| unsafe { norm(rows, weights) },
                    quantize: |rows, columns, factors, out| unsafe { quantize(rows, columns, factors, out) },
                    linear_q8: |layer, input, output| unsafe { linear_q8(layer, input, output) },
                    linear_f32: |layer, input, rows, output| unsafe {
                        linear_f32(layer, input, rows, output)
                    },
                    glu: |rows, columns, activation| unsafe { glu(rows, columns, activation) },
                    attend_i16: |attend| unsafe { attend_i16(attend) },
                    attend_f32: |attend| unsafe { attend_f32(attend) },
                    pack_i16: |rows, heads, head_dim| unsafe { pack_i16(rows, heads, head_dim) },
                    pack_f32: |rows, heads, head_dim| unsafe { pack_f32(rows, heads, head_dim) },
                }
            };
        };
    }

    kernels!(AVX2, "avx2", X86<Avx2>);
    kernels!(AVX_VNNI, "avx-vnni", X86<AvxVnni>);
    kernels!(AVX512_VNNI, "avx512-vnni", X86<Avx512Vnni>);
}
