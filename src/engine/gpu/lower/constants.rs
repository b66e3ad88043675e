//! Buffers that are made at load and stay.

use crate::engine::gpu::record::Constant;
use crate::engine::gpu::run::{Buffer, Gpu};
use crate::error::{Result, unsupported};

/// Takes what preparing uploads: the GPU, or in tests what only counts.
pub(crate) trait Upload {
    /// A new buffer of so many bytes, called by the name of what it is for.
    ///
    /// # Errors
    /// `unsupported` for one that is larger than this GPU can bind.
    fn create(&mut self, name: &str, bytes: u64) -> Result<Constant>;

    /// Writes whole words into a buffer.
    fn write(&mut self, constant: Constant, offset: u64, bytes: &[u8]);

    /// A new buffer with these bytes.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    fn upload(&mut self, name: &str, bytes: &[u8]) -> Result<Constant> {
        let constant = self.create(name, bytes.len() as u64)?;
        self.write(constant, 0, bytes);
        Ok(constant)
    }
}

/// Buffers on a GPU.
#[derive(Debug)]
pub(crate) struct Constants<'a> {
    gpu: &'a Gpu,
    buffers: Vec<Option<Buffer>>,
    /// Bytes written that the GPU may not have taken yet.
    pending_bytes: u64,
}

/// So much may wait to be taken: what is written lies in memory a second time until then.
const MAX_PENDING_BYTES: u64 = 64 << 20;

impl<'a> Constants<'a> {
    pub(crate) fn new(gpu: &'a Gpu) -> Self {
        Self { gpu, buffers: Vec::new(), pending_bytes: 0 }
    }

    pub(crate) fn into_buffers(self) -> Vec<Option<Buffer>> {
        self.buffers
    }
}

impl Upload for Constants<'_> {
    fn create(&mut self, name: &str, bytes: u64) -> Result<Constant> {
        let max = self.gpu.max_binding_bytes();
        if bytes > max {
            return Err(unsupported(format!(
                "{name} takes {bytes} bytes, and a buffer of this GPU has at most {max}: use the device \"cpu\""
            )));
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        self.buffers.push(Some(self.gpu.buffer(name, bytes, usage)));
        Ok(self.buffers.len() - 1)
    }

    fn write(&mut self, constant: Constant, offset: u64, bytes: &[u8]) {
        let Some(Some(buffer)) = self.buffers.get(constant) else { return };
        self.gpu.queue.write_buffer(&buffer.buffer, offset, bytes);
        self.pending_bytes += bytes.len() as u64;
        if self.pending_bytes > MAX_PENDING_BYTES {
            self.gpu.queue.submit([]);
            // In a browser this does nothing. An error shows in the watch that surrounds preparing.
            let _ = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
            self.pending_bytes = 0;
        }
    }
}
