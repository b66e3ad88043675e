//! The uniform parameters of each kernel: the struct `Params` of its WGSL, member by member.
//!
//! A test compares names, types and offsets with naga's reflection of the WGSL.

/// Size of the binding for parameters, in bytes: at least that of the largest struct below.
pub(crate) const MAX_PARAMS_BYTES: usize = 64;

/// A member of a parameter struct.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParamField {
    pub(crate) name: &'static str,
    /// `"u32"` or `"f32"`, the name in Rust and in WGSL.
    pub(crate) ty: &'static str,
    pub(crate) offset: usize,
}

macro_rules! params {
    ($($(#[$doc:meta])* $kernel:ident($name:ident {
        $($(#[$field_doc:meta])* $field:ident: $ty:ident,)*
    }))*) => {
        /// The parameters of one dispatch.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub(crate) enum Params {
            $($kernel($name),)*
        }

        impl Params {
            /// The bytes that the kernel reads.
            pub(crate) fn bytes(&self) -> [u8; MAX_PARAMS_BYTES] {
                let mut bytes = [0; MAX_PARAMS_BYTES];
                match self {
                    $(Params::$kernel(params) => {
                        $(
                            let offset = std::mem::offset_of!($name, $field);
                            bytes[offset..offset + size_of::<$ty>()].copy_from_slice(&params.$field.to_le_bytes());
                        )*
                    })*
                }
                bytes
            }

            /// The members of the struct, in order.
            #[cfg(test)]
            pub(crate) fn fields(&self) -> Vec<ParamField> {
                match self {
                    $(Params::$kernel(_) => $name::fields(),)*
                }
            }
        }

        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Debug, Clone, Copy, PartialEq)]
            pub(crate) struct $name {
                $($(#[$field_doc])* pub(crate) $field: $ty,)*
            }

            const _: () = assert!(size_of::<$name>() <= MAX_PARAMS_BYTES);

            #[cfg(test)]
            impl $name {
                /// The members, in order.
                pub(crate) fn fields() -> Vec<ParamField> {
                    vec![$(ParamField {
                        name: stringify!($field),
                        ty: stringify!($ty),
                        offset: std::mem::offset_of!($name, $field),
                    }),*]
                }
            }
        )*
    };
}

params! {
    /// See `gemm.wgsl`.
    Gemm(GemmParams {
        rows: u32,
        /// Input features of the packed weights, a multiple of [`DEPTH_ALIGN`](super::DEPTH_ALIGN). For products of 8-bit
        /// integers, depth and input vectors are in words of four input features.
        depth: u32,
        /// Vectors of input features in a row of the input.
        input_vectors: u32,
        /// Vectors from one row of the input to the next.
        input_stride: u32,
        /// Vectors of columns of the weights; twice as many as a gated layer writes.
        column_vectors: u32,
        /// Vectors from one row of the output to the next.
        output_stride: u32,
        /// 1 if the rows are the first ones of each pair, among others in the buffers.
        first_rows: u32,
    })

    /// See `quantize.wgsl`.
    Quantize(QuantizeParams {
        rows: u32,
        /// Vectors of input features in a row of the input.
        input_vectors: u32,
        /// Words from one row of codes to the next.
        stride: u32,
    })

    /// See `attention.wgsl`. Strides and columns are in vectors.
    Attention(AttentionParams {
        query_stride: u32,
        key_stride: u32,
        /// First column of the keys in a row of keys and values.
        key_column: u32,
        /// First column of the values.
        value_column: u32,
        output_stride: u32,
        /// The factor of logits.
        scale: f32,
        /// Maximum distance between a query and the keys it attends to.
        window: u32,
        /// 1 if every row has a query, 0 if only the CLS row of each pair has one.
        all_queries: u32,
        /// The largest distance that `table_rows` covers.
        max_distance: u32,
        table_stride: u32,
        /// Heads of queries that share a head of keys and values.
        group: u32,
    })

    /// See `norm.wgsl`.
    Norm(NormParams {
        rows: u32,
        /// Elements of a row, without padding.
        width: u32,
        /// Vectors of a row.
        vectors: u32,
        eps: f32,
        /// 1 if the mean counts as zero.
        rms: u32,
    })

    /// See `gather.wgsl`.
    Gather(GatherParams {
        /// Number of pairs.
        rows: u32,
        /// Vectors of a row.
        vectors: u32,
        /// 0 for the first row of each pair, 1 for the last.
        last: u32,
        /// Rows at the start of each pair before its first row.
        skipped: u32,
        /// Row of the output for the first pair.
        first_row: u32,
    })

    /// See `pool.wgsl`.
    Pool(PoolParams {
        /// Number of pairs.
        rows: u32,
        /// Vectors of a row.
        vectors: u32,
        /// Rows at the start of each pair that are left out.
        skipped: u32,
        /// Row of the output for the first pair.
        first_row: u32,
    })

    /// See `unfold.wgsl`. All counts but the first two are in elements.
    Unfold(UnfoldParams {
        rows: u32,
        pairs: u32,
        /// Elements of a row, without padding.
        width: u32,
        /// Elements from one row of the input to the next.
        input_stride: u32,
        /// Elements from one row of the output to the next.
        output_stride: u32,
        /// Number of rows that are copied for each one.
        kernel_size: u32,
    })

    /// See `rotate.wgsl`. All counts are in elements.
    Rotate(RotateParams {
        rows: u32,
        /// Heads to rotate, from the first column on.
        heads: u32,
        /// Elements of a head, without padding.
        head_dim: u32,
        /// Elements from one head to the next.
        head_stride: u32,
        /// Elements from one row to the next.
        row_stride: u32,
    })
}
