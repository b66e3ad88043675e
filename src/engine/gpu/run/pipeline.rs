//! Compute pipelines, one per kernel.

use super::device::Gpu;
use crate::engine::gpu::shader::{Access, Kernel, MAX_PARAMS_BYTES};
use crate::error::Result;

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Pipeline {
    /// Compiles a kernel.
    ///
    /// # Errors
    /// `internal` if its template is malformed. Errors of the GPU are those of the open error scope.
    pub(super) fn new(gpu: &Gpu, kernel: Kernel) -> Result<Self> {
        let label = Some(kernel.name());
        let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(kernel.source()?.into()),
        });
        let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label,
            entries: &layout_entries(kernel),
        });
        let layouts =
            wgpu::PipelineLayoutDescriptor { label, bind_group_layouts: &[Some(&layout)], immediate_size: 0 };
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&gpu.device.create_pipeline_layout(&layouts)),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes its shared memory before it reads it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Ok(Self { pipeline, layout })
    }
}

/// Returns the layout of a kernel's bindings: its parameters, then its buffers.
fn layout_entries(kernel: Kernel) -> Vec<wgpu::BindGroupLayoutEntry> {
    let buffer = |binding, ty, has_dynamic_offset, size| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset,
            min_binding_size: wgpu::BufferSize::new(size),
        },
        count: None,
    };
    let params = buffer(0, wgpu::BufferBindingType::Uniform, true, MAX_PARAMS_BYTES as u64);
    let buffers = kernel.bindings().into_iter().zip(1..).map(|(access, binding)| {
        let read_only = access == Access::Read;
        buffer(binding, wgpu::BufferBindingType::Storage { read_only }, false, 0)
    });
    std::iter::once(params).chain(buffers).collect()
}
