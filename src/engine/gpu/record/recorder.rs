//! From steps and the shape of a batch to a recording.

use std::collections::BTreeMap;

use super::recording::{Dispatch, Input, Recording, Scratch, Slot};
use super::steps::{Attention, BlockNorm, FeedForward, Linear, Norm, Positions, Step, VEC4};
use crate::engine::gpu::shader::{
    AttentionKernel, Epilogue, GemmKernel, GemmTile, Kernel, PoolKernel, row_grid,
};
use crate::engine::lower::QkvProjections;
use crate::model::Pooling;

/// A distance that no row is away.
const NO_WINDOW: usize = 1 << 30;

/// What recording needs to know of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchShape {
    pub(crate) tokens: usize,
    pub(crate) pairs: usize,
    /// Pieces of work of attention over all rows.
    pub(crate) tiles: usize,
    /// Tokens of the longest pair.
    pub(crate) max_seqlen: usize,
}

/// Records the steps for a batch of this shape.
pub(crate) fn record(steps: &[Step], shape: BatchShape, tile: GemmTile) -> Recording {
    let mut recorder = Recorder::new(shape, tile);
    for step in steps {
        recorder.step(step);
    }
    let Recorder { dispatches, scratch, residual, rows, vectors, .. } = recorder;
    Recording { dispatches, scratch, result: residual, rows, vectors }
}

struct Recorder {
    shape: BatchShape,
    tile: GemmTile,
    dispatches: Vec<Dispatch>,
    scratch: BTreeMap<Scratch, u64>,
    /// Where the residual stream is.
    residual: Scratch,
    /// Rows it has.
    rows: usize,
    /// Vectors of a row.
    vectors: usize,
}

impl Recorder {
    fn new(shape: BatchShape, tile: GemmTile) -> Self {
        Self {
            shape,
            tile,
            dispatches: Vec::new(),
            scratch: BTreeMap::new(),
            residual: Scratch::ResidualA,
            rows: shape.tokens,
            vectors: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Embed(vectors) => {
                self.vectors = *vectors;
                self.reserve(Scratch::ResidualA, self.rows, *vectors);
            }
            Step::Norm(norm) => self.norm(norm),
            Step::Project(linear) => {
                let to = self.other_residual();
                self.linear(linear, self.residual, to, Epilogue::Store, self.rows);
                (self.residual, self.vectors) = (to, linear.columns);
            }
            Step::Attention(attention) => self.attention(attention),
            Step::FeedForward(block) => self.feed_forward(block),
            Step::Pool(pooling) => self.pool(*pooling),
        }
    }

    fn attention(&mut self, attention: &Attention) {
        let input = self.pre_norm(&attention.norm);
        let width = attention.heads * attention.head_vectors();
        match &attention.qkv {
            QkvProjections::All(projection) => {
                self.linear(projection, input, Scratch::Qkv, Epilogue::Store, self.rows);
                self.rotate(attention, 2 * attention.heads, 3 * width);
                self.attend(attention, [Scratch::Qkv; 2], [3 * width, width]);
            }
            QkvProjections::Cls { query, key_value } => {
                self.linear(key_value, input, Scratch::Qkv, Epilogue::Store, self.rows);
                // First rows stand at position zero, where nothing is turned.
                self.rotate(attention, attention.heads, 2 * width);
                let first = match input {
                    Scratch::Normed => {
                        self.gather_cls(input, Scratch::ClsNormed);
                        Scratch::ClsNormed
                    }
                    _ => self.other_residual(),
                };
                let to = self.other_residual();
                self.gather_cls(self.residual, to);
                (self.residual, self.rows) = (to, self.shape.pairs);
                self.linear(query, first, Scratch::ClsQuery, Epilogue::Store, self.rows);
                self.attend(attention, [Scratch::ClsQuery, Scratch::Qkv], [2 * width, 0]);
            }
        }
        self.linear(&attention.output, Scratch::Context, self.residual, Epilogue::Add, self.rows);
        self.post_norm(&attention.norm);
    }

