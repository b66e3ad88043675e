mod engine;
mod kernels;
mod recordings;
mod reference;
mod shaders;

use super::run::GEMM_TILES;
use super::shader::{
    Arithmetic, AttentionKernel, Epilogue, GemmKernel, GemmTile, Kernel, PoolKernel, PositionBias, Queries,
};
use super::*;
use crate::checkpoint::Activation;

/// Storage and arithmetic of every matrix product, and whether its rows may be the first ones of pairs.
const PRODUCTS: [(Storage, Arithmetic, bool); 6] = [
    (Storage::F32, Arithmetic::F32, false),
    (Storage::F16, Arithmetic::F32, false),
    (Storage::F16, Arithmetic::F16, false),
    (Storage::Q8, Arithmetic::F32, false),
    (Storage::Q8, Arithmetic::F32, true),
    (Storage::Q8, Arithmetic::I8, false),
];

const QUERIES: [Queries; 3] =
    [Queries::Tile, Queries::One { subgroups: false }, Queries::One { subgroups: true }];

fn gemm_kernel(
    tile: GemmTile,
    (storage, arithmetic, first_rows): (Storage, Arithmetic, bool),
    epilogue: Epilogue,
) -> GemmKernel {
    GemmKernel { tile, storage, arithmetic, first_rows, epilogue }
}

/// Every kernel variant, with several sizes of heads.
fn all_kernels() -> Vec<Kernel> {
    let epilogues: Vec<Epilogue> = [Epilogue::Store, Epilogue::Add]
        .into_iter()
        .chain(Activation::ALL.map(Epilogue::Activate))
        .chain(Activation::ALL.map(Epilogue::AddActivated))
        .chain(Activation::ALL.map(Epilogue::Glu))
        .collect();
    let mut kernels = vec![
        Kernel::Norm { in_place: true, subgroups: false },
        Kernel::Norm { in_place: false, subgroups: false },
        Kernel::Norm { in_place: true, subgroups: true },
        Kernel::Norm { in_place: false, subgroups: true },
        Kernel::Quantize { subgroups: false },
        Kernel::Quantize { subgroups: true },
        Kernel::Gather,
        Kernel::Rotate,
        Kernel::Unfold,
    ];
    kernels.extend(
        [PoolKernel::Mean, PoolKernel::MeanSqrtLen, PoolKernel::WeightedMean, PoolKernel::Max]
            .map(Kernel::Pool),
    );
    for tile in GEMM_TILES {
        for product in PRODUCTS {
            kernels
                .extend(epilogues.iter().map(|&epilogue| Kernel::Gemm(gemm_kernel(tile, product, epilogue))));
        }
    }
    for vectors in [1, 8, 16, 32] {
        let mut positions = vec![PositionBias::Absent, PositionBias::Alibi, PositionBias::Bucketed];
        for (keys, queries) in [(true, true), (true, false), (false, true)] {
            positions.push(PositionBias::Relative { keys, queries });
        }
        for queries in QUERIES {
            let kernel = |&positions| Kernel::Attention(AttentionKernel { vectors, positions, queries });
            kernels.extend(positions.iter().map(kernel));
        }
    }
    kernels
}
