//! Generates the WGSL of a kernel: chooses its template and sets the template's variables.

use super::kernel::{
    AttentionKernel, Epilogue, GemmKernel, GemmTile, Kernel, PoolKernel, PositionBias, QUERY_TILE, Storage,
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
                concat!(include_str!("gemm.wgsl"), include_str!("activation.wgsl"))
            }
            Kernel::Attention(attention) => {
                attention.declare(&mut variables);
                include_str!("attention.wgsl")
            }
            Kernel::Norm { in_place } => {
                variables.flag("IN_PLACE", in_place);
                include_str!("norm.wgsl")
            }
            Kernel::Gather => include_str!("gather.wgsl"),
            Kernel::Pool(pool) => {
                pool.declare(&mut variables);
                include_str!("pool.wgsl")
            }
            Kernel::Rotate => include_str!("rotate.wgsl"),
            Kernel::Unfold => include_str!("unfold.wgsl"),
        };
        expand(template, variables)
    }
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
