//! How much memory a model takes at most, said before its weights come.
//!
//! What loading and scoring hold is added up in their order: the tokenizer, tensors as they arrive and as they are kept,
//! the packed ones that take their places, and what a run needs. Only what grows with the model is counted.

#[cfg(feature = "decoder")]
mod decoder;

use crate::engine::cpu::{self, BATCH_TOKENS};
use crate::model::{
    Attention, BlockNorm, FeedForward, Linear, Plan, PlanTensor, Positions, Rows, Step, TensorRole,
};
use crate::options::Dtype;

#[cfg(feature = "decoder")]
pub(crate) use decoder::DecoderMemoryEstimate;

/// What there is beside the model: a WebAssembly instance's stack and data, or the pages of the program that loading and
/// scoring touch.
const BASE: u64 = if cfg!(target_arch = "wasm32") { 1_700_000 } else { 2_600_000 };
/// Files come in pieces of this size.
const PIECE: u64 = 1 << 20;
const BLOCK_ROWS: u64 = cpu::BLOCK_ROWS as u64;
const TILE_ROWS: u64 = cpu::MAX_TILE_ROWS as u64;

/// What decides how much memory a model takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryEstimate<'a> {
    /// The steps, whatever the names of their tensors.
    pub(crate) plan: &'a Plan,
    /// Numbers in the head, which is f32.
    pub(crate) head_parameters: usize,
    /// Bytes of `tokenizer.json`, and of what was made of it.
    pub(crate) tokenizer: [usize; 2],
    /// Bytes of the weights files, together.
    pub(crate) weights: u64,
    /// How weights are to be held.
    pub(crate) dtype: Dtype,
    /// Longest pair in tokens.
    pub(crate) max_length: usize,
    /// Threads that compute.
    pub(crate) threads: usize,
}

/// How weights lie in their files, as far as their sizes tell.
#[derive(Debug, Clone, Copy, PartialEq)]
enum StoredFormat {
    /// As our codes.
    Codes,
    /// As numbers of so many bytes.
    Floats(u64),
}

/// Bytes that are held, and the most that ever were.
#[derive(Debug, Default)]
struct PeakTracker {
    current: u64,
    peak: u64,
}

impl PeakTracker {
    /// What there is once the tokenizer is made of its file, which is gone.
    fn with_tokenizer([file, tables]: [usize; 2]) -> Self {
        let (file, tables) = (file as u64, tables as u64);
        let mut tracker = Self { current: BASE, peak: BASE };
        tracker.transient(file + file.max(tables));
        tracker.alloc(tables);
        tracker
    }

    fn alloc(&mut self, bytes: u64) {
        self.current += bytes;
        self.peak = self.peak.max(self.current);
    }

    fn free(&mut self, bytes: u64) {
        self.current = self.current.saturating_sub(bytes);
    }

    fn transient(&mut self, bytes: u64) {
        self.alloc(bytes);
        self.free(bytes);
    }
}

