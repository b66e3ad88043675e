//! Chooses the fastest kernels on this GPU by timing them. Takes at most about a tenth of a second, once per adapter and
//! storage: choices are kept for the process, and [`gpu_choices`] returns them for later processes and pages.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use super::device::Gpu;
use super::executor::Executor;
use crate::engine::clock::now_ms;
use crate::engine::gpu::lower::{Constants, Upload};
use crate::engine::gpu::record::{
    Dispatch, Input, Linear, Norm, Product, Q8Tables, Recording, Scratch, Slot, VEC4, bytes, gemm,
    norm_in_place, quantize,
};
use crate::engine::gpu::shader::{Arithmetic, Epilogue, GemmTile, KernelChoice, Storage};
use crate::error::Result;

/// The candidates; the first is good on most GPUs. All keep within the limits of the specification for a workgroup: 256
/// invocations and 16 KiB of shared memory.
pub(crate) const GEMM_TILES: [GemmTile; 5] = [
    GemmTile { rows: 8, group_m: 8, group_n: 8, step: Some(4) },
    GemmTile { rows: 8, group_m: 16, group_n: 8, step: Some(4) },
    GemmTile { rows: 4, group_m: 8, group_n: 16, step: Some(4) },
    GemmTile { rows: 4, group_m: 8, group_n: 8, step: Some(4) },
    GemmTile { rows: 8, group_m: 8, group_n: 4, step: None },
];

/// Milliseconds after which no further candidate is timed.
const BUDGET_MS: f64 = 100.0;
/// Rows, inputs and outputs of the timed product: a layer of a small model over a few documents.
const GEMM_SHAPE: [usize; 3] = [512, 384, 384];
/// Rows of the first run, which predicts the time of the full product.
const PROBE_ROWS: usize = 64;

/// A variant with an optional feature is chosen if its time is below this part of the plain one's.
const FEATURE_GAIN: f64 = 0.9;

/// Chosen kernels, as text, by version, adapter and storage.
static CHOICES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Returns the kernels that this process has chosen or been given, one line per adapter and storage, for
/// [`set_gpu_choices`] of a later process.
pub fn gpu_choices() -> String {
    choices().iter().map(|(key, choice)| [key, "\t", choice, "\n"].concat()).collect()
}

/// Restores choices of an earlier process. Lines that this version does not know have no effect.
pub fn set_gpu_choices(lines: &str) {
    let lines = lines.lines().filter_map(|line| line.split_once('\t'));
    choices().extend(lines.map(|(key, choice)| (key.to_owned(), choice.to_owned())));
}

fn choices() -> MutexGuard<'static, BTreeMap<String, String>> {
    CHOICES.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// Keeps a choice for later loads.
pub(crate) fn remember(gpu: &Gpu, storage: Storage, choice: KernelChoice) {
    choices().insert(key(gpu, storage), choice.to_string());
}

fn key(gpu: &Gpu, storage: Storage) -> String {
    let features = gpu.features;
    let features = [features.f16, features.packed_dot, features.subgroups].map(u8::from);
    format!("{} {} {} {features:?}", env!("CARGO_PKG_VERSION"), gpu.name(), storage as u8)
}

/// Returns the fastest kernels, timed now or remembered.
///
/// # Errors
/// `device-lost`, `out-of-memory`; `internal` if the GPU rejects a candidate.
pub(crate) async fn autotune(gpu: &Gpu, storage: Storage) -> Result<KernelChoice> {
    let remembered = choices().get(&key(gpu, storage)).cloned();
    let plain = KernelChoice { tile: GEMM_TILES[0], arithmetic: Arithmetic::F32, subgroups: false };
    if let Some(choice) =
        remembered.and_then(|text| candidates(gpu, storage).find(|choice| choice.to_string() == text))
    {
        return Ok(choice);
    }
    // A GPU that cannot bind even this layer is not timed.
    let fits = gpu.max_binding_bytes() >= bytes(GEMM_SHAPE[1], GEMM_SHAPE[2]);
    let choice = if fits { Timing::new(gpu, storage).await?.fastest().await? } else { plain };
    remember(gpu, storage, choice);
    Ok(choice)
}

