//! The shaders as naga reads them: what is said of a kernel in Rust is what its WGSL declares.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess};

use super::super::shader::Access;
use super::*;

/// Least limits of the WebGPU specification.
const INVOCATIONS: u32 = 256;
const SHARED_BYTES: u32 = 16_384;
const STORAGE_BUFFERS: usize = 8;
/// What `executor.rs` keeps for parameters.
const PARAMS_BYTES: u32 = 64;

fn parsed(kernel: Kernel) -> Module {
    let source = kernel.source();
    let at = |text: String| format!("{kernel:?}: {text}");
    let module = naga::front::wgsl::parse_str(&source).map_err(|error| at(error.emit_to_string(&source)));
    let module = module.unwrap();
    Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32)
        .validate(&module)
        .map_err(|error| at(error.emit_to_string(&source)))
        .unwrap();
    module
}

fn size_of(module: &Module, ty: naga::Handle<naga::Type>) -> u32 {
    module.types[ty].inner.size(module.to_ctx())
}

#[test]
fn kernels_declare_what_is_bound() {
    for kernel in all_kernels() {
        let module = parsed(kernel);
        let mut declared: Vec<(u32, AddressSpace)> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| Some((variable.binding?.binding, variable.space)))
            .collect();
        declared.sort_by_key(|(binding, _)| *binding);
        let storage = |access| match access {
            Access::Read => AddressSpace::Storage { access: StorageAccess::LOAD },
            Access::ReadWrite => AddressSpace::Storage { access: StorageAccess::LOAD | StorageAccess::STORE },
        };
        let bound: Vec<(u32, AddressSpace)> = std::iter::once(AddressSpace::Uniform)
            .chain(kernel.bindings().into_iter().map(storage))
            .zip(0..)
            .map(|(space, binding)| (binding, space))
            .collect();
        assert_eq!(declared, bound, "{kernel:?}");
        assert!(bound.len() - 1 <= STORAGE_BUFFERS, "{kernel:?}");
    }
}

#[test]
fn kernels_keep_within_the_least_limits() {
    for kernel in all_kernels() {
        let module = parsed(kernel);
        let [x, y, z] = module.entry_points[0].workgroup_size;
        assert!(x * y * z <= INVOCATIONS, "{kernel:?}");
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == AddressSpace::WorkGroup)
            .map(|(_, variable)| size_of(&module, variable.ty))
            .sum();
        assert!(shared <= SHARED_BYTES, "{kernel:?} shares {shared} bytes");
        let params =
            module.global_variables.iter().find(|(_, variable)| variable.space == AddressSpace::Uniform);
        assert!(size_of(&module, params.unwrap().1.ty) <= PARAMS_BYTES, "{kernel:?}");
    }
}
