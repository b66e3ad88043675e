//! Runs recordings: pipelines and buffers are made once and kept, each recording is one command buffer and one
//! read-back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};

use futures_channel::oneshot;

use super::device::{Buffer, Gpu};
use crate::engine::gpu::record::{Dispatch, Recording, Scratch, Slot, Uploads, VEC4, bytes};
use crate::engine::gpu::shader::{Access, Kernel, MAX_PARAMS_BYTES};
use crate::error::{Error, Result, device_lost, internal};

/// The parameters of a dispatch begin at multiples of so many bytes, as the specification asks.
const PARAMS_STRIDE: usize = 256;

/// What runs recordings.
#[derive(Debug)]
pub(crate) struct Executor {
    constants: Vec<Option<Buffer>>,
    pipelines: HashMap<Kernel, Pipeline>,
    pool: Mutex<BufferPool>,
}

#[derive(Debug)]
struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// What batches use one after the other.
#[derive(Debug, Default)]
struct BufferPool {
    params: Option<Buffer>,
    buffers: HashMap<Slot, Buffer>,
    /// By kernel and buffers; gone when a buffer is replaced.
    bind_groups: HashMap<(Kernel, Vec<Slot>), wgpu::BindGroup>,
    /// Buffers to read back from that nobody is reading.
    readback_buffers: Vec<Buffer>,
}

/// Rows on their way back.
#[must_use]
pub(crate) struct PendingRows {
    buffer: Buffer,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
    bytes: u64,
}

impl Executor {
    /// With the constants that have been uploaded.
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

    /// Pipelines made so far.
    #[cfg(test)]
    pub(crate) fn pipelines(&self) -> usize {
        self.pipelines.len()
    }

    /// Gives buffers made at load back.
    pub(crate) fn drop_constants(&mut self, constants: &[usize]) {
        for constant in constants {
            self.constants[*constant] = None;
        }
        self.pool().bind_groups.clear();
    }

    /// Runs dispatches that only touch constants.
    pub(crate) fn run_setup(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<()> {
        let mut pool = self.pool();
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode(gpu, &mut pool, dispatches, &mut encoder)?;
        gpu.queue.submit([encoder.finish()]);
        Ok(())
    }

    /// Starts a recording with what its batch brings. What comes before it on the queue is done before it.
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
        let back = pool.readback_buffer(gpu, bytes);
        let result = pool
            .buffers
            .get(&Slot::Scratch(recording.result))
            .ok_or_else(|| missing_buffer(recording.result))?;
        encoder.copy_buffer_to_buffer(&result.buffer, 0, &back.buffer, 0, bytes);
        gpu.queue.submit([encoder.finish()]);
        let (sender, mapped) = oneshot::channel();
        back.buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |mapped| {
            // Nobody listens where the call has been dropped.
            let _ = sender.send(mapped);
        });
        Ok(PendingRows { buffer: back, mapped, bytes })
    }

    /// Waits for rows, `[rows, vectors]`.
    pub(crate) async fn receive(&self, gpu: &Gpu, pending: PendingRows) -> Result<Vec<f32>> {
        // In a browser this does nothing: there the event loop goes on by itself.
        let polled = gpu.device.poll(wgpu::PollType::wait_indefinitely());
        gpu.check_alive()?;
        polled.map_err(|error| internal(format!("the GPU did not finish: {error}")).with_source(error))?;
        let mapped = pending.mapped.await;
        gpu.check_alive()?;
        match mapped {
            Ok(Ok(())) => {}
            // Only a device that is going away does not map a buffer of ours; that it is gone may be said a little later.
            Ok(Err(error)) => {
                return Err(device_lost(format!("the GPU's rows cannot be read: {error}")).with_source(error));
            }
            Err(_) => return Err(device_lost("the GPU gave no rows back")),
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
        // Poisoned or not, what is there are buffers that the next batch overwrites.
        self.pool.lock().unwrap_or_else(|poison| poison.into_inner())
    }

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
        for (number, dispatch) in dispatches.iter().enumerate() {
            if last != Some(dispatch.kernel) {
                pass.set_pipeline(&self.pipeline(dispatch.kernel)?.pipeline);
                last = Some(dispatch.kernel);
            }
            pool.dispatch(&mut pass, number, dispatch);
        }
        Ok(())
    }

    /// As [`encode`](Self::encode), each dispatch in a pass of its own between two timestamps.
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
        for (number, dispatch) in dispatches.iter().enumerate() {
            self.ensure_bind_group(gpu, &mut pool, dispatch)?;
            let begin = 2 * number as u32;
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(dispatch.kernel.name()),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: queries,
                    beginning_of_pass_write_index: Some(begin),
                    end_of_pass_write_index: Some(begin + 1),
                }),
            });
            pass.set_pipeline(&self.pipeline(dispatch.kernel)?.pipeline);
            pool.dispatch(&mut pass, number, dispatch);
        }
        Ok(())
    }

    fn pipeline(&self, kernel: Kernel) -> Result<&Pipeline> {
        self.pipelines
            .get(&kernel)
            .ok_or_else(|| internal(format!("the kernel {kernel:?} was not warmed up")))
    }

    /// Sees to it that a dispatch has its bind group.
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
    internal(format!("the buffer {slot:?} is not there"))
}