    /// Turns the first `heads` heads of each projected row, of `stride` vectors.
    fn rotate(&mut self, attention: &Attention, heads: usize, stride: usize) {
        let Positions::Rotary(rotation) = attention.positions else { return };
        let head_stride = attention.head_vectors() * VEC4;
        self.push(
            Kernel::Rotate,
            [
                Slot::Input(Input::Positions),
                Slot::Input(Input::RotaryTable(rotation)),
                Slot::Scratch(Scratch::Qkv),
            ],
            [self.rows, heads, attention.head_dim, head_stride, stride * VEC4],
            row_grid(self.rows),
        );
    }

    /// Attention of `query` to `keys`, whose rows have so many vectors and begin keys at this one, values right behind.
    fn attend(
        &mut self,
        attention: &Attention,
        [query, keys]: [Scratch; 2],
        [key_stride, first_key]: [usize; 2],
    ) {
        let width = attention.heads * attention.head_vectors();
        let whole = query == keys;
        let (tiles, count) =
            if whole { (Input::Tiles, self.shape.tiles) } else { (Input::ClsTiles, self.shape.pairs) };
        self.reserve(Scratch::Context, self.rows, width);
        let mut buffers = vec![
            Slot::Input(tiles),
            Slot::Scratch(query),
            Slot::Scratch(keys),
            Slot::Scratch(Scratch::Context),
        ];
        match &attention.positions {
            Positions::Absent | Positions::Rotary(_) => {}
            Positions::Alibi(slopes) => buffers.push(Slot::Constant(*slopes)),
            Positions::Relative(relative) => {
                buffers.push(Slot::Input(Input::RelativeRows(relative.distance_rows)));
                let tables = [relative.keys, relative.queries];
                buffers.extend(tables.into_iter().flatten().map(Slot::Constant));
            }
        }
        let kernel = attention.kernel();
        let mut params = [
            if whole { key_stride } else { width },
            key_stride,
            first_key,
            first_key + width,
            width,
            0,
            attention.window.unwrap_or(NO_WINDOW).min(NO_WINDOW),
            usize::from(whole),
            self.shape.max_seqlen.saturating_sub(1),
            width,
        ]
        .map(|number| number as u32);
        params[5] = attention.scale().to_bits();
        let grid = AttentionKernel::grid(count, attention.heads);
        self.dispatches.push(Dispatch {
            kernel: Kernel::Attention(kernel),
            buffers,
            params: params.to_vec(),
            grid,
        });
    }

    fn feed_forward(&mut self, block: &FeedForward) {
        let input = self.pre_norm(&block.norm);
        let epilogue = match block.gated {
            true => Epilogue::Gate(block.activation),
            false => Epilogue::Activate(block.activation),
        };
        self.linear(&block.intermediate, input, Scratch::Intermediate, epilogue, self.rows);
        self.linear(&block.output, Scratch::Intermediate, self.residual, Epilogue::Add, self.rows);
        self.post_norm(&block.norm);
    }

    /// What a block reads.
    fn pre_norm(&mut self, norm: &BlockNorm) -> Scratch {
        let BlockNorm::Before(norm) = norm else { return self.residual };
        self.reserve(Scratch::Normed, self.rows, self.vectors);
        let [weight, bias] = [norm.weight, norm.bias].map(Slot::Constant);
        let buffers = [weight, bias, Slot::Scratch(Scratch::Normed), Slot::Scratch(self.residual)];
        self.push(Kernel::Norm { in_place: false }, buffers, self.norm_params(norm), row_grid(self.rows));
        Scratch::Normed
    }

    fn post_norm(&mut self, norm: &BlockNorm) {
        if let BlockNorm::After(norm) = norm {
            self.norm(norm);
        }
    }

    fn norm(&mut self, norm: &Norm) {
        let buffers = [Slot::Constant(norm.weight), Slot::Constant(norm.bias), Slot::Scratch(self.residual)];
        self.push(Kernel::Norm { in_place: true }, buffers, self.norm_params(norm), row_grid(self.rows));
    }

