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
pub(crate) use decoder::DecoderNeeds;

/// What there is beside the model: a WebAssembly instance's stack and data, or the pages of the program that loading and
/// scoring touch.
const BASE: u64 = if cfg!(target_arch = "wasm32") { 1_700_000 } else { 2_600_000 };
/// Files come in pieces of this size.
const PIECE: u64 = 1 << 20;
const BLOCK_ROWS: u64 = cpu::BLOCK_ROWS as u64;
const TILE_ROWS: u64 = cpu::MAX_TILE_ROWS as u64;

/// What decides how much memory a model takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs<'a> {
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
enum Stored {
    /// As our codes.
    Codes,
    /// As numbers of so many bytes.
    Numbers(u64),
}

/// Bytes that are held, and the most that ever were.
#[derive(Debug, Default)]
struct Ledger {
    held: u64,
    most: u64,
}

impl Ledger {
    /// What there is once the tokenizer is made of its file, which is gone.
    fn with_tokenizer([file, tables]: [usize; 2]) -> Self {
        let (file, tables) = (file as u64, tables as u64);
        let mut ledger = Self { held: BASE, most: BASE };
        ledger.pass(file + file.max(tables));
        ledger.take(tables);
        ledger
    }

    fn take(&mut self, bytes: u64) {
        self.held += bytes;
        self.most = self.most.max(self.held);
    }

    fn give(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
    }

    fn pass(&mut self, bytes: u64) {
        self.take(bytes);
        self.give(bytes);
    }
}

