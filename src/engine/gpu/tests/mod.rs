mod engine;
mod kernels;
mod recordings;
mod reference;
mod shaders;

use super::run::GEMM_TILES;
use super::shader::{AttentionKernel, Epilogue, GemmKernel, Kernel, PoolKernel, PositionBias};
use super::*;
use crate::checkpoint::Activation;

/// Every kernel variant, with several sizes of heads.
fn all_kernels() -> Vec<Kernel> {
    let epilogues: Vec<Epilogue> = [Epilogue::Store, Epilogue::Add]
        .into_iter()
        .chain(Activation::ALL.map(Epilogue::Activate))
        .chain(Activation::ALL.map(Epilogue::AddActivated))
        .chain(Activation::ALL.map(Epilogue::Glu))
        .collect();
    let mut kernels = vec![
        Kernel::Norm { in_place: true },
        Kernel::Norm { in_place: false },
        Kernel::Gather,
        Kernel::Rotate,
        Kernel::Unfold,
    ];
    kernels.extend(
        [PoolKernel::Mean, PoolKernel::MeanSqrtLen, PoolKernel::WeightedMean, PoolKernel::Max]
            .map(Kernel::Pool),
    );
    for tile in GEMM_TILES {
        for storage in [Storage::F32, Storage::F16, Storage::Q8] {
            kernels.extend(
                epilogues.iter().map(|&epilogue| Kernel::Gemm(GemmKernel { tile, storage, epilogue })),
            );
        }
    }
    for vectors in [1, 8, 16, 32] {
        let mut positions = vec![PositionBias::Absent, PositionBias::Alibi, PositionBias::Bucketed];
        for (keys, queries) in [(true, true), (true, false), (false, true)] {
            positions.push(PositionBias::Relative { keys, queries });
        }
        kernels.extend(
            positions.into_iter().map(|positions| Kernel::Attention(AttentionKernel { vectors, positions })),
        );
    }
    kernels
}
