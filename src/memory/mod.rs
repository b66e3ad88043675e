//! Estimates the peak memory of a model before its weights are read.
//!
//! The estimate follows loading and scoring in order and adds up what they allocate: the tokenizer, the tensors while
//! they are read and stored, the packed weights that replace them, and the buffers of a run. It counts only what grows
//! with the model. `tests/load/memory_limit.rs` compares it with the peak of a
//! process.

mod decoder;

use crate::checkpoint::MAX_PIECE_BYTES;
use crate::engine::cpu::{
    Arena, ArenaSizes, AttentionScratch, AttentionSizes, BATCH_TOKENS, PackedF32, PackedPositions, PackedQ8,
    RotaryCache,
};
use crate::model::{
    Attention, BlockNorm, Convolution, FeedForward, Linear, Plan, Positions, Projection, Rows, Step,
    TensorRole, elements,
};
use crate::options::Dtype;

pub(crate) use decoder::DecoderMemoryEstimate;

/// Memory that does not depend on the model, in bytes: a WebAssembly instance's stack and data, or the pages of the
/// program that loading and scoring touch.
const BASE: u64 = if cfg!(target_arch = "wasm32") { 1_700_000 } else { 2_600_000 };

/// The properties of a model that decide how much memory it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryEstimate<'a> {
    /// The steps; the names of their tensors do not matter.
    pub(crate) plan: &'a Plan,
    /// Number of parameters of the head, which is f32.
    pub(crate) head_parameters: u64,
    /// Bytes of `tokenizer.json`, and of the tables made from it.
    pub(crate) tokenizer: [usize; 2],
    /// Total bytes of the weights files.
    pub(crate) weights: u64,
    /// The format of the weights in memory.
    pub(crate) dtype: Dtype,
    /// Maximum tokens of a pair.
    pub(crate) max_length: usize,
    /// Number of threads that compute.
    pub(crate) threads: usize,
}

/// The format of weights in their file, as far as the file's size tells.
#[derive(Debug, Clone, Copy, PartialEq)]
enum StoredFormat {
    /// Codes of a q8 or q4 file.
    Codes,
    /// Floats with this number of bytes.
    Floats(u64),
}

/// Counts allocated bytes and their peak.
#[derive(Debug, Default)]
struct PeakTracker {
    current: u64,
    peak: u64,
}

impl PeakTracker {
    /// The state after the tokenizer is built and its file is freed.
    fn with_tokenizer([file, tables]: [usize; 2]) -> Self {
        let (file, tables) = (file as u64, tables as u64);
        let mut tracker = Self { current: BASE, peak: BASE };
        tracker.transient(file + file.max(tables));
        tracker.alloc(tables);
        tracker
    }

    /// Counts an allocation.
    fn alloc(&mut self, bytes: u64) {
        self.current += bytes;
        self.peak = self.peak.max(self.current);
    }

    /// Counts the end of an allocation.
    fn free(&mut self, bytes: u64) {
        self.current = self.current.saturating_sub(bytes);
    }

    /// Counts an allocation that ends at once.
    fn transient(&mut self, bytes: u64) {
        self.alloc(bytes);
        self.free(bytes);
    }
}