impl Needs<'_> {
    /// The most bytes that are held at a time, from the first file to the longest pair.
    pub(crate) fn peak(&self) -> u64 {
        let tokenizer = Ledger::with_tokenizer(self.tokenizer);
        let mut ledger = Ledger { held: tokenizer.held, most: tokenizer.held };
        self.read_weights(&mut ledger);
        // Each is copied out of the weights, which go when all are packed.
        ledger.take(4 * self.head_parameters as u64);
        self.plan.steps.iter().for_each(|step| self.pack(step, &mut ledger));
        ledger.give(4 * self.head_parameters as u64);
        // Packing leaves gaps behind, each too small for what a run takes: that comes on top.
        ledger.held = ledger.most;
        ledger.pass(self.run() * self.threads as u64);
        tokenizer.most.max(ledger.most)
    }

    /// Tensors arrive in the order of their names, as they lie in files.
    fn read_weights(&self, ledger: &mut Ledger) {
        ledger.take(4 * self.head_parameters as u64);
        let mut tensors = self.plan.tensors();
        tensors.sort_unstable_by_key(|(name, ..)| *name);
        for tensor in &tensors {
            let kept = self.kept(tensor);
            ledger.pass(kept + PIECE);
            ledger.take(kept);
        }
    }

    /// One part after the other takes the place of the tensors it is made of.
    fn pack(&self, step: &Step, ledger: &mut Ledger) {
        match step {
            Step::Embed(_) | Step::Norm(_) | Step::Pool(_) => {}
            Step::Project(layer) => self.pack_linear(&[layer], ledger),
            Step::Attention(Attention { query, key, value, output, positions, rows, .. }) => {
                if let Positions::Disentangled(positions) = positions {
                    let width = if self.is_q8() { 2 } else { 4 };
                    let terms = [&positions.key, &positions.query].into_iter().flatten().count() as u64;
                    let table = (positions.table.rows * positions.table.width) as u64;
                    // Its normalised rows and one projection of them, in f32.
                    ledger.pass(2 * 4 * table);
                    ledger.take(terms * width * table);
                }
                match rows {
                    Rows::All => self.pack_linear(&[query, key, value], ledger),
                    Rows::Cls => {
                        self.pack_linear(&[query], ledger);
                        self.pack_linear(&[key, value], ledger);
                    }
                }
                self.pack_linear(&[output], ledger);
            }
            Step::FeedForward(FeedForward { intermediate, gate, output, .. }) => {
                let inner: Vec<&Linear> = [Some(intermediate), gate.as_ref()].into_iter().flatten().collect();
                self.pack_linear(&inner, ledger);
                self.pack_linear(&[output], ledger);
            }
        }
    }

    fn pack_linear(&self, layers: &[&Linear], ledger: &mut Ledger) {
        let (mut kept, mut copied, mut packed) = (0, 0, 0);
        for layer in layers {
            let (rows, columns) = (layer.out_features(), layer.in_features);
            let part = self.kept(&("", TensorRole::Matrix, vec![rows, columns]));
            kept += part;
            if rows < layer.weight.total_rows {
                copied += part;
            }
            let (rows, columns) = (rows as u64, columns as u64);
            packed += if self.is_q8() { rows * columns + 12 * rows } else { 4 * rows * (columns + 1) };
        }
        ledger.pass(copied + packed);
        ledger.take(packed);
        ledger.give(kept);
    }

    /// What one thread holds while it runs the largest batch: the longest pair after others that do not fill one.
    fn run(&self) -> u64 {
        let hidden = self.plan.hidden_size as u64;
        let (longest, rows) = (self.max_length as u64, (self.max_length + BATCH_TOKENS - 1) as u64);
        let (mut wide, mut inside, mut pair, mut before) = (0, 0, 0, 0);
        for step in &self.plan.steps {
            let norm = match step {
                Step::Attention(attention) => {
                    wide = wide.max(match attention.rows {
                        Rows::All => 3 * hidden,
                        Rows::Cls => 2 * hidden,
                    });
                    pair = pair.max(self.attend(attention, hidden, longest));
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
    fn attend(&self, attention: &Attention, hidden: u64, longest: u64) -> u64 {
        let head = hidden / attention.heads as u64;
        let reach = attention.window.map_or(longest, |window| longest.min(2 * window as u64 + 1));
        // In integers query, key and value of all heads, else key and value of one.
        let rows = longest * if self.is_q8() { 6 * hidden } else { 8 * head };
        let positions = match &attention.positions {
            Positions::Absent | Positions::Alibi => 0,
            Positions::Rotary(_) => 4 * longest * head,
            // The products of all keys and of a tile's queries with the distances of a pair, and keys once more.
            Positions::Disentangled(positions) => {
                let distances = (positions.table.rows as u64).min(2 * longest);
                4 * (longest + TILE_ROWS) * distances + if self.is_q8() { 2 * longest * hidden } else { 0 }
            }
        };
        rows + 6 * TILE_ROWS * reach + positions
    }

    /// Bytes of a tensor as it is kept until it is packed.
    fn kept(&self, (_, role, shape): &PlanTensor) -> u64 {
        let numbers = shape.iter().product::<usize>() as u64;
        let rows = shape.first().copied().unwrap_or(0) as u64;
        match (role, self.stored()) {
            (TensorRole::Vector, Stored::Codes) => 4 * numbers,
            (_, Stored::Codes) => numbers + 4 * rows,
            (TensorRole::Matrix | TensorRole::Table, _) if self.dtype == Dtype::Q8 => numbers + 4 * rows,
            (_, Stored::Numbers(width)) => width * numbers,
        }
    }

    fn is_q8(&self) -> bool {
        match self.dtype {
            Dtype::Q8 | Dtype::Q4 => true,
            Dtype::Auto => self.stored() == Stored::Codes,
            Dtype::F32 | Dtype::F16 => false,
        }
    }

    /// No format has half as many bytes again, or half as many, as the next.
    fn stored(&self) -> Stored {
        let numbers = (self.plan.parameters() + self.head_parameters) as f64;
        match self.weights as f64 / numbers {
            ..1.5 => Stored::Codes,
            ..3.0 => Stored::Numbers(2),
            _ => Stored::Numbers(4),
        }
    }
}