impl BufferPool {
    /// A buffer of at least so many bytes; what it pool is gone when it has to be larger.
    fn ensure_buffer(&mut self, gpu: &Gpu, slot: Slot, bytes: u64) -> &Buffer {
        if self.buffers.get(&slot).is_none_or(|buffer| buffer.buffer.size() < bytes) {
            self.buffers.remove(&slot);
            self.bind_groups.clear();
            let usage = match slot {
                Slot::Scratch(Scratch::ResidualA | Scratch::ResidualB) => {
                    wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC
                }
                _ => wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            };
            // A little more, so that batches that grow by a few tokens do not each need another.
            let bytes = (bytes + bytes / 8).min(gpu.max_binding_bytes()).max(bytes);
            self.buffers.insert(slot, gpu.buffer("scratch", bytes, usage));
        }
        &self.buffers[&slot]
    }

    /// Runs a dispatch with its bind group, which is there, and the parameters of this number.
    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, number: usize, dispatch: &Dispatch) {
        let Dispatch { kernel, buffers, grid: [x, y, z], .. } = dispatch;
        let group = self.bind_groups.get(&(*kernel, buffers.clone()));
        pass.set_bind_group(0, group, &[(number * PARAMS_STRIDE) as u32]);
        pass.dispatch_workgroups(*x, *y, *z);
    }

    fn upload_params(&mut self, gpu: &Gpu, dispatches: &[Dispatch]) {
        let mut words = vec![0; dispatches.len() * PARAMS_STRIDE];
        for (dispatch, to) in dispatches.iter().zip(words.chunks_exact_mut(PARAMS_STRIDE)) {
            to[..MAX_PARAMS_BYTES].copy_from_slice(&dispatch.params.bytes());
        }
        let bytes = words.len() as u64;
        if self.params.as_ref().is_none_or(|params| params.buffer.size() < bytes) {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            self.bind_groups.clear();
            self.params = Some(gpu.buffer("params", bytes, usage));
        }
        if let Some(params) = &self.params {
            gpu.queue.write_buffer(&params.buffer, 0, &words);
        }
    }

    fn readback_buffer(&mut self, gpu: &Gpu, bytes: u64) -> Buffer {
        match self.readback_buffers.pop() {
            Some(buffer) if buffer.buffer.size() >= bytes => buffer,
            _ => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                gpu.buffer("rows", bytes.next_multiple_of((VEC4 * PARAMS_STRIDE) as u64), usage)
            }
        }
    }
}

impl Pipeline {
    fn new(gpu: &Gpu, kernel: Kernel) -> Result<Self> {
        let label = Some(kernel.name());
        let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(kernel.source()?.into()),
        });
        let layout = gpu
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries(kernel) });
        let layouts =
            wgpu::PipelineLayoutDescriptor { label, bind_group_layouts: &[Some(&layout)], immediate_size: 0 };
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&gpu.device.create_pipeline_layout(&layouts)),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels write what they share before they read it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Ok(Self { pipeline, layout })
    }
}

fn entries(kernel: Kernel) -> Vec<wgpu::BindGroupLayoutEntry> {
    let entry = |binding, ty, has_dynamic_offset, size| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset,
            min_binding_size: wgpu::BufferSize::new(size),
        },
        count: None,
    };
    let params = entry(0, wgpu::BufferBindingType::Uniform, true, MAX_PARAMS_BYTES as u64);
    let buffers = kernel.bindings().into_iter().zip(1..).map(|(access, binding)| {
        let read_only = access == Access::Read;
        entry(binding, wgpu::BufferBindingType::Storage { read_only }, false, 0)
    });
    std::iter::once(params).chain(buffers).collect()
}