impl MemoryEstimate<'_> {
    /// Returns the peak in bytes, from the first file to the longest pair.
    #[inline(never)]
    pub(crate) fn peak(&self) -> u64 {
        let tokenizer = PeakTracker::with_tokenizer(self.tokenizer);
        let mut tracker = PeakTracker { current: tokenizer.current, peak: tokenizer.current };
        self.read_weights(&mut tracker);
        // The head's tensors are copied out of the weights. The originals are freed when all weights are packed.
        tracker.alloc(4 * self.head_parameters);
        let steps = &self.plan.steps;
        // Layers with the same tensors are packed once.
        let packed = (0..steps.len()).filter(|index| !steps[..*index].contains(&steps[*index]));
        packed.for_each(|index| self.pack(&steps[index], &mut tracker));
        tracker.free(4 * self.head_parameters);
        // Packing leaves gaps in the heap that are too small for the buffers of a run, so these add to the peak.
        tracker.current = tracker.peak;
        tracker.transient(self.run_bytes() * self.threads as u64);
        tokenizer.peak.max(tracker.peak)
    }

    /// Returns the bytes of the hidden states between two stages of a Plan, as they are passed to or from JavaScript.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) fn hidden_states_bytes(&self) -> u64 {
        let tokens = self.max_length + BATCH_TOKENS - 1;
        2 * size_of::<f32>() as u64 * tokens as u64 * self.plan.hidden_size as u64
    }

    /// Reads the tensors in the order of their names, which is their order in files.
    fn read_weights(&self, tracker: &mut PeakTracker) {
        tracker.alloc(4 * self.head_parameters);
        let mut tensors = self.plan.tensors();
        tensors.sort_unstable_by_key(|tensor| tensor.name);
        for tensor in &tensors {
            let bytes = self.stored_bytes(tensor.role, &tensor.shape);
            tracker.transient(bytes + MAX_PIECE_BYTES);
            tracker.alloc(bytes);
        }
    }

    /// Packs one layer after the other and frees the tensors that it is made from.
    fn pack(&self, step: &Step, tracker: &mut PeakTracker) {
        match step {
            Step::Embed(_) | Step::Norm(_) | Step::Unfold(_) | Step::Pool(_) => {}
            Step::Project(Projection { linear, .. }) | Step::Convolve(Convolution { linear, .. }) => {
                self.pack_linear(&[linear], tracker);
            }
            Step::Attention(Attention { query, key, value, output, positions, rows, .. }) => {
                if let Positions::Disentangled(positions) = positions {
                    let terms = [&positions.key, &positions.query].into_iter().flatten().count() as u64;
                    let (rows, width) = (positions.table.rows as u64, positions.table.width as u64);
                    // The normalized rows and one projection of them, in f32.
                    tracker.transient(2 * 4 * rows * width);
                    tracker.alloc(terms * PackedPositions::bytes_for(rows, width, self.is_q8()));
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
        let mut stored = 0;
        let mut copied = 0;
        let mut packed = 0;
        for layer in layers {
            let (rows, columns) = (layer.out_features(), layer.in_features);
            let bytes = self.stored_bytes(TensorRole::Matrix, &[rows, columns]);
            stored += bytes;
            if rows < layer.weight.total_rows {
                copied += bytes;
            }
            let (rows, columns) = (rows as u64, columns as u64);
            packed += if self.is_q8() {
                PackedQ8::bytes_for(rows, columns)
            } else {
                PackedF32::bytes_for(rows, columns)
            };
        }
        tracker.transient(copied + packed);
        tracker.alloc(packed);
        tracker.free(stored);
    }

    /// Returns the bytes that one thread allocates for the largest batch: the longest pair after others that just do
    /// not fill a batch.
    fn run_bytes(&self) -> u64 {
        let hidden = self.plan.hidden_size as u64;
        let tokens = (self.max_length + BATCH_TOKENS - 1) as u64;
        let mut arena =
            ArenaSizes { tokens, hidden, qkv: 0, unfolded: 0, inner: 0, normed: false, q8: self.is_q8() };
        let mut pair_bytes = 0;
        for step in &self.plan.steps {
            let norm = match step {
                Step::Attention(attention) => {
                    let keys = 2 * attention.key.out_features() as u64;
                    arena.qkv = arena.qkv.max(match attention.rows {
                        Rows::All => hidden + keys,
                        Rows::Cls => keys,
                    });
                    pair_bytes = pair_bytes.max(self.attention_bytes(attention));
                    &attention.norm
                }
                Step::FeedForward(block) => {
                    let inner_layers = if block.gate.is_some() { 2 } else { 1 };
                    arena.inner = arena.inner.max(inner_layers * block.intermediate.out_features() as u64);
                    &block.norm
                }
                Step::Unfold(unfold) => {
                    arena.unfolded = unfold.kernel_size as u64 * hidden;
                    continue;
                }
                _ => continue,
            };
            arena.normed |= matches!(norm, BlockNorm::Before(_));
        }
        Arena::bytes_for(arena) + pair_bytes
    }

    /// Returns the bytes that attention over the longest pair allocates.
    fn attention_bytes(&self, attention: &Attention) -> u64 {
        let (tokens, heads) = (self.max_length as u64, attention.heads as u64);
        let head_dim = self.plan.hidden_size as u64 / heads;
        let (relative_rows, rotary) = match &attention.positions {
            Positions::Absent | Positions::Alibi | Positions::Bucketed(_) => (None, 0),
            Positions::Rotary(_) => (None, RotaryCache::bytes_for(tokens, head_dim)),
            Positions::Disentangled(positions) => (Some(positions.table.rows as u64), 0),
        };
        let window = attention.window.map(|window| window as u64);
        let sizes = AttentionSizes { tokens, heads, head_dim, window, relative_rows, q8: self.is_q8() };
        AttentionScratch::bytes_for(sizes) + rotary
    }

    /// Returns the bytes of a tensor while it is stored, before it is packed.
    fn stored_bytes(&self, role: TensorRole, shape: &[usize]) -> u64 {
        let parameters = elements(shape);
        let rows = shape.first().copied().unwrap_or(0) as u64;
        match (role, self.stored_format()) {
            (TensorRole::Vector, StoredFormat::Codes) => 4 * parameters,
            (_, StoredFormat::Codes) => parameters + 4 * rows,
            (TensorRole::Matrix | TensorRole::Table, _) if self.dtype == Dtype::Q8 => parameters + 4 * rows,
            (_, StoredFormat::Floats(width)) => width * parameters,
        }
    }

    fn is_q8(&self) -> bool {
        match self.dtype {
            Dtype::Q8 | Dtype::Q4 => true,
            Dtype::Auto => self.stored_format() == StoredFormat::Codes,
            Dtype::F32 | Dtype::F16 => false,
        }
    }

    /// Guesses the format from the bytes per parameter: about 1 for q8, 2 for f16 and bf16, 4 for f32.
    fn stored_format(&self) -> StoredFormat {
        let parameters = (self.plan.parameters() + self.head_parameters) as f64;
        match self.weights as f64 / parameters {
            ..1.5 => StoredFormat::Codes,
            ..3.0 => StoredFormat::Floats(2),
            _ => StoredFormat::Floats(4),
        }
    }
}
