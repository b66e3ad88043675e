//! Records the steps for the shape of a batch.

use std::collections::BTreeMap;

use super::dispatches::{Product, VECTOR_CODES, bytes, count, gemm, norm_in_place, norm_params, quantize};
use super::recording::{Dispatch, Input, Recording, Scratch, Slot};
use super::steps::{Attention, BlockNorm, Convolution, FeedForward, Linear, Norm, Positions, Step, VEC4};
use crate::engine::gpu::shader::{
    Arithmetic, AttentionKernel, AttentionParams, Epilogue, GatherParams, Kernel, KernelChoice, Params,
    PoolKernel, PoolParams, Queries, RotateParams, UnfoldParams, row_grid,
};
use crate::engine::lower::QkvProjections;
use crate::model::{Pool, Pooling, Unfold};

/// A window larger than any pair.
const NO_WINDOW: usize = 1 << 30;

/// The sizes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchShape {
    pub(crate) tokens: usize,
    pub(crate) pairs: usize,
    /// Tiles of attention over all rows, each of up to `QUERY_TILE` queries of one pair.
    pub(crate) tiles: usize,
    /// Length of the longest pair, in tokens.
    pub(crate) max_seqlen: usize,
}

/// Records the steps for a batch of this shape.
pub(crate) fn record(steps: &[Step], shape: BatchShape, choice: KernelChoice) -> Recording {
    let mut recorder = Recorder::new(shape, choice);
    for step in steps {
        recorder.step(step);
    }
    let Recorder { dispatches, scratch, residual, rows, vectors, .. } = recorder;
    Recording { dispatches, scratch, result: residual, rows, vectors }
}

/// The rows that a pooling reads and writes.
#[derive(Clone, Copy, Default)]
struct PoolPlace {
    /// Rows at the start of each pair that it leaves out.
    skipped: usize,
    /// The row for the first pair.
    first_row: usize,
}

struct Recorder {
    shape: BatchShape,
    choice: KernelChoice,
    dispatches: Vec<Dispatch>,
    scratch: BTreeMap<Scratch, u64>,
    /// The buffer with the residual stream.
    residual: Scratch,
    /// Rows of the residual stream.
    rows: usize,
    /// Vectors of a row of it.
    vectors: usize,
    /// Whether the residual stream has a row per token, not one per pair or pooling.
    has_all_rows: bool,
}

impl Recorder {
    fn new(shape: BatchShape, choice: KernelChoice) -> Self {
        Self {
            shape,
            choice,
            has_all_rows: true,
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
            Step::Project(linear, activation) => {
                let to = self.other_residual();
                let epilogue = activation.map_or(Epilogue::Store, Epilogue::Activate);
                self.linear(linear, self.residual, to, epilogue, self.rows);
                (self.residual, self.vectors) = (to, linear.column_vectors);
            }
            Step::Unfold(unfold) => self.unfold(*unfold),
            Step::Convolve(convolution) => {
                let Convolution { linear, activation, norm } = &**convolution;
                let epilogue = Epilogue::AddActivated(*activation);
                self.linear(linear, Scratch::Unfolded, self.residual, epilogue, self.rows);
                self.norm(norm);
            }
            Step::Attention(attention) => self.attention(attention),
            Step::FeedForward(block) => self.feed_forward(block),
            Step::Pool(pool) => self.pool(pool),
        }
    }

    fn attention(&mut self, attention: &Attention) {
        let input = self.pre_norm(&attention.norm);
        let width = attention.heads * attention.head_vectors();
        match &attention.qkv {
            QkvProjections::All(projection) => {
                self.linear(projection, input, Scratch::Qkv, Epilogue::Store, self.rows);
                let stride = width + 2 * attention.key_vectors();
                self.rotate(attention, attention.heads + attention.key_value_heads, stride);
                self.attend(attention, [Scratch::Qkv; 2], [stride, width]);
            }
            QkvProjections::Cls { query, key_value } => {
                self.linear(key_value, input, Scratch::Qkv, Epilogue::Store, self.rows);
                // CLS queries are at position 0, where the rotation is the identity.
                let stride = 2 * attention.key_vectors();
                self.rotate(attention, attention.key_value_heads, stride);
                let query_input = match input {
                    Scratch::Normed => {
                        self.gather(input, Scratch::ClsNormed, false, PoolPlace::default());
                        Scratch::ClsNormed
                    }
                    // The CLS rows of the residual stream, gathered below.
                    _ => self.other_residual(),
                };
                let to = self.other_residual();
                self.gather(self.residual, to, false, PoolPlace::default());
                (self.residual, self.rows, self.has_all_rows) = (to, self.shape.pairs, false);
                self.linear(query, query_input, Scratch::ClsQuery, Epilogue::Store, self.rows);
                self.attend(attention, [Scratch::ClsQuery, Scratch::Qkv], [stride, 0]);
            }
        }
        self.linear(&attention.output, Scratch::Context, self.residual, Epilogue::Add, self.rows);
        self.post_norm(&attention.norm);
    }

