//! The kernels of the CPU engine: written once over [`Isa`], compiled for each instruction set, chosen at run time.

mod activation;
mod attention;
mod lanes;
mod linear;
mod norm;
mod quantize;
#[cfg(test)]
pub(super) mod tests;

pub(crate) use attention::{
    AttentionCall, AttentionScratch, AttentionSizes, PackedPositions, Positions, Qkv, RowsView,
};
pub(super) use linear::{Epilogue, Output};
pub(super) use norm::Norm;
pub(super) use quantize::QuantizedRows;

use std::fmt::Debug;

use super::arch::Isa;
#[cfg(target_arch = "x86_64")]
use super::arch::x86_64::{Avx512Lanes, TileSet, X86};
use super::packed_weights::{PackedF32, PackedQ8};
use crate::checkpoint::Activation;

/// Kernels that enable no instructions themselves: the target has them, or only the tiles need them, which are
/// functions of their own.
#[derive(Debug)]
struct Portable<S>(S);

/// Kernels compiled with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
struct WithAvx2<T>(X86<T>);

/// Kernels compiled with AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
struct WithAvx512<T>(X86<T>);

/// Declares [`Kernels`] and implements it by the generic functions after `=`, which take an instruction set's token
/// first.
macro_rules! kernels {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $function:path;
    )*) => {
        /// Every kernel for one instruction set. A value holds the set's token, so it exists only if the processor has
        /// the instructions.
        pub(crate) trait Kernels: Debug + Send + Sync {
            /// Name of the instruction set.
            fn name(&self) -> &'static str;
            /// Columns of a panel of packed weights.
            fn panel(&self) -> usize;
            $($(#[$doc])* fn $name(&self, $($argument: $type),*) $(-> $result)?;)*
        }

        impl<S: Isa> Kernels for Portable<S> {
            fn name(&self) -> &'static str {
                S::NAME
            }
            fn panel(&self) -> usize {
                S::PANEL
            }
            $(fn $name(&self, $($argument: $type),*) $(-> $result)? {
                $function(self.0, $($argument),*)
            })*
        }

        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "functions that enable the instructions which a token vouches for")]
        impl<T: TileSet> Kernels for WithAvx2<T> {
            fn name(&self) -> &'static str {
                <X86<T> as Isa>::NAME
            }
            fn panel(&self) -> usize {
                <X86<T> as Isa>::PANEL
            }
            $(fn $name(&self, $($argument: $type),*) $(-> $result)? {
                // Intrinsics are inlined only into a function that enables their instructions.
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2<S: Isa>(isa: S, $($argument: $type),*) $(-> $result)? {
                    $function(isa, $($argument),*)
                }
                // SAFETY: the token exists only if the processor has AVX2 and FMA.
                unsafe { with_avx2(self.0, $($argument),*) }
            })*
        }

        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "functions that enable the instructions which a token vouches for")]
        impl<T: TileSet<Wide = Avx512Lanes>> Kernels for WithAvx512<T> {
            fn name(&self) -> &'static str {
                <X86<T> as Isa>::NAME
            }
            fn panel(&self) -> usize {
                <X86<T> as Isa>::PANEL
            }
            $(fn $name(&self, $($argument: $type),*) $(-> $result)? {
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
                fn with_avx512<S: Isa>(isa: S, $($argument: $type),*) $(-> $result)? {
                    $function(isa, $($argument),*)
                }
                // SAFETY: the token, which gives the lanes of AVX-512, exists only if the processor has these
                // instructions.
                unsafe { with_avx512(self.0, $($argument),*) }
            })*
        }
    };
}

