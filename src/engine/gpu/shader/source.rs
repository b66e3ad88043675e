//! Generates the WGSL of a kernel: chooses its template and sets the template's variables.

use super::kernel::{
    Arithmetic, AttentionKernel, Epilogue, GemmKernel, GemmTile, Kernel, PoolKernel, PositionBias,
    QUERY_TILE, Queries, Storage,
};
use super::template::{Variables, expand};
use crate::checkpoint::Activation;
use crate::engine::positions::MAX_BIAS_DISTANCE;
use crate::error::Result;

/// Invocations of a workgroup that computes one row.
const ROW_THREADS: u32 = 64;
/// Maximum number of rows of workgroups along x; the specification allows 65,535.
pub(super) const GRID_WIDTH: u32 = 32_768;
/// Maximum number of vectors in a workgroup's tile of keys, and in that of values: 8 KiB each.
const KEY_TILE_VECTORS: usize = 512;
/// Maximum number of keys in that tile.
const MAX_TILE_KEYS: usize = 32;

/// The template in the file of this name, without comments.
macro_rules! wgsl {
    ($name:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/", $name, ".wgsl"))
    };
}

impl Kernel {
    /// Returns the kernel's WGSL.
    ///
    /// # Errors
    /// `internal` if the template and the variables do not match.
    pub(crate) fn source(self) -> Result<String> {
        let mut variables = Variables::default();
        variables.text("THREADS", ROW_THREADS);
        variables.text("GRID_WIDTH", GRID_WIDTH);
        let template = match self {
            Kernel::Gemm(gemm) => {
                gemm.declare(&mut variables);
                concat!(wgsl!("gemm"), wgsl!("activation"))
            }
            Kernel::Attention(attention) => {
                attention.declare(&mut variables);
                concat!(wgsl!("attention"), wgsl!("reduce"))
            }
            Kernel::Norm { in_place, subgroups } => {
                variables.flag("IN_PLACE", in_place);
                declare_reduction(Some("f32"), subgroups, &mut variables);
                concat!(wgsl!("norm"), wgsl!("reduce"))
            }
            Kernel::Quantize { subgroups } => {
                declare_reduction(Some("vec2<f32>"), subgroups, &mut variables);
                concat!(wgsl!("quantize"), wgsl!("reduce"))
            }
            Kernel::Gather => wgsl!("gather"),
            Kernel::Pool(pool) => {
                pool.declare(&mut variables);
                wgsl!("pool")
            }
            Kernel::Rotate => wgsl!("rotate"),
            Kernel::Unfold => wgsl!("unfold"),
        };
        Ok(self.extensions() + &expand(template, variables)?)
    }

    /// Returns the directives that enable optional features.
    fn extensions(self) -> String {
        match self {
            Kernel::Gemm(GemmKernel { arithmetic: Arithmetic::F16, .. }) => "enable f16;\n".to_owned(),
            // naga has the functions but refuses the directive.
            _ if cfg!(target_arch = "wasm32") && self.uses_subgroups() => "enable subgroups;\n".to_owned(),
            _ => String::new(),
        }
    }

    fn uses_subgroups(self) -> bool {
        match self {
            Kernel::Norm { subgroups, .. } | Kernel::Quantize { subgroups } => subgroups,
            Kernel::Attention(attention) => attention.queries == Queries::One { subgroups: true },
            _ => false,
        }
    }
}

/// Declares the variables of reduce.wgsl; `ty` is the type of the values.
fn declare_reduction(ty: Option<&str>, subgroups: bool, variables: &mut Variables) {
    variables.flag("REDUCE", ty.is_some());
    variables.text("REDUCED", ty.unwrap_or_default());
    variables.flag("SUBGROUPS", subgroups);
}

