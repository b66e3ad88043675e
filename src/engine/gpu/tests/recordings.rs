//! Recordings of the Plans of every family, without a GPU.

use super::super::lower::Upload;
use super::super::record::{Constant, Dispatch, Recording, Scratch, Slot};
use super::super::run::label;
use super::super::shader::{Access, Params};
use super::shaders::param_fields;
use super::*;
use crate::engine::cpu::tests::plans::{every_plan, random_weights};

/// Counts the size and the written bytes of each buffer.
#[derive(Default)]
struct Counted(Vec<(u64, u64)>);

impl Upload for Counted {
    fn create(&mut self, _: &str, bytes: u64) -> Result<Constant> {
        self.0.push((bytes, 0));
        Ok(self.0.len() - 1)
    }

    fn write(&mut self, constant: Constant, offset: u64, bytes: &[u8]) {
        let (size, written) = &mut self.0[constant];
        assert!(offset + bytes.len() as u64 <= *size);
        *written += bytes.len() as u64;
    }
}

const SHAPE: BatchShape = BatchShape { tokens: 200, pairs: 3, tiles: 5, max_seqlen: 130 };

/// Kernels without optional features.
const PLAIN: KernelChoice =
    KernelChoice { tile: GEMM_TILES[0], arithmetic: Arithmetic::F32, subgroups: false };
const PACKED: KernelChoice = KernelChoice { arithmetic: Arithmetic::I8, subgroups: true, ..PLAIN };

fn recorded(plan: &Plan, dtype: Dtype, choice: KernelChoice) -> (Recording, Vec<Dispatch>, Vec<(u64, u64)>) {
    let storage = if dtype == Dtype::Q8 { Storage::Q8 } else { Storage::F32 };
    let mut counted = Counted::default();
    let weights = random_weights(plan, dtype);
    let prepared = lower::prepare(plan, &weights, storage, choice.tile, &mut counted).unwrap();
    (record(&prepared.steps, SHAPE, choice), prepared.setup_dispatches, counted.0)
}

#[test]
fn dispatches_match_their_kernels_and_write_no_buffer_they_read() {
    for (name, plan) in every_plan() {
        for (dtype, choice) in [(Dtype::F32, PLAIN), (Dtype::Q8, PLAIN), (Dtype::Q8, PACKED)] {
            let (recording, first, constants) = recorded(&plan, dtype, choice);
            for dispatch in first.iter().chain(&recording.dispatches) {
                let bindings = dispatch.kernel.bindings();
                assert_eq!(dispatch.buffers.len(), bindings.len(), "{name}: {dispatch:?}");
                assert_eq!(dispatch.params.fields(), param_fields(dispatch.kernel), "{name}: {dispatch:?}");
                let with = |access| {
                    let both = dispatch.buffers.iter().zip(&bindings);
                    both.filter(move |(_, other)| **other == access)
                        .map(|(slot, _)| *slot)
                        .collect::<Vec<_>>()
                };
                let written = with(Access::ReadWrite);
                assert!(
                    written.iter().all(|slot| !with(Access::Read).contains(slot)),
                    "{name}: {dispatch:?}"
                );
                assert!(
                    dispatch.grid.iter().all(|&side| (1..=65_535).contains(&side)),
                    "{name}: {dispatch:?}"
                );
                for slot in &dispatch.buffers {
                    match slot {
                        Slot::Constant(constant) => assert!(*constant < constants.len(), "{name}"),
                        Slot::Scratch(scratch) => assert!(recording.scratch.contains_key(scratch), "{name}"),
                        Slot::Input(_) => {}
                    }
                }
            }
        }
    }
}

#[test]
fn q8_refuses_matrices_without_codes() {
    for (name, plan) in every_plan() {
        let weights = random_weights(&plan, Dtype::F32);
        let mut counted = Counted::default();
        let prepared = lower::prepare(&plan, &weights, Storage::Q8, PLAIN.tile, &mut counted);
        let error = prepared.err().unwrap();
        assert!(error.context().contains("not stored in 7-bit codes"), "{name}: {error}");
    }
}

