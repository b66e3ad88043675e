//! Chooses the fastest tile for matrix products on this GPU. Takes at most about a tenth of a second, once per process,
//! adapter and storage.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::device::Gpu;
use super::executor::Executor;
use crate::engine::clock::now_ms;
use crate::engine::gpu::lower::{Constants, Upload};
use crate::engine::gpu::record::{Linear, Recording, Scratch, Slot, VEC4, bytes, gemm};
use crate::engine::gpu::shader::{Epilogue, GemmTile, Storage};
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

/// Chosen tiles by adapter and storage.
type Cache = HashMap<(String, Storage), GemmTile>;
static CACHE: Mutex<Option<Cache>> = Mutex::new(None);

/// Returns the fastest tile, timed or cached.
///
/// # Errors
/// `device-lost`, `out-of-memory`; `internal` if the GPU rejects a candidate.
pub(crate) async fn autotune(gpu: &Gpu, storage: Storage) -> Result<GemmTile> {
    let key = (gpu.name(), storage);
    let cached = cache().get_or_insert_default().get(&key).copied();
    if let Some(tile) = cached {
        return Ok(tile);
    }
    // A GPU that cannot bind even this layer is not timed.
    let fits = gpu.max_binding_bytes() >= bytes(GEMM_SHAPE[1], GEMM_SHAPE[2]);
    let tile = if fits { fastest_tile(gpu, storage).await? } else { GEMM_TILES[0] };
    cache().get_or_insert_default().insert(key, tile);
    Ok(tile)
}

fn cache() -> MutexGuard<'static, Option<Cache>> {
    CACHE.lock().unwrap_or_else(|poison| poison.into_inner())
}

async fn fastest_tile(gpu: &Gpu, storage: Storage) -> Result<GemmTile> {
    let scope = gpu.error_scope();
    let mut constants = Constants::new(gpu);
    let linear = zero_layer(&mut constants, storage);
    let mut executor = Executor::new(constants.into_buffers());
    let linear = match linear {
        Ok(linear) => linear,
        Err(error) => return scope.pop().await.and(Err(error)),
    };
    scope.pop().await?;
    let started = now_ms();
    let mut best = (f64::INFINITY, GEMM_TILES[0]);
    for tile in GEMM_TILES {
        if now_ms() - started > BUDGET_MS {
            break;
        }
        // The first run also compiles the pipeline, so the faster of two counts.
        let first_ms = time_gemm(gpu, &mut executor, &linear, tile, PROBE_ROWS).await?;
        let probe_ms = first_ms.min(time_gemm(gpu, &mut executor, &linear, tile, PROBE_ROWS).await?);
        let remaining_ms = BUDGET_MS - (now_ms() - started);
        let predicted_ms = probe_ms * (GEMM_SHAPE[0] / PROBE_ROWS) as f64;
        let ms_per_row = if predicted_ms < remaining_ms {
            time_gemm(gpu, &mut executor, &linear, tile, GEMM_SHAPE[0]).await? / GEMM_SHAPE[0] as f64
        } else {
            probe_ms / PROBE_ROWS as f64
        };
        if ms_per_row < best.0 {
            best = (ms_per_row, tile);
        }
    }
    Ok(best.1)
}

/// Returns the milliseconds of one product of `rows` rows.
async fn time_gemm(
    gpu: &Gpu,
    executor: &mut Executor,
    linear: &Linear,
    tile: GemmTile,
    rows: usize,
) -> Result<f64> {
    let [from, to] = [Scratch::ResidualB, Scratch::ResidualA];
    let shape = [rows, linear.column_vectors];
    let dispatch = gemm(linear, [from, to].map(Slot::Scratch), shape, Epilogue::Store, tile);
    let size = |vectors| bytes(GEMM_SHAPE[0], vectors);
    let recording = Recording {
        dispatches: vec![dispatch],
        scratch: [(from, size(linear.input_vectors)), (to, size(linear.column_vectors))].into(),
        result: to,
        rows: 1,
        vectors: linear.column_vectors,
    };
    let scope = gpu.error_scope();
    let started = now_ms();
    let pending = executor
        .warm_up(gpu, &recording.dispatches)
        .and_then(|()| executor.submit(gpu, &recording, Vec::new()));
    let scope_error = scope.pop();
    let received = executor.receive(gpu, pending?).await;
    scope_error.await?;
    received?;
    Ok(now_ms() - started)
}

/// Uploads a layer of zeros.
fn zero_layer(upload: &mut impl Upload, storage: Storage) -> Result<Linear> {
    let [_, depth, columns] = GEMM_SHAPE;
    let mut zeros = |name, numbers: usize| upload.create(name, (numbers * size_of::<f32>()) as u64);
    Ok(Linear {
        storage,
        weight: zeros("weights to time", depth * columns)?,
        bias: zeros("biases to time", columns)?,
        scales: match storage {
            Storage::Q8 => Some([zeros("scales to time", columns)?, zeros("factors to time", depth)?]),
            _ => None,
        },
        depth,
        input_vectors: depth / VEC4,
        column_vectors: columns / VEC4,
    })
}