kernels! {
    /// LayerNorm in place; returns whether all rows are finite.
    fn norm(rows: &mut [f32], norm: &Norm) -> bool = norm::norm;
    /// Quantizes rows of `columns` values, times `factors` unless they are empty.
    fn quantize(rows: &[f32], columns: usize, factors: &[f32], out: &mut QuantizedRows) = quantize::quantize;
    /// Arranges a packed layer for `linear_q8`, once.
    fn arrange(layer: &mut PackedQ8) = linear::arrange;
    /// A linear layer with 7-bit weights over quantized rows.
    fn linear_q8(layer: &PackedQ8, input: &mut QuantizedRows, output: Output) = linear::linear_q8;
    /// A linear layer in f32 over `rows` rows.
    fn linear_f32(layer: &PackedF32, input: &[f32], rows: usize, output: Output) = linear::linear_f32;
    /// An activation function, in place.
    fn activate(values: &mut [f32], activation: Activation) = activation::activate;
    /// `activation(x) * gate` over rows `[x, gate]`, in place.
    fn glu(rows: &mut [f32], columns: usize, activation: Activation) = activation::glu;
    /// Attention of one pair with 16-bit integer products, bit-identical everywhere.
    fn attend_i16(call: AttentionCall) = attention::attend_i16;
    /// Attention of one pair in f32.
    fn attend_f32(call: AttentionCall) = attention::attend_f32;
    /// Packs relative positions for `attend_i16`.
    fn pack_i16(rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions = attention::pack_i16;
    /// Packs relative positions for `attend_f32`.
    fn pack_f32(rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions = attention::pack_f32;
}

/// Returns kernels for the life of the program. Tokens have no size, so this allocates nothing.
fn leak<K: Kernels + 'static>(kernels: K) -> &'static dyn Kernels {
    Box::leak(Box::new(kernels))
}

/// Returns the kernels of an instruction set if the processor has it.
#[cfg(not(target_arch = "wasm32"))]
fn portable<S: Isa>() -> Option<&'static dyn Kernels> {
    S::detect().map(|isa| leak(Portable(isa)))
}

/// Returns the kernels whose instructions the processor has, fastest first; plain Rust comes last.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn available() -> Vec<&'static dyn Kernels> {
    native().into_iter().chain([portable::<super::arch::scalar::Scalar>()]).flatten().collect()
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "wasm32", target_arch = "x86_64")))]
fn native() -> Vec<Option<&'static dyn Kernels>> {
    Vec::new()
}

#[cfg(target_arch = "aarch64")]
fn native() -> Vec<Option<&'static dyn Kernels>> {
    use super::arch::aarch64::{DotProd, Neon, WideningMul};
    vec![portable::<Neon<DotProd>>(), portable::<Neon<WideningMul>>()]
}

#[cfg(target_arch = "x86_64")]
fn native() -> Vec<Option<&'static dyn Kernels>> {
    use super::arch::x86_64::{Avx2, Avx512Vnni, AvxVnni};
    fn with_avx2<T: TileSet>() -> Option<&'static dyn Kernels> {
        X86::<T>::detect().map(|isa| leak(WithAvx2(isa)))
    }
    fn with_avx512<T: TileSet<Wide = Avx512Lanes>>(isa: Option<X86<T>>) -> Option<&'static dyn Kernels> {
        isa.map(|isa| leak(WithAvx512(isa)))
    }
    let avx512 = with_avx512(X86::<Avx512Vnni>::detect());
    let mut all = vec![avx512, with_avx2::<AvxVnni>(), with_avx2::<Avx2>()];
    #[cfg(target_os = "linux")]
    {
        use super::arch::x86_64::AmxInt8;
        let amx = X86::<AmxInt8>::detect();
        #[cfg(test)]
        if amx.is_none() {
            // Last, because it is slow.
            all.push(with_avx512(X86::<AmxInt8>::emulated()));
        }
        all.insert(0, with_avx512(amx));
    }
    all
}

/// Returns the two kernels of this build: one is the fastest on some processors, the other is fast on all.
#[cfg(target_arch = "wasm32")]
pub(super) fn candidates() -> [&'static dyn Kernels; 2] {
    use super::arch::wasm32::{FallbackDot, PreferredDot, Wasm};
    [leak(Portable(Wasm::<PreferredDot>::of_build())), leak(Portable(Wasm::<FallbackDot>::of_build()))]
}
