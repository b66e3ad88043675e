//! Runs recordings: each is one command buffer and one readback. Pipelines and buffers are kept for the next one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};

use futures_channel::oneshot;

use super::buffer_pool::BufferPool;
use super::device::{Buffer, Gpu};
use super::pipeline::Pipeline;
use crate::engine::gpu::record::{Dispatch, Recording, Slot, Uploads, bytes};
use crate::engine::gpu::shader::{Kernel, MAX_PARAMS_BYTES};
use crate::error::{Error, Result, device_lost, internal};

/// Constants, compiled kernels and buffers of one engine.
#[derive(Debug)]
pub(crate) struct Executor {
    /// By index; `None` once freed.
    constants: Vec<Option<Buffer>>,
    pipelines: HashMap<Kernel, Pipeline>,
    pool: Mutex<BufferPool>,
}

/// Rows that the GPU computes and copies to a mappable buffer.
#[must_use]
pub(crate) struct PendingRows {
    buffer: Buffer,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
    bytes: u64,
}

impl Executor {
    /// Creates an executor with uploaded constants.
    pub(crate) fn new(constants: Vec<Option<Buffer>>) -> Self {
        Self { constants, pipelines: HashMap::new(), pool: Mutex::default() }
    }

    /// Compiles the kernels of these dispatches that are not compiled yet.
    ///
    /// # Errors
    /// `internal` if a kernel has no WGSL.
    pub(crate) fn warm_up<'a>(
        &mut self,
        gpu: &Gpu,
        dispatches: impl IntoIterator<Item = &'a Dispatch>,
    ) -> Result<()> {
        for Dispatch { kernel, .. } in dispatches {
            if let Entry::Vacant(entry) = self.pipelines.entry(*kernel) {
                entry.insert(Pipeline::new(gpu, *kernel)?);
            }
        }
        Ok(())
    }

    /// Number of pipelines compiled so far.
    #[cfg(test)]
    pub(crate) fn pipelines(&self) -> usize {
        self.pipelines.len()
    }

    /// Frees constants that no later dispatch reads.
    pub(crate) fn drop_constants(&mut self, constants: &[usize]) {
        for constant in constants {
            self.constants[*constant] = None;
        }
        self.pool().bind_groups.clear();
    }

    /// Runs dispatches whose buffers are all constants.
    pub(crate) fn run_setup(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<()> {
        let mut pool = self.pool();
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode(gpu, &mut pool, dispatches, &mut encoder)?;
        gpu.queue.submit([encoder.finish()]);
        Ok(())
    }

    /// Uploads the inputs of a batch and submits its recording. Submissions run in order.
    pub(crate) fn submit(&self, gpu: &Gpu, recording: &Recording, uploads: Uploads) -> Result<PendingRows> {
        let mut pool = self.pool();
        for (scratch, bytes) in &recording.scratch {
            pool.ensure_buffer(gpu, Slot::Scratch(*scratch), *bytes);
        }
        for (slot, bytes) in uploads {
            let buffer = pool.ensure_buffer(gpu, slot, bytes.len() as u64);
            gpu.queue.write_buffer(&buffer.buffer, 0, &bytes);
        }
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode(gpu, &mut pool, &recording.dispatches, &mut encoder)?;
        let bytes = bytes(recording.rows, recording.vectors);
        let readback = pool.readback_buffer(gpu, bytes);
        let result = pool
            .buffers
            .get(&Slot::Scratch(recording.result))
            .ok_or_else(|| missing_buffer(recording.result))?;
        encoder.copy_buffer_to_buffer(&result.buffer, 0, &readback.buffer, 0, bytes);
        gpu.queue.submit([encoder.finish()]);
        let mapped = readback.map(bytes);
        Ok(PendingRows { buffer: readback, mapped, bytes })
    }

    /// Waits for the rows of a submission, `[rows, vectors]`.
    ///
    /// # Errors
    /// `device-lost` if the rows cannot be mapped; `internal` if they cannot be read.
    pub(crate) async fn receive(&self, gpu: &Gpu, pending: PendingRows) -> Result<Vec<f32>> {
        // Does nothing in browsers, where the event loop polls.
        let polled = gpu.device.poll(wgpu::PollType::wait_indefinitely());
        gpu.check_alive()?;
        polled.map_err(|error| internal(format!("the GPU did not finish: {error}")).with_source(error))?;
        let mapped = pending.mapped.await;
        gpu.check_alive()?;
        match mapped {
            Ok(Ok(())) => {}
            // A valid buffer fails to map only if the device is being lost; the callback may report that later.
            Ok(Err(error)) => {
                return Err(device_lost(format!("the GPU's rows cannot be read: {error}")).with_source(error));
            }
            Err(_) => return Err(device_lost("the GPU returned no rows")),
        }
        let view = pending.buffer.buffer.get_mapped_range(0..pending.bytes);
        let view = view.map_err(|error| {
            internal(format!("the GPU's rows cannot be read: {error}")).with_source(error)
        })?;
        let rows = view.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        drop(view);
        pending.buffer.buffer.unmap();
        self.pool().readback_buffers.push(pending.buffer);
        Ok(rows)
    }

    fn pool(&self) -> MutexGuard<'_, BufferPool> {
        // A poisoned pool is usable: the next batch overwrites its buffers.
        self.pool.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Encodes dispatches in one pass.
    fn encode(
        &self,
        gpu: &Gpu,
        pool: &mut BufferPool,
        dispatches: &[Dispatch],
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<()> {
        pool.upload_params(gpu, dispatches);
        for dispatch in dispatches {
            self.ensure_bind_group(gpu, pool, dispatch)?;
        }
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut last = None;
        for (index, dispatch) in dispatches.iter().enumerate() {
            if last != Some(dispatch.kernel) {
                pass.set_pipeline(&self.pipeline(dispatch.kernel)?.pipeline);
                last = Some(dispatch.kernel);
            }
            pool.dispatch(&mut pass, index, dispatch);
        }
        Ok(())
    }

    /// Encodes each dispatch in its own pass, between two timestamps.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn encode_timed(
        &self,
        gpu: &Gpu,
        dispatches: &[Dispatch],
        queries: &wgpu::QuerySet,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<()> {
        let mut pool = self.pool();
        pool.upload_params(gpu, dispatches);
        for (index, dispatch) in dispatches.iter().enumerate() {
            self.ensure_bind_group(gpu, &mut pool, dispatch)?;
            let begin = 2 * index as u32;
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(dispatch.kernel.name()),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: queries,
                    beginning_of_pass_write_index: Some(begin),
                    end_of_pass_write_index: Some(begin + 1),
                }),
            });
            pass.set_pipeline(&self.pipeline(dispatch.kernel)?.pipeline);
            pool.dispatch(&mut pass, index, dispatch);
        }
        Ok(())
    }

    fn pipeline(&self, kernel: Kernel) -> Result<&Pipeline> {
        self.pipelines
            .get(&kernel)
            .ok_or_else(|| internal(format!("the kernel {kernel:?} was not warmed up")))
    }

    /// Makes the bind group of a dispatch, if there is none yet.
    fn ensure_bind_group(&self, gpu: &Gpu, pool: &mut BufferPool, dispatch: &Dispatch) -> Result<()> {
        let key = (dispatch.kernel, dispatch.buffers.clone());
        if pool.bind_groups.contains_key(&key) {
            return Ok(());
        }
        let params = pool.params.as_ref().ok_or_else(|| internal("a dispatch has no parameters"))?;
        let size = wgpu::BufferSize::new(MAX_PARAMS_BYTES as u64);
        let params = wgpu::BufferBinding { buffer: &params.buffer, offset: 0, size };
        let mut entries =
            vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(params) }];
        for (slot, binding) in dispatch.buffers.iter().zip(1..) {
            let buffer = match slot {
                Slot::Constant(constant) => self.constants.get(*constant).and_then(Option::as_ref),
                slot => pool.buffers.get(slot),
            };
            let buffer = buffer.ok_or_else(|| missing_buffer(slot))?;
            entries.push(wgpu::BindGroupEntry { binding, resource: buffer.buffer.as_entire_binding() });
        }
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(dispatch.kernel.name()),
            layout: &self.pipeline(dispatch.kernel)?.layout,
            entries: &entries,
        });
        pool.bind_groups.insert(key, group);
        Ok(())
    }
}

fn missing_buffer(slot: impl std::fmt::Debug) -> Error {
    internal(format!("the buffer {slot:?} was not created"))
}