/// The arithmetic that an optional feature allows for weights in this storage.
fn feature_arithmetic(gpu: &Gpu, storage: Storage) -> Option<Arithmetic> {
    match storage {
        Storage::F16 if gpu.features.f16 => Some(Arithmetic::F16),
        Storage::Q8 if gpu.features.packed_dot => Some(Arithmetic::I8),
        _ => None,
    }
}

/// Returns everything that can be chosen on this GPU.
fn candidates(gpu: &Gpu, storage: Storage) -> impl Iterator<Item = KernelChoice> {
    let subgroups = gpu.features.subgroups;
    arithmetics(gpu, storage).flat_map(move |arithmetic| {
        GEMM_TILES.into_iter().flat_map(move |tile| {
            let kinds = [false, true].into_iter().filter(move |&kind| subgroups || !kind);
            kinds.map(move |subgroups| KernelChoice { tile, arithmetic, subgroups })
        })
    })
}

fn arithmetics(gpu: &Gpu, storage: Storage) -> impl Iterator<Item = Arithmetic> + use<> {
    feature_arithmetic(gpu, storage).into_iter().chain([Arithmetic::F32])
}

/// A layer and a norm of zeros to time kernels with.
struct Timing<'a> {
    gpu: &'a Gpu,
    executor: Executor,
    linear: Linear,
    norm: Norm,
}

impl<'a> Timing<'a> {
    async fn new(gpu: &'a Gpu, storage: Storage) -> Result<Self> {
        let scope = gpu.error_scope();
        let mut constants = Constants::new(gpu);
        let layers = zero_layers(&mut constants, storage);
        let executor = Executor::new(constants.into_buffers());
        let (linear, norm) = match layers {
            Ok(layers) => layers,
            Err(error) => return scope.pop().await.and(Err(error)),
        };
        scope.pop().await?;
        Ok(Self { gpu, executor, linear, norm })
    }

    async fn fastest(mut self) -> Result<KernelChoice> {
        let subgroups = self.gpu.features.subgroups && {
            let plain = self.norm_ms(false).await?;
            self.norm_ms(true).await? < plain * FEATURE_GAIN
        };
        let started = now_ms();
        let mut best = (f64::INFINITY, GEMM_TILES[0], Arithmetic::F32);
        for tile in GEMM_TILES {
            for arithmetic in arithmetics(self.gpu, self.linear.storage) {
                let spent_ms = now_ms() - started;
                // At least one candidate of each kind is timed.
                if spent_ms > BUDGET_MS && tile != GEMM_TILES[0] {
                    break;
                }
                let gain = if arithmetic == Arithmetic::F32 { FEATURE_GAIN } else { 1.0 };
                let ms = self.gemm_ms_per_row(tile, arithmetic, BUDGET_MS - spent_ms).await? * gain;
                if ms < best.0 {
                    best = (ms, tile, arithmetic);
                }
            }
        }
        Ok(KernelChoice { tile: best.1, arithmetic: best.2, subgroups })
    }

    /// Returns the milliseconds of the norm of [`GEMM_SHAPE`]'s rows.
    async fn norm_ms(&mut self, subgroups: bool) -> Result<f64> {
        let dispatch = norm_in_place(&self.norm, Slot::Scratch(Scratch::ResidualA), GEMM_SHAPE[0], subgroups);
        let mut best = f64::INFINITY;
        // The first run also compiles the pipeline.
        for _ in 0..3 {
            best = best.min(self.time(vec![dispatch.clone()]).await?);
        }
        Ok(best)
    }

