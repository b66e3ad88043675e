//! Times each kernel of a recording, in its own pass between two timestamps.

use super::device::Gpu;
use super::executor::Executor;
use crate::engine::gpu::record::{Dispatch, Recording, Uploads, VEC4};
use crate::engine::gpu::shader::{Kernel, Params};
use crate::error::{Result, internal, unsupported};

/// The total time of all dispatches with the same kernel and shape.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct KernelTime {
    /// Name of the kernel; for a linear layer also its inputs, outputs and epilogue.
    pub kernel: String,
    /// Number of dispatches.
    pub runs: usize,
    /// Total time in milliseconds.
    pub ms: f64,
    /// Floating-point operations of linear layers, two per multiplication and addition; 0 for other kernels.
    pub flops: f64,
}

/// Size of a timestamp in bytes.
const TIMESTAMP: u64 = size_of::<u64>() as u64;

impl Executor {
    /// Runs a recording and returns the time of each kernel, the longest first.
    ///
    /// # Errors
    /// `unsupported` without timestamp queries; as [`receive`](Self::receive).
    pub(crate) async fn profile(
        &self,
        gpu: &Gpu,
        recording: &Recording,
        uploads: Uploads,
    ) -> Result<Vec<KernelTime>> {
        if !gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(unsupported("this GPU has no timestamp queries, so its kernels cannot be timed"));
        }
        // A run as usual creates and fills the buffers and wakes the GPU.
        let pending = self.submit(gpu, recording, uploads)?;
        self.receive(gpu, pending).await?;
        let times = self.time_each(gpu, &recording.dispatches).await?;
        Ok(aggregate(&recording.dispatches, &times))
    }

    /// Returns the milliseconds of each dispatch.
    async fn time_each(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Vec<f64>> {
        let count = 2 * dispatches.len() as u32;
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let bytes = u64::from(count) * TIMESTAMP;
        let resolved =
            gpu.buffer("timestamps", bytes, wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let readback =
            gpu.buffer("timestamps", bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode_timed(gpu, dispatches, &queries, &mut encoder)?;
        encoder.resolve_query_set(&queries, 0..count, &resolved.buffer, 0);
        encoder.copy_buffer_to_buffer(&resolved.buffer, 0, &readback.buffer, 0, bytes);
        gpu.queue.submit([encoder.finish()]);
        let mapped = readback.map(bytes);
        let finished = gpu.device.poll(wgpu::PollType::wait_indefinitely());
        finished.map_err(|error| internal(format!("the GPU did not finish: {error}")).with_source(error))?;
        let unread = || internal("the timestamps cannot be read");
        mapped.await.map_err(|_| unread())?.map_err(|_| unread())?;
        let view = readback.buffer.get_mapped_range(0..bytes).map_err(|_| unread())?;
        let stamps: Vec<u64> = view.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let period = f64::from(gpu.queue.get_timestamp_period()) / 1e6;
        Ok(stamps.chunks_exact(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 * period).collect())
    }
}

/// Adds up dispatches with the same label; the longest time comes first.
fn aggregate(dispatches: &[Dispatch], times: &[f64]) -> Vec<KernelTime> {
    let mut lines: Vec<KernelTime> = Vec::new();
    for (dispatch, ms) in dispatches.iter().zip(times) {
        let (kernel, flops) = label(dispatch);
        let line = match lines.iter_mut().find(|line| line.kernel == kernel) {
            Some(line) => line,
            None => {
                lines.push(KernelTime { kernel, runs: 0, ms: 0.0, flops: 0.0 });
                let last = lines.len() - 1;
                &mut lines[last]
            }
        };
        line.runs += 1;
        line.ms += ms;
        line.flops += flops;
    }
    lines.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    lines
}

/// Returns the label of a dispatch and the floating-point operations of a linear layer.
pub(crate) fn label(dispatch: &Dispatch) -> (String, f64) {
    let name = dispatch.kernel.name();
    let (Kernel::Gemm(gemm), Params::Gemm(params)) = (dispatch.kernel, dispatch.params) else {
        return (name.to_owned(), 0.0);
    };
    let inputs = params.input_vectors as usize * VEC4 * gemm.arithmetic.values_per_word();
    let columns = params.column_vectors as usize * VEC4;
    let flops = 2.0 * f64::from(params.rows) * inputs as f64 * columns as f64;
    (format!("{name} {inputs} -> {columns}, {:?}", gemm.epilogue), flops)
}
