//! The GPU device: adapter, limits, error scopes, device loss, and the count of allocated memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_channel::oneshot;

use crate::engine::gpu::record::VEC4;
use crate::error::{Result, device_lost, internal, out_of_memory, unsupported};

/// Bytes of all live buffers of this process.
static ALLOCATED_BYTES: AtomicU64 = AtomicU64::new(0);

/// Returns the bytes of GPU memory that all rerankers of this process have allocated.
pub fn gpu_bytes() -> u64 {
    ALLOCATED_BYTES.load(Ordering::Relaxed)
}

/// The adapters that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdapterKind {
    /// Any, software rasterizers included.
    Any,
    /// Only hardware, as far as the system reports it. The search stops early if there is no sign of a GPU.
    Hardware,
}

/// Optional features of a GPU that kernels can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "wasm32"), derive(serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GpuFeatures {
    /// Arithmetic in f16.
    pub f16: bool,
    /// Dot products of four packed 8-bit integers.
    pub packed_dot: bool,
    /// Sums and maxima over the invocations of a subgroup.
    pub subgroups: bool,
}

impl Default for GpuFeatures {
    /// Returns all features.
    fn default() -> Self {
        Self { f16: true, packed_dot: true, subgroups: true }
    }
}

impl GpuFeatures {
    /// No feature.
    pub const NONE: Self = Self { f16: false, packed_dot: false, subgroups: false };

    /// Returns the features that both have.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            f16: self.f16 && other.f16,
            packed_dot: self.packed_dot && other.packed_dot,
            subgroups: self.subgroups && other.subgroups,
        }
    }
}

/// A device and its queue.
#[derive(Debug)]
pub(crate) struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) features: GpuFeatures,
    adapter: wgpu::AdapterInfo,
    /// The reason of a device loss.
    lost: Arc<Mutex<Option<String>>>,
}

/// A buffer that counts toward [`gpu_bytes`] and is destroyed when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) buffer: wgpu::Buffer,
}

/// An open scope for validation, out-of-memory and internal errors.
pub(crate) struct ErrorScope {
    scopes: [wgpu::ErrorScopeGuard; 3],
}

impl Gpu {
    /// Opens the fastest adapter of this kind. Buffer sizes are limited by the adapter, everything else by the minimum
    /// limits of the WebGPU specification.
    ///
    /// # Errors
    /// `unsupported` without such an adapter, or if it does not reach those limits.
    pub(crate) async fn open(kind: AdapterKind) -> Result<Self> {
        if kind == AdapterKind::Hardware && !may_have_hardware() {
            return Err(unsupported("there is no GPU"));
        }
        let (adapter, packed_dot) = adapter().await?;
        if kind == AdapterKind::Hardware && adapter.get_info().device_type == wgpu::DeviceType::Cpu {
            return Err(unsupported("the GPU is a program on the CPU"));
        }
        Self::request(&adapter, packed_dot, required_limits(&adapter.limits())).await
    }

    /// Opens the fastest adapter with these limits.
    #[cfg(test)]
    pub(crate) async fn open_with_limits(limits: wgpu::Limits) -> Result<Self> {
        let (adapter, packed_dot) = adapter().await?;
        Self::request(&adapter, packed_dot, limits).await
    }

    async fn request(
        adapter: &wgpu::Adapter,
        packed_dot: bool,
        required_limits: wgpu::Limits,
    ) -> Result<Self> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("ranklet"),
            required_features: adapter.features()
                & (wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP),
            required_limits,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| {
            let name = adapter.get_info().name;
            unsupported(format!("the GPU {name:?} cannot be used: {error}")).with_source(error)
        })?;
        let lost = Arc::default();
        let reported = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            mark_lost(&reported, format!("{reason:?}: {message}"));
        });
        // Only a lost device raises errors outside a scope. wgpu's default handler panics.
        device.on_uncaptured_error(Arc::new(|_| {}));
        let features = GpuFeatures {
            f16: device.features().contains(wgpu::Features::SHADER_F16),
            packed_dot,
            subgroups: has_subgroups(&device),
        };
        Ok(Self { device, queue, features, adapter: adapter.get_info(), lost })
    }

    /// Returns true if the adapter is a software rasterizer.
    pub(crate) fn is_software(&self) -> bool {
        self.adapter.device_type == wgpu::DeviceType::Cpu
    }

    /// Returns the adapter's name and the backend.
    pub(crate) fn name(&self) -> String {
        let wgpu::AdapterInfo { name, backend, .. } = &self.adapter;
        let name = match name.is_empty() {
            true => browser_adapter_name(&self.device).unwrap_or_else(|| "an unnamed GPU".to_owned()),
            false => name.clone(),
        };
        format!("{name} ({backend})")
    }

    /// Returns the maximum size of a storage buffer, in bytes.
    pub(crate) fn max_binding_bytes(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Creates a buffer of at least `bytes` bytes.
    pub(crate) fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Buffer {
        // Bindings are arrays of vectors and must not be empty.
        let vector = (VEC4 * size_of::<f32>()) as u64;
        let size = bytes.next_multiple_of(vector).max(vector);
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        ALLOCATED_BYTES.fetch_add(size, Ordering::Relaxed);
        Buffer { buffer: self.device.create_buffer(&descriptor) }
    }

    /// Opens an error scope. Nothing may be awaited before [`ErrorScope::pop`]: scopes belong to the device, not the task.
    pub(crate) fn error_scope(&self) -> ErrorScope {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        ErrorScope {
            scopes: [Validation, OutOfMemory, Internal].map(|kind| self.device.push_error_scope(kind)),
        }
    }

    /// Checks that the device is not lost.
    ///
    /// # Errors
    /// `device-lost` if it is.
    pub(crate) fn check_alive(&self) -> Result<()> {
        let lost = self.lost.lock().unwrap_or_else(|poison| poison.into_inner());
        match &*lost {
            None => Ok(()),
            Some(message) => {
                Err(device_lost(format!("the GPU device is lost: {message}. Load the model again")))
            }
        }
    }

    /// Loses the device, as a driver could.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.device.destroy();
        mark_lost(&self.lost, "it was destroyed".to_owned());
    }
}