    async fn gemm_ms_per_row(
        &mut self,
        tile: GemmTile,
        arithmetic: Arithmetic,
        budget_ms: f64,
    ) -> Result<f64> {
        let started = now_ms();
        // The first run also compiles the pipeline, so the faster of two counts.
        let first_ms = self.gemm_ms(tile, arithmetic, PROBE_ROWS).await?;
        let probe_ms = first_ms.min(self.gemm_ms(tile, arithmetic, PROBE_ROWS).await?);
        let remaining_ms = budget_ms - (now_ms() - started);
        let predicted_ms = probe_ms * (GEMM_SHAPE[0] / PROBE_ROWS) as f64;
        if predicted_ms < remaining_ms {
            return Ok(self.gemm_ms(tile, arithmetic, GEMM_SHAPE[0]).await? / GEMM_SHAPE[0] as f64);
        }
        Ok(probe_ms / PROBE_ROWS as f64)
    }

    /// Returns the milliseconds of one product of `rows` rows, and of quantizing them if it needs that.
    async fn gemm_ms(&mut self, tile: GemmTile, arithmetic: Arithmetic, rows: usize) -> Result<f64> {
        let linear = &self.linear;
        let [from, to] = [Scratch::ResidualB, Scratch::ResidualA].map(Slot::Scratch);
        let shape = [rows, linear.column_vectors];
        let product = |from, product| gemm(linear, [from, to], shape, (product, Epilogue::Store), tile);
        let dispatches = match (arithmetic, linear.q8) {
            (Arithmetic::I8, Some(tables)) => vec![
                quantize(linear, tables, from, rows, false),
                product(Slot::Scratch(Scratch::Codes), Product::Codes),
            ],
            (Arithmetic::F16, _) => vec![product(from, Product::F16)],
            _ => vec![product(from, Product::F32)],
        };
        self.time(dispatches).await
    }

    /// Returns the milliseconds until the dispatches have run.
    async fn time(&mut self, dispatches: Vec<Dispatch>) -> Result<f64> {
        let Self { gpu, executor, linear, .. } = self;
        let size = bytes(GEMM_SHAPE[0], linear.column_vectors);
        let scratch = [Scratch::ResidualA, Scratch::ResidualB, Scratch::Codes, Scratch::RowScales];
        let recording = Recording {
            dispatches,
            scratch: scratch.map(|scratch| (scratch, size)).into(),
            result: Scratch::ResidualA,
            rows: 1,
            vectors: linear.column_vectors,
        };
        let positions = vec![1; GEMM_SHAPE[0] * size_of::<u32>()];
        let uploads = match recording.dispatches.len() {
            1 => Vec::new(),
            _ => vec![(Slot::Input(Input::Positions), positions)],
        };
        let scope = gpu.error_scope();
        let started = now_ms();
        let pending = executor
            .warm_up(gpu, &recording.dispatches)
            .and_then(|()| executor.submit(gpu, &recording, uploads));
        let scope_error = scope.pop();
        let received = executor.receive(gpu, pending?).await;
        scope_error.await?;
        received?;
        Ok(now_ms() - started)
    }
}

/// Uploads a layer and a norm of zeros.
fn zero_layers(upload: &mut impl Upload, storage: Storage) -> Result<(Linear, Norm)> {
    let [_, depth, columns] = GEMM_SHAPE;
    let mut zeros = |name, numbers: usize| upload.create(name, (numbers * size_of::<f32>()) as u64);
    let linear = Linear {
        storage,
        weight: zeros("weights to time", depth * columns)?,
        bias: zeros("biases to time", columns)?,
        q8: match storage {
            Storage::Q8 => Some(Q8Tables {
                scales: zeros("scales to time", columns)?,
                factors: zeros("factors to time", depth)?,
                column_sums: zeros("column sums to time", columns)?,
            }),
            _ => None,
        },
        depth,
        input_vectors: depth / VEC4,
        column_vectors: columns / VEC4,
    };
    let [weight, bias] = [zeros("norm to time", columns)?, zeros("norm to time", columns)?];
    Ok((linear, Norm { weight, bias, width: columns, eps: 1e-5, rms: false }))
}