impl GemmKernel {
    fn declare(self, variables: &mut Variables) {
        let GemmTile { rows, group_m, group_n, step } = self.tile;
        for (name, value) in [
            ("ROWS", rows),
            ("GROUP_M", group_m),
            ("GROUP_N", group_n),
            ("TILE_M", rows * group_m),
            ("TILE_N", 2 * group_n),
            ("STEP", step.unwrap_or(1)),
            ("THREADS", group_m * group_n),
        ] {
            variables.text(name, value);
        }
        variables.flag("SHARED", step.is_some());
        let storage = match self.storage {
            Storage::F32 => "F32",
            Storage::F16 => "F16",
            Storage::Q8 => "Q8",
        };
        variables.one_of(&["F32", "F16", "Q8"], Some(storage));
        let (element, product, sum, partial) = match self.arithmetic {
            Arithmetic::F32 => ("f32", "f32", "f32", ""),
            Arithmetic::F16 => ("f16", "f16", "f32", "part_"),
            Arithmetic::I8 => ("u32", "i32", "i32", ""),
        };
        variables.text("INPUT", if self.arithmetic == Arithmetic::I8 { "u32" } else { "f32" });
        variables.text("ELEMENT", element);
        variables.text("PRODUCT", product);
        variables.text("SUM", sum);
        variables.text("PARTIAL", partial);
        variables.flag("HALF", self.arithmetic == Arithmetic::F16);
        variables.flag("PACKED", self.arithmetic == Arithmetic::I8);
        variables.flag("UNPACK", self.storage == Storage::Q8 && self.arithmetic != Arithmetic::I8);
        variables.flag("FIRST_ROWS", self.first_rows);
        let (epilogue, activation) = match self.epilogue {
            Epilogue::Store => ("STORE", None),
            Epilogue::Add => ("ADD", None),
            Epilogue::Activate(activation) => ("ACTIVATE", Some(activation)),
            Epilogue::AddActivated(activation) => ("ADD_ACTIVATED", Some(activation)),
            Epilogue::Glu(activation) => ("GLU", Some(activation)),
        };
        variables.one_of(&["STORE", "ADD", "ACTIVATE", "ADD_ACTIVATED", "GLU"], Some(epilogue));
        declare_activation(activation, variables);
    }
}

/// The flags of activation.wgsl, one for each function.
const ACTIVATIONS: [&str; 14] = [
    "GELU",
    "GELU_TANH",
    "RELU",
    "SILU",
    "PLAIN_TANH",
    "QUICK_GELU",
    "CLIPPED_GELU",
    "RELU_SQUARED",
    "RELU6",
    "LEAKY_RELU",
    "MISH",
    "HARDSWISH",
    "SIGMOID",
    "LINEAR",
];

fn declare_activation(activation: Option<Activation>, variables: &mut Variables) {
    let name = activation.map(|activation| match activation {
        Activation::Gelu => "GELU",
        Activation::GeluTanh => "GELU_TANH",
        Activation::Relu => "RELU",
        Activation::Silu => "SILU",
        Activation::Tanh => "PLAIN_TANH",
        Activation::QuickGelu => "QUICK_GELU",
        Activation::ClippedGelu => "CLIPPED_GELU",
        Activation::ReluSquared => "RELU_SQUARED",
        Activation::Relu6 => "RELU6",
        Activation::LeakyRelu => "LEAKY_RELU",
        Activation::Mish => "MISH",
        Activation::Hardswish => "HARDSWISH",
        Activation::Sigmoid => "SIGMOID",
        Activation::Linear => "LINEAR",
    });
    variables.one_of(&ACTIVATIONS, name);
    variables.flag("TANH", matches!(activation, Some(Activation::GeluTanh | Activation::Tanh)));
    variables.flag("EXACT_GELU", matches!(activation, Some(Activation::Gelu | Activation::ClippedGelu)));
}

impl AttentionKernel {
    fn declare(self, variables: &mut Variables) {
        variables.text("QUERIES", QUERY_TILE);
        variables.text("KEYS", (KEY_TILE_VECTORS / self.vectors).clamp(1, MAX_TILE_KEYS));
        variables.text("VECTORS", self.vectors);
        variables.flag("ALIBI", self.positions == PositionBias::Alibi);
        variables.flag("BUCKETED", self.positions == PositionBias::Bucketed);
        variables.text("MAX_BIAS_DISTANCE", MAX_BIAS_DISTANCE);
        let (keys, queries) = match self.positions {
            PositionBias::Relative { keys, queries } => (keys, queries),
            PositionBias::Absent | PositionBias::Alibi | PositionBias::Bucketed => (false, false),
        };
        variables.flag("RELATIVE", matches!(self.positions, PositionBias::Relative { .. }));
        variables.flag("KEY_TABLE", keys);
        variables.flag("QUERY_TABLE", queries);
        // The tables follow binding 5, in this order.
        variables.text("QUERY_TABLE_BINDING", 6 + usize::from(keys));
        let one = matches!(self.queries, Queries::One { .. });
        variables.flag("ONE_QUERY", one);
        variables.text("KEYS_IN", if one { "keys" } else { "key_tile" });
        variables.text("VALUES_IN", if one { "keys" } else { "value_tile" });
        let subgroups = self.queries == Queries::One { subgroups: true };
        declare_reduction(one.then_some("vec4<f32>"), subgroups, variables);
    }
}

impl PoolKernel {
    fn declare(self, variables: &mut Variables) {
        let name = match self {
            PoolKernel::Mean => "MEAN",
            PoolKernel::MeanSqrtLen => "MEAN_SQRT_LEN",
            PoolKernel::WeightedMean => "WEIGHTED_MEAN",
            PoolKernel::Max => "MAX",
        };
        variables.one_of(&["MEAN", "MEAN_SQRT_LEN", "WEIGHTED_MEAN", "MAX"], Some(name));
    }
}