#[test]
fn every_constant_is_written_completely() {
    for (name, plan) in every_plan() {
        let (_, first, constants) = recorded(&plan, Dtype::F32, PLAIN);
        // Constants that a setup dispatch computes are not uploaded.
        let is_computed = |constant| {
            let slot = Slot::Constant(constant);
            first.iter().any(|dispatch| {
                matches!(dispatch.kernel, Kernel::Gemm(_)) && dispatch.buffers.last() == Some(&slot)
            })
        };
        for (constant, (size, written)) in constants.iter().enumerate() {
            assert_eq!(*written, if is_computed(constant) { 0 } else { *size }, "{name}: buffer {constant}");
        }
    }
}

#[test]
fn only_pooled_rows_are_read_back() {
    for (name, plan) in every_plan() {
        let (recording, ..) = recorded(&plan, Dtype::F32, PLAIN);
        let poolings = plan.pooled_size() / plan.hidden_size;
        assert_eq!(
            (recording.rows, recording.vectors),
            (poolings * SHAPE.pairs, plan.hidden_size.div_ceil(VEC4)),
            "{name}"
        );
        assert!(matches!(recording.result, Scratch::ResidualA | Scratch::ResidualB), "{name}");
    }
}

/// A collapsed layer computes keys and values of all rows, and everything else for one row per pair.
#[test]
fn a_collapsed_layer_computes_cls_rows_only() {
    let (_, plan) = every_plan().into_iter().find(|(name, _)| *name == "bert, collapsed").unwrap();
    let (recording, ..) = recorded(&plan, Dtype::F32, PLAIN);
    let names: Vec<&str> = recording.dispatches.iter().map(|dispatch| dispatch.kernel.name()).collect();
    let whole = ["gemm", "attention", "gemm", "norm", "gemm", "gemm", "norm"];
    let collapsed = ["gemm", "gather", "gemm", "attention", "gemm", "norm", "gemm", "gemm", "norm"];
    let expected: Vec<&str> = ["norm"].iter().chain(&whole).chain(&collapsed).copied().collect();
    assert_eq!(names, expected);
    let rows: Vec<u32> = recording
        .dispatches
        .iter()
        .filter_map(|dispatch| match dispatch.params {
            Params::Norm(params) => Some(params.rows),
            _ => None,
        })
        .collect();
    assert_eq!(rows, [200, 200, 200, 3, 3]);
}

/// With packed products, all rows but the first ones of pairs are quantized; a collapsed layer has first rows only.
#[test]
fn packed_products_leave_first_rows_in_f32() {
    let (_, plan) = every_plan().into_iter().find(|(name, _)| *name == "bert, collapsed").unwrap();
    let (recording, ..) = recorded(&plan, Dtype::Q8, PACKED);
    let names: Vec<&str> = recording.dispatches.iter().map(|dispatch| dispatch.kernel.name()).collect();
    let packed = ["quantize", "gemm", "gemm"];
    let whole = [&packed[..], &["attention"], &packed, &["norm"], &packed, &packed, &["norm"]].concat();
    let collapsed = ["gather", "gemm", "attention", "gemm", "norm", "gemm", "gemm", "norm"];
    assert_eq!(names, [&["norm"], &whole[..], &packed, &collapsed].concat());
    for dispatch in &recording.dispatches {
        if let (Kernel::Gemm(gemm), Params::Gemm(params)) = (dispatch.kernel, dispatch.params) {
            let is_packed = gemm.arithmetic == Arithmetic::I8;
            assert_eq!(params.rows as usize, if is_packed { SHAPE.tokens } else { SHAPE.pairs });
        }
    }
}

/// Packed words hold four values, and the depth of 36 is padded to 64.
#[test]
fn profiles_count_the_values_of_packed_words() {
    let (_, plan) = every_plan().into_iter().find(|(name, _)| *name == "bert, collapsed").unwrap();
    let first = |choice| {
        let (recording, ..) = recorded(&plan, Dtype::Q8, choice);
        label(
            recording.dispatches.iter().find(|dispatch| matches!(dispatch.kernel, Kernel::Gemm(_))).unwrap(),
        )
    };
    let flops = |inputs| 2.0 * SHAPE.tokens as f64 * inputs * 108.0;
    assert_eq!(first(PLAIN), ("gemm 36 -> 108, Store".to_owned(), flops(36.0)));
    assert_eq!(first(PACKED), ("gemm 64 -> 108, Store".to_owned(), flops(64.0)));
}
