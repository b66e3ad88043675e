//! Blocks of weights whose sums of products fit 16 bits.
//!
//! A tile adds the products of a block in 16-bit lanes before it widens them, so that it widens once for every sixteen
//! input features instead of four. A lane adds eight products of activations in -127..=127. Their sum fits if the
//! magnitudes of the eight weights add up to at most 258. In a block where they do not, about one in seventy, these
//! weights are halved, and a remainder has the other halves. Sums of integers are exact, so the result is the same.

use super::DEPTH_STEP;
use crate::checkpoint::Q7_OFFSET;

/// Steps of a block.
pub(super) const STEPS: usize = 4;
/// Columns of a panel.
const PANEL: usize = 8;
/// Largest sum of the magnitudes of a lane's weights: 127 times it is below 2^15.
const MAX_MAGNITUDES: u16 = 258;
/// The code of the weight 0.
const ZERO: u8 = Q7_OFFSET as u8;

/// The codes of a block, `[STEPS][PANEL]`.
pub(super) type Block = [[u8; DEPTH_STEP]; STEPS * PANEL];

/// The halves of a block's weights that were split off; zero elsewhere.
#[derive(Debug)]
pub(crate) struct Remainder {
    /// Index of the block in its panel.
    pub(super) block: usize,
    pub(super) codes: Block,
}

/// The remainders of all panels of a layer.
#[derive(Debug, Default)]
pub(crate) struct Remainders {
    all: Vec<Remainder>,
    /// 0, then the end of each panel's remainders; empty if no panel was split.
    ends: Vec<usize>,
}

impl Remainders {
    /// Returns the remainders of a panel.
    pub(crate) fn of_panel(&self, panel: usize) -> &[Remainder] {
        match self.ends.get(panel..panel + 2) {
            Some(&[start, end]) => &self.all[start..end],
            _ => &[],
        }
    }

    /// Splits the blocks whose sums may not fit. `depth` must be whole blocks.
    pub(super) fn split_off(panels: &mut [[u8; DEPTH_STEP]], depth: usize) -> Self {
        let mut remainders = Self { all: Vec::new(), ends: vec![0] };
        for panel in panels.chunks_exact_mut(depth / DEPTH_STEP * PANEL) {
            for (block, codes) in panel.as_chunks_mut().0.iter_mut().enumerate() {
                if let Some(codes) = split_block(codes) {
                    remainders.all.push(Remainder { block, codes });
                }
            }
            remainders.ends.push(remainders.all.len());
        }
        remainders
    }
}

/// Halves the weights of the lanes whose sums may not fit, and returns the other halves, if there are any.
fn split_block(codes: &mut Block) -> Option<Block> {
    let magnitudes = magnitudes(codes);
    if magnitudes.iter().all(|&sum| sum <= MAX_MAGNITUDES) {
        return None;
    }
    let mut remainder = [[ZERO; DEPTH_STEP]; STEPS * PANEL];
    for (lane, _) in magnitudes.iter().enumerate().filter(|(_, sum)| **sum > MAX_MAGNITUDES) {
        for step in 0..STEPS {
            let column = step * PANEL + lane / 2;
            for feature in [lane % 2 * 2, lane % 2 * 2 + 1] {
                let code = &mut codes[column][feature];
                let half = code.cast_signed().wrapping_sub(ZERO.cast_signed()) / 2;
                remainder[column][feature] = code.wrapping_sub(half.cast_unsigned());
                *code = ZERO.wrapping_add_signed(half);
            }
        }
    }
    Some(remainder)
}

/// Returns the sum of the magnitudes of each lane's weights. A lane has two neighboring features of a column per step.
fn magnitudes(codes: &Block) -> [u16; 2 * PANEL] {
    let mut sums = [0; 2 * PANEL];
    for step in codes.chunks_exact(PANEL) {
        for (sum, pair) in sums.iter_mut().zip(step.as_flattened().as_chunks::<2>().0) {
            *sum += u16::from(pair[0].abs_diff(ZERO)) + u16::from(pair[1].abs_diff(ZERO));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether the sums of all lanes fit 16 bits, whatever the activations.
    fn fits(codes: &Block) -> bool {
        magnitudes(codes).into_iter().all(|sum| 127 * i32::from(sum) <= i32::from(i16::MAX))
    }

    #[test]
    fn blocks_are_split_into_halves_whose_sums_fit_16_bits() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let depth = 3 * STEPS * DEPTH_STEP;
        let mut panels = vec![[0; DEPTH_STEP]; 2 * depth / DEPTH_STEP * PANEL];
        // In the second panel two lanes are too large, one by the least.
        let (first, second) = panels.split_at_mut(depth / DEPTH_STEP * PANEL);
        first.as_flattened_mut().fill_with(|| [0, 127, random() % 128][usize::from(random() % 3)]);
        second.as_flattened_mut().fill_with(|| 64 + random() % 30 - 15);
        for step in 4..8 {
            second[step * PANEL + 5][2..].fill(0);
            second[(step + 4) * PANEL + 3][..2].copy_from_slice(&[64 + 33, 64 - 32]);
        }
        let before = panels.clone();
        let remainders = Remainders::split_off(&mut panels, depth);
        assert_eq!((remainders.of_panel(0).len(), remainders.of_panel(1).len()), (3, 2));
        assert_eq!([0, 1].map(|index| remainders.of_panel(1)[index].block), [1, 2]);
        let mut sums: Vec<i32> =
            panels.as_flattened().iter().map(|&code| i32::from(code) - i32::from(ZERO)).collect();
        for panel in 0..2 {
            for Remainder { block, codes } in remainders.of_panel(panel) {
                assert!(fits(codes));
                let first = panel * depth * PANEL + block * size_of::<Block>();
                for (sum, &code) in sums[first..].iter_mut().zip(codes.as_flattened()) {
                    *sum += i32::from(code) - i32::from(ZERO);
                }
            }
        }
        let weights: Vec<i32> =
            before.as_flattened().iter().map(|&code| i32::from(code) - i32::from(ZERO)).collect();
        assert_eq!(sums, weights);
        assert!(panels.as_chunks().0.iter().all(fits));
    }
}
