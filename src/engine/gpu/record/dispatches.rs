//! The dispatches of layers and norms.

use super::recording::{Dispatch, Input, Scratch, Slot};
use super::steps::{Linear, Norm, Q8Tables, VEC4};
use crate::engine::gpu::shader::{
    Arithmetic, Epilogue, GemmKernel, GemmParams, GemmTile, Kernel, NormParams, Params, QuantizeParams,
    row_grid,
};

/// Input features in a vector of codes.
pub(super) const VECTOR_CODES: usize = 16;

/// Returns the dispatch that normalizes `rows` rows in place.
pub(crate) fn norm_in_place(norm: &Norm, buffer: Slot, rows: usize, subgroups: bool) -> Dispatch {
    Dispatch {
        kernel: Kernel::Norm { in_place: true, subgroups },
        buffers: vec![Slot::Constant(norm.weight), Slot::Constant(norm.bias), buffer],
        params: norm_params(norm, rows),
        grid: row_grid(rows),
    }
}

pub(super) fn norm_params(norm: &Norm, rows: usize) -> Params {
    Params::Norm(NormParams {
        rows: count(rows),
        width: count(norm.width),
        vectors: count(norm.width.div_ceil(VEC4)),
        eps: norm.eps,
        rms: u32::from(norm.rms),
    })
}

/// The rows and the arithmetic of a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// All rows, in f32.
    F32,
    /// All rows, in f16.
    F16,
    /// Quantized rows; the first of each pair is left out.
    Codes,
    /// The first row of each pair, in f32.
    FirstRows,
    /// All rows, in f32, with the kernel for first rows.
    OtherRows,
}

/// Returns the dispatch of a linear layer that writes `rows` rows of `columns` vectors.
pub(crate) fn gemm(
    linear: &Linear,
    [from, to]: [Slot; 2],
    [rows, columns]: [usize; 2],
    (product, epilogue): (Product, Epilogue),
    tile: GemmTile,
) -> Dispatch {
    let first_rows = matches!(product, Product::FirstRows | Product::OtherRows);
    let (arithmetic, depth, input_vectors) = match product {
        Product::Codes => (Arithmetic::I8, linear.depth / VEC4, linear.depth / VECTOR_CODES),
        Product::F16 => (Arithmetic::F16, linear.depth, linear.input_vectors),
        _ => (Arithmetic::F32, linear.depth, linear.input_vectors),
    };
    let kernel = GemmKernel { tile, storage: linear.storage, arithmetic, first_rows, epilogue };
    let mut buffers = vec![from, Slot::Constant(linear.weight), Slot::Constant(linear.bias), to];
    if let Some(Q8Tables { scales, factors, column_sums }) = linear.q8 {
        buffers.push(Slot::Constant(scales));
        match product {
            Product::Codes => {
                buffers.extend([Slot::Constant(column_sums), Slot::Scratch(Scratch::RowScales)]);
            }
            _ => buffers.push(Slot::Constant(factors)),
        }
    }
    if first_rows {
        buffers.push(Slot::Input(Input::CuSeqlens));
    }
    let params = GemmParams {
        rows: count(rows),
        depth: count(depth),
        input_vectors: count(input_vectors),
        input_stride: count(input_vectors),
        column_vectors: count(linear.column_vectors),
        output_stride: count(columns),
        first_rows: u32::from(product == Product::FirstRows),
    };
    Dispatch {
        kernel: Kernel::Gemm(kernel),
        buffers,
        params: Params::Gemm(params),
        grid: kernel.grid(rows, linear.column_vectors),
    }
}

/// Returns the dispatch that quantizes the `rows` input rows of a layer.
pub(crate) fn quantize(
    linear: &Linear,
    tables: Q8Tables,
    from: Slot,
    rows: usize,
    subgroups: bool,
) -> Dispatch {
    Dispatch {
        kernel: Kernel::Quantize { subgroups },
        buffers: vec![
            from,
            Slot::Constant(tables.factors),
            Slot::Input(Input::Positions),
            Slot::Scratch(Scratch::Codes),
            Slot::Scratch(Scratch::RowScales),
        ],
        params: Params::Quantize(QuantizeParams {
            rows: count(rows),
            input_vectors: count(linear.input_vectors),
            stride: count(linear.depth / VEC4),
        }),
        grid: row_grid(rows),
    }
}

/// Returns the bytes of `rows` rows of f32.
pub(crate) fn bytes(rows: usize, vectors: usize) -> u64 {
    (rows * vectors * VEC4 * size_of::<f32>()) as u64
}

/// Converts a count for a kernel. No buffer that a GPU can bind has 2^32 elements.
pub(super) fn count(number: usize) -> u32 {
    number as u32
}
