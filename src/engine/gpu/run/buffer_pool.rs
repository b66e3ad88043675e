//! The buffers that batches share: parameters, inputs, scratch and readback.

use std::collections::HashMap;

use super::device::{Buffer, Gpu};
use crate::engine::gpu::record::{Dispatch, Scratch, Slot};
use crate::engine::gpu::shader::{Kernel, MAX_PARAMS_BYTES};

/// Alignment of each dispatch's parameters in their buffer, in bytes: the specification's limit for dynamic offsets.
const PARAMS_STRIDE: usize = 256;
/// The size of a readback buffer is a multiple of this, in bytes.
const READBACK_ALIGN: u64 = 1024;

/// The buffers that one batch after the other uses, and their bind groups.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    /// The parameters of all dispatches of a batch.
    pub(super) params: Option<Buffer>,
    /// Inputs and scratch.
    pub(super) buffers: HashMap<Slot, Buffer>,
    /// Bind groups by kernel and buffers; cleared when a buffer is replaced.
    pub(super) bind_groups: HashMap<(Kernel, Vec<Slot>), wgpu::BindGroup>,
    /// Readback buffers that no batch is waiting for.
    pub(super) readback_buffers: Vec<Buffer>,
}

impl BufferPool {
    /// Returns a buffer of at least `bytes` bytes. A buffer that is too small is replaced, and its contents are lost.
    pub(super) fn ensure_buffer(&mut self, gpu: &Gpu, slot: Slot, bytes: u64) -> &Buffer {
        if self.buffers.get(&slot).is_none_or(|buffer| buffer.buffer.size() < bytes) {
            self.buffers.remove(&slot);
            self.bind_groups.clear();
            let usage = match slot {
                Slot::Scratch(Scratch::ResidualA | Scratch::ResidualB) => {
                    wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC
                }
                _ => wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            };
            // An eighth more, so that a slightly larger batch does not replace the buffer again.
            let bytes = (bytes + bytes / 8).min(gpu.max_binding_bytes()).max(bytes);
            self.buffers.insert(slot, gpu.buffer("scratch", bytes, usage));
        }
        &self.buffers[&slot]
    }

    /// Encodes the dispatch at `index`, whose parameters have been uploaded and whose bind group has been made.
    pub(super) fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, index: usize, dispatch: &Dispatch) {
        let Dispatch { kernel, buffers, grid: [x, y, z], .. } = dispatch;
        let group = self.bind_groups.get(&(*kernel, buffers.clone()));
        pass.set_bind_group(0, group, &[(index * PARAMS_STRIDE) as u32]);
        pass.dispatch_workgroups(*x, *y, *z);
    }

    /// Uploads the parameters of all dispatches.
    pub(super) fn upload_params(&mut self, gpu: &Gpu, dispatches: &[Dispatch]) {
        let mut contents = vec![0; dispatches.len() * PARAMS_STRIDE];
        for (dispatch, to) in dispatches.iter().zip(contents.chunks_exact_mut(PARAMS_STRIDE)) {
            to[..MAX_PARAMS_BYTES].copy_from_slice(&dispatch.params.bytes());
        }
        let bytes = contents.len() as u64;
        if self.params.as_ref().is_none_or(|params| params.buffer.size() < bytes) {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            self.bind_groups.clear();
            self.params = Some(gpu.buffer("params", bytes, usage));
        }
        if let Some(params) = &self.params {
            gpu.queue.write_buffer(&params.buffer, 0, &contents);
        }
    }

    /// Returns a mappable buffer of at least `bytes` bytes.
    pub(super) fn readback_buffer(&mut self, gpu: &Gpu, bytes: u64) -> Buffer {
        match self.readback_buffers.pop() {
            Some(buffer) if buffer.buffer.size() >= bytes => buffer,
            _ => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                gpu.buffer("rows", bytes.next_multiple_of(READBACK_ALIGN), usage)
            }
        }
    }
}