impl MemoryEstimate<'_> {
    /// The most bytes that are held at a time, from the first file to the longest pair.
    pub(crate) fn peak(&self) -> u64 {
        let tokenizer = PeakTracker::with_tokenizer(self.tokenizer);
        let mut tracker = PeakTracker { current: tokenizer.current, peak: tokenizer.current };
        self.read_weights(&mut tracker);
        // Each is copied out of the weights, which go when all are packed.
        tracker.alloc(4 * self.head_parameters as u64);
        self.plan.steps.iter().for_each(|step| self.pack(step, &mut tracker));
        tracker.free(4 * self.head_parameters as u64);
        // Packing leaves gaps behind, each too small for what a run takes: that comes on top.
        tracker.current = tracker.peak;
        tracker.transient(self.run_bytes() * self.threads as u64);
        tokenizer.peak.max(tracker.peak)
    }

    /// Tensors arrive in the order of their names, as they lie in files.
    fn read_weights(&self, tracker: &mut PeakTracker) {
        tracker.alloc(4 * self.head_parameters as u64);
        let mut tensors = self.plan.tensors();
        tensors.sort_unstable_by_key(|(name, ..)| *name);
        for tensor in &tensors {
            let kept = self.stored_bytes(tensor);
            tracker.transient(kept + PIECE);
            tracker.alloc(kept);
        }
    }

    /// One part after the other takes the place of the tensors it is made of.
    fn pack(&self, step: &Step, tracker: &mut PeakTracker) {
        match step {
            Step::Embed(_) | Step::Norm(_) | Step::Pool(_) => {}
            Step::Project(layer) => self.pack_linear(&[layer], tracker),
            Step::Attention(Attention { query, key, value, output, positions, rows, .. }) => {
                if let Positions::Disentangled(positions) = positions {
                    let width = if self.is_q8() { 2 } else { 4 };
                    let terms = [&positions.key, &positions.query].into_iter().flatten().count() as u64;
                    let table = (positions.table.rows * positions.table.width) as u64;
                    // Its normalised rows and one projection of them, in f32.
                    tracker.transient(2 * 4 * table);
                    tracker.alloc(terms * width * table);
                }
                match rows {
                    Rows::All => self.pack_linear(&[query, key, value], tracker),
                    Rows::Cls => {
                        self.pack_linear(&[query], tracker);
                        self.pack_linear(&[key, value], tracker);
                    }
                }
                self.pack_linear(&[output], tracker);
            }
            Step::FeedForward(FeedForward { intermediate, gate, output, .. }) => {
                let inner: Vec<&Linear> = [Some(intermediate), gate.as_ref()].into_iter().flatten().collect();
                self.pack_linear(&inner, tracker);
                self.pack_linear(&[output], tracker);
            }
        }
    }

    fn pack_linear(&self, layers: &[&Linear], tracker: &mut PeakTracker) {
        let (mut kept, mut copied, mut packed) = (0, 0, 0);
        for layer in layers {
            let (rows, columns) = (layer.out_features(), layer.in_features);
            let part = self.stored_bytes(&("", TensorRole::Matrix, vec![rows, columns]));
            kept += part;
            if rows < layer.weight.total_rows {
                copied += part;
            }
            let (rows, columns) = (rows as u64, columns as u64);
            packed += if self.is_q8() { rows * columns + 12 * rows } else { 4 * rows * (columns + 1) };
        }
        tracker.transient(copied + packed);
        tracker.alloc(packed);
        tracker.free(kept);
    }

    /// What one thread holds while it runs the largest batch: the longest pair after others that do not fill one.
    fn run_bytes(&self) -> u64 {
        let hidden = self.plan.hidden_size as u64;
        let (max_length, rows) = (self.max_length as u64, (self.max_length + BATCH_TOKENS - 1) as u64);
        let (mut wide, mut inside, mut pair, mut before) = (0, 0, 0, 0);
        for step in &self.plan.steps {
            let norm = match step {
                Step::Attention(attention) => {
                    wide = wide.max(match attention.rows {
                        Rows::All => 3 * hidden,
                        Rows::Cls => 2 * hidden,
                    });
                    pair = pair.max(self.attention_bytes(attention, hidden, max_length));
                    &attention.norm
                }
                Step::FeedForward(block) => {
                    let parts = if block.gate.is_some() { 2 } else { 1 };
                    inside = inside.max(parts * block.intermediate.out_features() as u64);
                    &block.norm
                }
                _ => continue,
            };
            if let BlockNorm::Before(_) = norm {
                before = hidden;
            }
        }
        let quantised = if self.is_q8() { (rows * hidden).max(BLOCK_ROWS * inside) } else { 0 };
        // The residual stream and what attention gives are as wide as the model.
        4 * (rows * (2 * hidden + before) + (rows * wide).max(BLOCK_ROWS * inside)) + quantised + pair
    }

    /// What attention over one pair needs.
    fn attention_bytes(&self, attention: &Attention, hidden: u64, max_length: u64) -> u64 {
        let head = hidden / attention.heads as u64;
        let reach = attention.window.map_or(max_length, |window| max_length.min(2 * window as u64 + 1));
        // In integers query, key and value of all heads, else key and value of one.
        let rows = max_length * if self.is_q8() { 6 * hidden } else { 8 * head };
        let positions = match &attention.positions {
            Positions::Absent | Positions::Alibi => 0,
            Positions::Rotary(_) => 4 * max_length * head,
            // The products of all keys and of a tile's queries with the distances of a pair, and keys once more.
            Positions::Disentangled(positions) => {
                let distances = (positions.table.rows as u64).min(2 * max_length);
                4 * (max_length + TILE_ROWS) * distances
                    + if self.is_q8() { 2 * max_length * hidden } else { 0 }
            }
        };
        rows + 6 * TILE_ROWS * reach + positions
    }

    /// Bytes of a tensor as it is kept until it is packed.
    fn stored_bytes(&self, (_, role, shape): &PlanTensor) -> u64 {
        let numbers = shape.iter().product::<usize>() as u64;
        let rows = shape.first().copied().unwrap_or(0) as u64;
        match (role, self.stored_format()) {
            (TensorRole::Vector, StoredFormat::Codes) => 4 * numbers,
            (_, StoredFormat::Codes) => numbers + 4 * rows,
            (TensorRole::Matrix | TensorRole::Table, _) if self.dtype == Dtype::Q8 => numbers + 4 * rows,
            (_, StoredFormat::Floats(width)) => width * numbers,
        }
    }

    fn is_q8(&self) -> bool {
        match self.dtype {
            Dtype::Q8 | Dtype::Q4 => true,
            Dtype::Auto => self.stored_format() == StoredFormat::Codes,
            Dtype::F32 | Dtype::F16 => false,
        }
    }

    /// No format has half as many bytes again, or half as many, as the next.
    fn stored_format(&self) -> StoredFormat {
        let numbers = (self.plan.parameters() + self.head_parameters) as f64;
        match self.weights as f64 / numbers {
            ..1.5 => StoredFormat::Codes,
            ..3.0 => StoredFormat::Floats(2),
            _ => StoredFormat::Floats(4),
        }
    }
}