    /// Applies rotary positions to the first `heads` heads of each projected row; `stride` is in vectors.
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
            Params::Rotate(RotateParams {
                rows: count(self.rows),
                heads: count(heads),
                head_dim: count(attention.head_dim),
                head_stride: count(head_stride),
                row_stride: count(stride * VEC4),
            }),
            self.rows,
        );
    }

    /// Records attention of `query` to `keys`. `key_stride` and `key_column` are in vectors; values follow keys.
    fn attend(
        &mut self,
        attention: &Attention,
        [query, keys]: [Scratch; 2],
        [key_stride, key_column]: [usize; 2],
    ) {
        let width = attention.heads * attention.head_vectors();
        let all_queries = query == keys;
        let (tiles, tile_count) =
            if all_queries { (Input::Tiles, self.shape.tiles) } else { (Input::ClsTiles, self.shape.pairs) };
        self.reserve(Scratch::Context, self.rows, width);
        let mut buffers = vec![
            Slot::Input(tiles),
            Slot::Scratch(query),
            Slot::Scratch(keys),
            Slot::Scratch(Scratch::Context),
        ];
        match &attention.positions {
            Positions::Absent | Positions::Rotary(_) => {}
            Positions::Alibi(biases) | Positions::Bucketed(biases) => buffers.push(Slot::Constant(*biases)),
            Positions::Relative(relative) => {
                buffers.push(Slot::Input(Input::RelativeRows(relative.distance_rows)));
                let tables = [relative.keys, relative.queries];
                buffers.extend(tables.into_iter().flatten().map(Slot::Constant));
            }
        }
        let params = AttentionParams {
            query_stride: count(if all_queries { key_stride } else { width }),
            key_stride: count(key_stride),
            key_column: count(key_column),
            value_column: count(key_column + attention.key_vectors()),
            output_stride: count(width),
            scale: attention.scale(),
            window: count(attention.window.unwrap_or(NO_WINDOW).min(NO_WINDOW)),
            all_queries: u32::from(all_queries),
            max_distance: count(self.shape.max_seqlen.saturating_sub(1)),
            table_stride: count(width),
            group: count(attention.heads / attention.key_value_heads),
        };
        self.dispatches.push(Dispatch {
            kernel: Kernel::Attention(attention.kernel(match all_queries {
                true => Queries::Tile,
                false => Queries::One { subgroups: self.choice.subgroups },
            })),
            buffers,
            params: Params::Attention(params),
            grid: AttentionKernel::grid(tile_count, attention.heads),
        });
    }

    fn feed_forward(&mut self, block: &FeedForward) {
        let input = self.pre_norm(&block.norm);
        let epilogue = match block.gated {
            true => Epilogue::Glu(block.activation),
            false => Epilogue::Activate(block.activation),
        };
        self.linear(&block.intermediate, input, Scratch::Intermediate, epilogue, self.rows);
        self.linear(&block.output, Scratch::Intermediate, self.residual, Epilogue::Add, self.rows);
        self.post_norm(&block.norm);
    }

    /// Returns the input of a block, normalized first if the block says so.
    fn pre_norm(&mut self, norm: &BlockNorm) -> Scratch {
        let BlockNorm::Before(norm) = norm else { return self.residual };
        self.reserve(Scratch::Normed, self.rows, self.vectors);
        let [weight, bias] = [norm.weight, norm.bias].map(Slot::Constant);
        let buffers = [weight, bias, Slot::Scratch(Scratch::Normed), Slot::Scratch(self.residual)];
        let kernel = Kernel::Norm { in_place: false, subgroups: self.choice.subgroups };
        self.push(kernel, buffers, norm_params(norm, self.rows), self.rows);
        Scratch::Normed
    }

    fn post_norm(&mut self, norm: &BlockNorm) {
        if let BlockNorm::After(norm) = norm {
            self.norm(norm);
        }
    }

    fn norm(&mut self, norm: &Norm) {
        let subgroups = self.choice.subgroups;
        self.dispatches.push(norm_in_place(norm, Slot::Scratch(self.residual), self.rows, subgroups));
    }

    /// Pools in each of the ways listed. All rows of the first way come before those of the second.
    fn pool(&mut self, pool: &Pool) {
        let (to, pairs) = (self.other_residual(), self.shape.pairs);
        for (index, pooling) in pool.poolings.iter().enumerate() {
            let place = PoolPlace { skipped: pool.skipped, first_row: index * pairs };
            match pooling {
                Pooling::First => self.gather(self.residual, to, false, place),
                Pooling::Last => self.gather(self.residual, to, true, place),
                Pooling::Mean => self.reduce(PoolKernel::Mean, to, place),
                Pooling::MeanSqrtLen => self.reduce(PoolKernel::MeanSqrtLen, to, place),
                Pooling::WeightedMean => self.reduce(PoolKernel::WeightedMean, to, place),
                Pooling::Max => self.reduce(PoolKernel::Max, to, place),
            }
        }
        (self.residual, self.rows, self.has_all_rows) = (to, pool.poolings.len() * pairs, false);
    }

    /// Reduces the rows of each pair to one.
    fn reduce(&mut self, pool: PoolKernel, to: Scratch, place: PoolPlace) {
        let params = PoolParams {
            rows: count(self.shape.pairs),
            vectors: count(self.vectors),
            skipped: count(place.skipped),
            first_row: count(place.first_row),
        };
        self.row_per_pair(Kernel::Pool(pool), self.residual, to, Params::Pool(params), place);
    }

    /// Copies the first row of each pair, or the last.
    fn gather(&mut self, from: Scratch, to: Scratch, last: bool, place: PoolPlace) {
        let params = GatherParams {
            rows: count(self.shape.pairs),
            vectors: count(self.vectors),
            last: u32::from(last),
            skipped: if last { 0 } else { count(place.skipped) },
            first_row: count(place.first_row),
        };
        self.row_per_pair(Kernel::Gather, from, to, Params::Gather(params), place);
    }

    fn row_per_pair(&mut self, kernel: Kernel, from: Scratch, to: Scratch, params: Params, place: PoolPlace) {
        let pairs = self.shape.pairs;
        self.reserve(to, place.first_row + pairs, self.vectors);
        let buffers = [Slot::Input(Input::CuSeqlens), Slot::Scratch(from), Slot::Scratch(to)];
        self.push(kernel, buffers, params, pairs);
    }

    /// Saves each row with its neighbors, padded with zeros to whole vectors.
    fn unfold(&mut self, Unfold { kernel_size, width }: Unfold) {
        let vectors = (width * kernel_size).div_ceil(VEC4);
        self.reserve(Scratch::Unfolded, self.rows, vectors);
        let buffers =
            [Slot::Input(Input::CuSeqlens), Slot::Scratch(self.residual), Slot::Scratch(Scratch::Unfolded)];
        let params = UnfoldParams {
            rows: count(self.rows),
            pairs: count(self.shape.pairs),
            width: count(width),
            input_stride: count(self.vectors * VEC4),
            output_stride: count(vectors * VEC4),
            kernel_size: count(kernel_size),
        };
        self.push(Kernel::Unfold, buffers, Params::Unfold(params), self.rows);
    }

    /// Records a linear layer over `rows` rows.
    fn linear(&mut self, linear: &Linear, from: Scratch, to: Scratch, epilogue: Epilogue, rows: usize) {
        let columns = match epilogue {
            Epilogue::Glu(_) => linear.column_vectors / 2,
            _ => linear.column_vectors,
        };
        self.reserve(to, rows, columns);
        let [from, to] = [from, to].map(Slot::Scratch);
        let tile = self.choice.tile;
        let push = |recorder: &mut Self, from, rows, product| {
            recorder.dispatches.push(gemm(linear, [from, to], [rows, columns], (product, epilogue), tile));
        };
        match (self.choice.arithmetic, linear.q8) {
            (Arithmetic::I8, Some(tables)) if self.has_all_rows => {
                self.dispatches.push(quantize(linear, tables, from, rows, self.choice.subgroups));
                push(self, Slot::Scratch(Scratch::Codes), rows, Product::Codes);
                push(self, from, self.shape.pairs, Product::FirstRows);
                self.reserve(Scratch::Codes, rows, linear.depth / VECTOR_CODES);
                self.reserve(Scratch::RowScales, rows.div_ceil(2), 1);
            }
            // The kernel for first rows is compiled anyway.
            (Arithmetic::I8, Some(_)) => push(self, from, rows, Product::OtherRows),
            (Arithmetic::F16, None) => push(self, from, rows, Product::F16),
            _ => push(self, from, rows, Product::F32),
        }
    }

    /// Returns the other of the two residual-stream buffers.
    fn other_residual(&self) -> Scratch {
        if self.residual == Scratch::ResidualA { Scratch::ResidualB } else { Scratch::ResidualA }
    }

    /// Makes a scratch buffer at least `rows` rows of `vectors` vectors large.
    fn reserve(&mut self, scratch: Scratch, rows: usize, vectors: usize) {
        let bytes = bytes(rows, vectors);
        let reserved = self.scratch.entry(scratch).or_default();
        *reserved = bytes.max(*reserved);
    }

    /// Records a kernel with one workgroup per row.
    fn push<const B: usize>(&mut self, kernel: Kernel, buffers: [Slot; B], params: Params, rows: usize) {
        self.dispatches.push(Dispatch { kernel, buffers: buffers.to_vec(), params, grid: row_grid(rows) });
    }
}
