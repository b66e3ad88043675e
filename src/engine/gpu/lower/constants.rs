//! Constant buffers: weights and tables, uploaded once at load.

use crate::engine::gpu::record::Constant;
use crate::engine::gpu::run::{Buffer, Gpu};
use crate::error::{Result, unsupported};

/// A destination for constants: the GPU, or a counter in tests.
pub(crate) trait Upload {
    /// Creates a buffer of `bytes` bytes; `name` is its label and appears in errors.
    ///
    /// # Errors
    /// `unsupported` if the GPU cannot bind so large a buffer.
    fn create(&mut self, name: &str, bytes: u64) -> Result<Constant>;

    /// Writes `bytes` at `offset`. Both are multiples of four bytes.
    fn write(&mut self, constant: Constant, offset: u64, bytes: &[u8]);

    /// Creates a buffer with these bytes.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    fn upload(&mut self, name: &str, bytes: &[u8]) -> Result<Constant> {
        let constant = self.create(name, bytes.len() as u64)?;
        self.write(constant, 0, bytes);
        Ok(constant)
    }
}

/// Constant buffers on a GPU.
#[derive(Debug)]
pub(crate) struct Constants<'a> {
    gpu: &'a Gpu,
    buffers: Vec<Option<Buffer>>,
    /// Bytes written since the queue was last empty.
    pending_bytes: u64,
}

/// Maximum bytes written before the queue is flushed: until then each of them is also in a staging buffer.
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
                "{name} needs a buffer of {bytes} bytes, and this GPU allows at most {max}"
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
            // Does nothing in browsers. The error scope around `GpuEngine::prepare` catches any error.
            let _ = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
            self.pending_bytes = 0;
        }
    }
}