/// Requests the fastest adapter. Also returns whether its WGSL has packed dot products; a driver without them emulates them.
async fn adapter() -> Result<(wgpu::Adapter, bool)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    let packed_dot = wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct;
    let packed_dot = instance.wgsl_language_features().contains(packed_dot);
    let adapter = instance.request_adapter(&options).await.map_err(|error| {
        // wgpu's own message lists the backends that were not compiled in.
        let why = match cfg!(target_family = "wasm") {
            true => {
                "the browser has WebGPU but offers no GPU; it may be switched off or blocked for this driver"
            }
            false => "Vulkan, Metal and DX12 found none",
        };
        unsupported(format!("there is no GPU to compute with: {why}")).with_source(error)
    })?;
    Ok((adapter, packed_dot))
}

/// Returns true if the device has subgroups. In browsers, wgpu cannot request them, so pkg/glue.mjs requests them.
#[cfg(target_arch = "wasm32")]
fn has_subgroups(device: &wgpu::Device) -> bool {
    device.as_webgpu().is_some_and(|device| device.features().has("subgroups"))
}

#[cfg(not(target_arch = "wasm32"))]
fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}

/// Whether there may be a hardware GPU. On Linux each has a device file; enumerating Vulkan adapters instead takes time
/// and memory, and some drivers print to stderr.
fn may_have_hardware() -> bool {
    const FILES: [&str; 5] = ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"];
    !cfg!(target_os = "linux") || FILES.iter().any(|file| std::path::Path::new(file).exists())
}

/// Returns vendor and architecture, which browsers report instead of a name.
#[cfg(target_arch = "wasm32")]
fn browser_adapter_name(device: &wgpu::Device) -> Option<String> {
    let info = device.as_webgpu()?.adapter_info();
    // Older browsers have no `adapterInfo`, although the binding's type promises one.
    if !info.is_object() {
        return None;
    }
    let words: Vec<String> =
        [info.vendor(), info.architecture()].into_iter().filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(not(target_arch = "wasm32"))]
fn browser_adapter_name(_: &wgpu::Device) -> Option<String> {
    None
}

/// Records why the device is lost; the first reason stays.
fn mark_lost(lost: &Mutex<Option<String>>, message: String) {
    lost.lock().unwrap_or_else(|poison| poison.into_inner()).get_or_insert(message);
}

/// Returns the minimum limits of the specification, with the adapter's limits for buffer sizes.
fn required_limits(adapter: &wgpu::Limits) -> wgpu::Limits {
    wgpu::Limits {
        max_buffer_size: adapter.max_buffer_size,
        max_storage_buffer_binding_size: adapter.max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    }
}

impl ErrorScope {
    /// Closes the scope. The future returns the error, if there was one.
    ///
    /// # Errors
    /// `out-of-memory`; `internal` for a validation or driver error.
    pub(crate) fn pop(self) -> impl Future<Output = Result<()>> + wgpu::WasmNotSend + use<> {
        let [validation, memory, driver] = self.scopes;
        // Scopes form a stack.
        let driver = driver.pop();
        let memory = memory.pop();
        let validation = validation.pop();
        async move {
            if let Some(error) = memory.await {
                return Err(out_of_memory(format!(
                    "the GPU has not enough memory: {error}. Use a smaller model, q8 weights, or the device \"cpu\""
                )));
            }
            match (validation.await, driver.await) {
                (Some(error), _) | (None, Some(error)) => {
                    Err(internal(format!("the GPU rejects the work: {error}")))
                }
                (None, None) => Ok(()),
            }
        }
    }
}

impl Buffer {
    /// Maps the first `bytes` bytes for reading. The receiver is told when they are mapped.
    pub(crate) fn map(&self, bytes: u64) -> oneshot::Receiver<Result<(), wgpu::BufferAsyncError>> {
        let (sender, mapped) = oneshot::channel();
        self.buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            // The receiver is gone if the call has been dropped.
            let _ = sender.send(result);
        });
        mapped
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        ALLOCATED_BYTES.fetch_sub(self.buffer.size(), Ordering::Relaxed);
        self.buffer.destroy();
    }
}