    fn norm_params(&self, norm: &Norm) -> [usize; 4] {
        [self.rows, norm.width, self.vectors, norm.eps.to_bits() as usize]
    }

    fn pool(&mut self, pooling: Pooling) {
        let to = self.other_residual();
        let (kernel, last) = match pooling {
            Pooling::First => (Kernel::Gather, 0),
            Pooling::Last => (Kernel::Gather, 1),
            Pooling::Mean => (Kernel::Pool(PoolKernel::Mean), 0),
            Pooling::MeanSqrtLen => (Kernel::Pool(PoolKernel::MeanSqrtLen), 0),
            Pooling::WeightedMean => (Kernel::Pool(PoolKernel::WeightedMean), 0),
            Pooling::Max => (Kernel::Pool(PoolKernel::Max), 0),
        };
        self.row_per_pair(kernel, self.residual, to, last);
        (self.residual, self.rows) = (to, self.shape.pairs);
    }

    /// The first row of each pair.
    fn gather_cls(&mut self, from: Scratch, to: Scratch) {
        self.row_per_pair(Kernel::Gather, from, to, 0);
    }

    fn row_per_pair(&mut self, kernel: Kernel, from: Scratch, to: Scratch, last: usize) {
        let pairs = self.shape.pairs;
        self.reserve(to, pairs, self.vectors);
        let buffers = [Slot::Input(Input::CuSeqlens), Slot::Scratch(from), Slot::Scratch(to)];
        self.push(kernel, buffers, [pairs, self.vectors, last], row_grid(pairs));
    }

    /// A linear layer over `rows` rows.
    fn linear(&mut self, linear: &Linear, from: Scratch, to: Scratch, epilogue: Epilogue, rows: usize) {
        let columns = match epilogue {
            Epilogue::Gate(_) => linear.columns / 2,
            _ => linear.columns,
        };
        self.reserve(to, rows, columns);
        let (from, to) = (Slot::Scratch(from), Slot::Scratch(to));
        self.dispatches.push(gemm(linear, [from, to], [rows, columns], epilogue, self.tile));
    }

    /// The residual stream's buffer that it is not in.
    fn other_residual(&self) -> Scratch {
        if self.residual == Scratch::ResidualA { Scratch::ResidualB } else { Scratch::ResidualA }
    }

    /// Sees to it that a buffer has so many rows of so many vectors.
    fn reserve(&mut self, scratch: Scratch, rows: usize, vectors: usize) {
        let bytes = bytes(rows, vectors);
        let reserved = self.scratch.entry(scratch).or_default();
        *reserved = bytes.max(*reserved);
    }

    fn push<const B: usize, const P: usize>(
        &mut self,
        kernel: Kernel,
        buffers: [Slot; B],
        params: [usize; P],
        grid: [u32; 3],
    ) {
        let params = params.iter().map(|number| *number as u32).collect();
        self.dispatches.push(Dispatch { kernel, buffers: buffers.to_vec(), params, grid });
    }
}

/// A linear layer from one buffer to another, of `rows` rows and `columns` vectors.
pub(crate) fn gemm(
    linear: &Linear,
    [from, to]: [Slot; 2],
    [rows, columns]: [usize; 2],
    epilogue: Epilogue,
    tile: GemmTile,
) -> Dispatch {
    let kernel = GemmKernel { tile, storage: linear.storage, epilogue };
    let mut buffers = vec![from, Slot::Constant(linear.weight), Slot::Constant(linear.bias), to];
    buffers.extend(linear.scales.into_iter().flatten().map(Slot::Constant));
    let params = [rows, linear.depth, linear.inputs, linear.inputs, linear.columns, columns];
    Dispatch {
        kernel: Kernel::Gemm(kernel),
        buffers,
        params: params.map(|number| number as u32).to_vec(),
        grid: kernel.grid(rows, linear.columns),
    }
}

/// Bytes of rows of f32.
pub(crate) fn bytes(rows: usize, vectors: usize) -> u64 {
    (rows * vectors * VEC4 * size_of::<f32>()) as u64
}
