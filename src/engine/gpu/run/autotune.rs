//! Which way to cut up matrix products is fastest on this GPU: tried out once, within a tenth of a second, and
//! remembered for as long as the process runs.

use std::collections::HashMap;
use std::sync::Mutex;

use super::device::Gpu;
use super::executor::Executor;
use crate::engine::clock::now_ms;
use crate::engine::gpu::lower::{Constants, Upload};
use crate::engine::gpu::record::{Linear, Recording, Scratch, Slot, VECTOR, bytes, gemm};
use crate::engine::gpu::shader::{Epilogue, Storage, Tile};
use crate::error::Result;

/// Ways to cut up matrix products, the one that is good on most GPUs first. All keep within the limits of the
/// specification: 256 invocations, and 16 KiB that a workgroup shares.
pub(crate) const TILES: [Tile; 5] = [
    Tile { rows: 8, group_m: 8, group_n: 8, step: Some(4) },
    Tile { rows: 8, group_m: 16, group_n: 8, step: Some(4) },
    Tile { rows: 4, group_m: 8, group_n: 16, step: Some(4) },
    Tile { rows: 4, group_m: 8, group_n: 8, step: Some(4) },
    Tile { rows: 8, group_m: 8, group_n: 4, step: None },
];

/// Milliseconds after which nothing else is tried.
const BUDGET: f64 = 100.0;
/// Rows, inputs and outputs of the product that is timed: a layer of a small model over a few documents.
const SHAPE: [usize; 3] = [512, 384, 384];
/// Rows of the first attempt, which shows how long the whole takes.
const FEW_ROWS: usize = 64;

/// What has been found out, by adapter and the form of the weights.
static KNOWN: Mutex<Option<HashMap<(String, Storage), Tile>>> = Mutex::new(None);

/// The fastest tile.
pub(crate) async fn tune(gpu: &Gpu, storage: Storage) -> Result<Tile> {
    let key = (gpu.name(), storage);
    let known = |key| {
        KNOWN.lock().unwrap_or_else(|poison| poison.into_inner()).get_or_insert_default().get(key).copied()
    };
    if let Some(tile) = known(&key) {
        return Ok(tile);
    }
    // A GPU that cannot even bind a small layer is not worth the trouble.
    let fits = gpu.largest_binding() >= bytes(SHAPE[1], SHAPE[2]);
    let tile = if fits { fastest(gpu, storage).await? } else { TILES[0] };
    let mut known = KNOWN.lock().unwrap_or_else(|poison| poison.into_inner());
    known.get_or_insert_default().insert(key, tile);
    Ok(tile)
}

async fn fastest(gpu: &Gpu, storage: Storage) -> Result<Tile> {
    let watch = gpu.watch();
    let mut constants = Constants::new(gpu);
    let linear = layer(&mut constants, storage);
    let mut executor = Executor::new(constants.into_buffers());
    let linear = match linear {
        Ok(linear) => linear,
        Err(error) => return watch.end().await.and(Err(error)),
    };
    watch.end().await?;
    let started = now_ms();
    let mut best = (f64::INFINITY, TILES[0]);
    for tile in TILES {
        if now_ms() - started > BUDGET {
            break;
        }
        // The first run of a pipeline also makes it; the few rows say whether the many are worth it.
        let few = time(gpu, &mut executor, &linear, tile, FEW_ROWS).await?;
        let few = few.min(time(gpu, &mut executor, &linear, tile, FEW_ROWS).await?);
        let left = BUDGET - (now_ms() - started);
        let expected = few * (SHAPE[0] / FEW_ROWS) as f64;
        let a_row = match expected < left {
            true => time(gpu, &mut executor, &linear, tile, SHAPE[0]).await? / SHAPE[0] as f64,
            false => few / FEW_ROWS as f64,
        };
        if a_row < best.0 {
            best = (a_row, tile);
        }
    }
    Ok(best.1)
}

/// Milliseconds for so many rows.
async fn time(gpu: &Gpu, executor: &mut Executor, linear: &Linear, tile: Tile, rows: usize) -> Result<f64> {
    let [from, to] = [Scratch::Other, Scratch::Stream];
    let shape = [rows, linear.columns];
    let dispatch = gemm(linear, [from, to].map(Slot::Scratch), shape, Epilogue::Store, tile);
    let size = |vectors| bytes(SHAPE[0], vectors);
    let recording = Recording {
        dispatches: vec![dispatch],
        scratch: [(from, size(linear.inputs)), (to, size(linear.columns))].into(),
        result: to,
        rows: 1,
        vectors: linear.columns,
    };
    let watch = gpu.watch();
    let started = now_ms();
    executor.warm_up(gpu, &recording.dispatches);
    let pending = executor.submit(gpu, &recording, Vec::new());
    let watched = watch.end();
    let received = executor.receive(gpu, pending?).await;
    watched.await?;
    received?;
    Ok(now_ms() - started)
}

/// A layer whose weights are all zero.
fn layer(upload: &mut impl Upload, storage: Storage) -> Result<Linear> {
    let [_, depth, columns] = SHAPE;
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
        inputs: depth / VECTOR,
        columns: columns / VECTOR,
    })
}
