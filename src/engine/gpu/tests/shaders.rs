//! Compares the descriptions of kernels in Rust with naga's reflection of their WGSL.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess};

use super::super::shader::{
    Access, AttentionParams, GatherParams, GemmParams, MAX_PARAMS_BYTES, NormParams, ParamField, PoolParams,
    QuantizeParams, RotateParams, UnfoldParams,
};
use super::*;

/// Minimum limits of the WebGPU specification.
const INVOCATIONS: u32 = 256;
const SHARED_BYTES: u32 = 16_384;
const STORAGE_BUFFERS: usize = 8;

fn parsed(kernel: Kernel) -> Module {
    let source = kernel.source().unwrap();
    let at = |text: String| format!("{kernel:?}: {text}");
    let module = naga::front::wgsl::parse_str(&source).map_err(|error| at(error.emit_to_string(&source)));
    let module = module.unwrap();
    let features = Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP;
    Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32 | features)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .map_err(|error| at(error.emit_to_string(&source)))
        .unwrap();
    module
}

fn size_of(module: &Module, ty: naga::Handle<naga::Type>) -> u32 {
    module.types[ty].inner.size(module.to_ctx())
}

/// Returns the type of the uniform `params`.
fn params_type(module: &Module) -> naga::Handle<naga::Type> {
    let mut variables = module.global_variables.iter().map(|(_, variable)| variable);
    variables.find(|variable| variable.space == AddressSpace::Uniform).unwrap().ty
}

/// Returns the members of a kernel's parameters in Rust.
pub(super) fn param_fields(kernel: Kernel) -> Vec<ParamField> {
    match kernel {
        Kernel::Gemm(_) => GemmParams::fields(),
        Kernel::Attention(_) => AttentionParams::fields(),
        Kernel::Norm { .. } => NormParams::fields(),
        Kernel::Quantize { .. } => QuantizeParams::fields(),
        Kernel::Gather => GatherParams::fields(),
        Kernel::Pool(_) => PoolParams::fields(),
        Kernel::Rotate => RotateParams::fields(),
        Kernel::Unfold => UnfoldParams::fields(),
    }
}

#[test]
fn parameters_have_the_names_types_and_offsets_of_the_wgsl() {
    for kernel in all_kernels() {
        let module = parsed(kernel);
        let naga::TypeInner::Struct { members, .. } = &module.types[params_type(&module)].inner else {
            panic!("{kernel:?}: the parameters are not a struct");
        };
        let scalar = |ty: naga::Handle<naga::Type>| match &module.types[ty].inner {
            naga::TypeInner::Scalar(naga::Scalar::U32) => "u32",
            naga::TypeInner::Scalar(naga::Scalar::F32) => "f32",
            other => panic!("{kernel:?}: a parameter is {other:?}"),
        };
        let declared: Vec<(&str, &str, usize)> = members
            .iter()
            .map(|member| (member.name.as_deref().unwrap(), scalar(member.ty), member.offset as usize))
            .collect();
        let fields = param_fields(kernel);
        let fields: Vec<_> = fields.iter().map(|field| (field.name, field.ty, field.offset)).collect();
        assert_eq!(fields, declared, "{kernel:?}");
    }
}

#[test]
fn parameters_are_written_where_the_wgsl_reads_them() {
    let params = NormParams { rows: 1, width: 2, vectors: 3, eps: 0.5, rms: 4 };
    let mut expected = [0; MAX_PARAMS_BYTES];
    let words = [1u32, 2, 3, 0.5f32.to_bits(), 4];
    expected.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
    assert_eq!(super::super::shader::Params::Norm(params).bytes(), expected);
}

#[test]
fn bindings_are_those_of_the_wgsl() {
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
fn kernels_keep_within_the_minimum_limits() {
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
        let params = size_of(&module, params_type(&module));
        assert!(params as usize <= MAX_PARAMS_BYTES, "{kernel:?} has {params} bytes of parameters");
    }
}
